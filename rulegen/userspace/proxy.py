"""The proxy itself: it accepts connections and datagrams, and passes them to endpoints.

As the proxy of kube-proxy 1.25 (pkg/proxy/userspace/proxysocket.go), with one difference: where one side of
a TCP connection has said all, the other may still answer; kube-proxy closed both.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias, cast

import msgspec

from rulegen.userspace.balancer import Balancer

DIAL_TIMEOUTS = (0.25, 0.5, 1.0, 2.0)
"""Seconds that each of four endpoints has to answer, one after the other."""
UDP_IDLE_SECONDS = 0.25
"""How long a silent UDP client is remembered (``--udp-timeout`` of kube-proxy)."""
CHUNK = 65536
BACKLOG = 1024

Note: TypeAlias = Callable[[str], None]
Address: TypeAlias = tuple[Any, ...]


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One service port to listen for: its name, ``TCP`` or ``UDP``, its proxy port, its ready endpoints.

    ``proxy_port`` 0 takes one that is free. ``address`` is where to listen, empty: where the proxy does.
    """

    name: str
    protocol: str
    proxy_port: int
    endpoints: tuple[str, ...]
    affinity_seconds: int = 0
    address: str = ""


class Proxy:
    """Listens for service ports and passes on what comes; ``address`` is for those that name none.

    ``tcp_idle`` closes TCP connections on which nothing was said for that many seconds, 0 never, which is
    what kube-proxy did. ``note`` is told of what a person should know (an endpoint that does not answer).
    """

    def __init__(
        self,
        services: Sequence[Service],
        address: str = "",
        *,
        udp_idle: float = UDP_IDLE_SECONDS,
        tcp_idle: float = 0.0,
        note: Note = lambda text: None,
    ) -> None:
        self.services = tuple(services)
        self.address = address
        self.udp_idle = udp_idle
        self.tcp_idle = tcp_idle
        self.note = note
        self.ports: dict[str, int] = {}
        """Name of each service port -> the port on which it is listened for, once started."""
        self._servers: list[asyncio.Server] = []
        self._udp: list[_UdpService] = []
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Open every port. Raises OSError, with all of them closed again, where one cannot be used."""
        try:
            for service in self.services:
                try:
                    await self._open(service)
                except OSError as error:
                    place = f"{service.name}: {service.protocol} port {service.proxy_port}"
                    raise OSError(error.errno, f"{place}: {os.strerror(error.errno or 0)}") from error
        except OSError:
            await self.stop()
            raise

    async def _open(self, service: Service) -> None:
        balancer = Balancer(service.endpoints, service.affinity_seconds)
        opened = _bound(service.protocol, service.address or self.address, service.proxy_port)
        if service.protocol == "UDP":
            loop = asyncio.get_running_loop()
            transport, protocol = await loop.create_datagram_endpoint(
                lambda: _UdpService(service, balancer, self), sock=opened
            )
            self._udp.append(protocol)
            self.ports[service.name] = transport.get_extra_info("sockname")[1]
            return

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._accept(service, balancer, reader, writer)

        server = await asyncio.start_server(accept, sock=opened, backlog=BACKLOG)
        self._servers.append(server)
        self.ports[service.name] = server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close every port and every connection, and wait until all are closed."""
        for server in self._servers:
            server.close()
        for service in self._udp:
            service.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()
        self._udp.clear()

    async def run(self, started: Callable[[], None]) -> None:
        """Proxy until SIGINT or SIGTERM; ``started`` is called once every port is open."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        # What goes wrong outside of any connection (no more files, say) is told, and the proxy goes on.
        loop.set_exception_handler(lambda _, context: self.note(_told(context)))
        handled = (signal.SIGINT, signal.SIGTERM)
        for each in handled:
            loop.add_signal_handler(each, stop.set)
        try:
            await self.start()
            started()
            await stop.wait()
        finally:
            await self.stop()
            for each in handled:
                loop.remove_signal_handler(each)

    async def _accept(
        self,
        service: Service,
        balancer: Balancer,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            client = str(writer.get_extra_info("peername")[0])
            found = await self._dial(service, balancer, client)
            if found is not None:
                await self._copy(reader, writer, *found)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            await _closed(writer)

    async def _dial(
        self, service: Service, balancer: Balancer, client: str
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """A connection to the next endpoint that answers; None where four do not, or there are none."""
        for attempt, timeout in enumerate(DIAL_TIMEOUTS):
            endpoint = balancer.next(client, _now(), reset=attempt > 0)
            if endpoint is None:
                self.note(f"{service.name}: no ready endpoint")
                return None
            try:
                async with asyncio.timeout(timeout):
                    return await asyncio.open_connection(*split(endpoint))
            except OSError as error:
                # A timeout of asyncio is an OSError, too.
                self.note(f"{service.name}: {endpoint} does not answer ({error or 'timeout'})")
        return None

    async def _copy(
        self,
        client_reader: asyncio.StreamReader,
        client_writer: asyncio.StreamWriter,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        activity = _Activity()
        ways = [
            asyncio.create_task(_pump(client_reader, writer, activity)),
            asyncio.create_task(_pump(reader, client_writer, activity)),
        ]
        try:
            while not all(way.done() for way in ways):
                left = activity.last + self.tcp_idle - _now() if self.tcp_idle else None
                if left is not None and left <= 0:
                    return
                done, _ = await asyncio.wait(ways, timeout=left, return_when=asyncio.FIRST_EXCEPTION)
                for way in done:
                    way.result()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            await _closed(writer)


class _Activity:
    """When something was last said on a connection, in either direction."""

    def __init__(self) -> None:
        self.last = _now()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, activity: _Activity) -> None:
    while data := await reader.read(CHUNK):
        activity.last = _now()
        writer.write(data)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError, asyncio.CancelledError):
        await writer.wait_closed()


class _UdpService(asyncio.DatagramProtocol):
    """One UDP service port: a socket of its own for every client, forgotten when both sides are silent."""

    def __init__(self, service: Service, balancer: Balancer, proxy: Proxy) -> None:
        self.service, self.balancer, self.proxy = service, balancer, proxy
        self.transport: asyncio.DatagramTransport | None = None
        self.clients: dict[Address, _UdpClient] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No subclass of DatagramTransport in Python 3.11, though it has its methods.
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        client = self.clients.get(addr)
        if client is None:
            endpoint = self.balancer.next(str(addr[0]), _now())
            if endpoint is None:
                self.proxy.note(f"{self.service.name}: no ready endpoint")
                return
            client = self.clients[addr] = _UdpClient(self, addr, endpoint)
        client.send(data)

    def close(self) -> None:
        for client in tuple(self.clients.values()):
            client.close()
        if self.transport is not None:
            self.transport.close()


class _UdpClient(asyncio.DatagramProtocol):
    """What one client and its endpoint say to each other."""

    def __init__(self, service: _UdpService, address: Address, endpoint: str) -> None:
        self.service, self.address, self.endpoint = service, address, endpoint
        self.transport: asyncio.DatagramTransport | None = None
        self.waiting: list[bytes] = []
        self.closed = False
        self.last = _now()
        self.timer: asyncio.TimerHandle | None = None
        self.opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_datagram_endpoint(lambda: self, remote_addr=split(self.endpoint))
        except OSError as error:
            self.error_received(error)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)
        if self.closed:
            self.transport.close()
            return
        for data in self.waiting:
            self.transport.sendto(data)
        self.waiting.clear()
        self._watch()

    def send(self, data: bytes) -> None:
        self.last = _now()
        if self.transport is None:
            self.waiting.append(data)
        else:
            self.transport.sendto(data)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.last = _now()
        if self.service.transport is not None and not self.closed:
            self.service.transport.sendto(data, self.address)

    def error_received(self, exc: Exception) -> None:
        """The endpoint refuses: the client's next datagram goes to the next one."""
        self.service.proxy.note(f"{self.service.service.name}: {self.endpoint} does not answer ({exc})")
        self.close()

    def _watch(self) -> None:
        left = self.last + self.service.proxy.udp_idle - _now()
        if left <= 0:
            self.close()
        else:
            self.timer = asyncio.get_running_loop().call_later(left, self._watch)

    def close(self) -> None:
        self.closed = True
        if self.timer is not None:
            self.timer.cancel()
        if self.service.clients.get(self.address) is self:
            del self.service.clients[self.address]
        if self.transport is not None:
            self.transport.close()


def _bound(protocol: str, address: str, port: int) -> socket.socket:
    """A socket for one family only: that of the other may have the same port. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM if protocol == "UDP" else socket.SOCK_STREAM)
    try:
        opened.setblocking(False)
        if protocol == "TCP":
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((address, port))
    except OSError:
        opened.close()
        raise
    return opened


def _told(context: Mapping[str, Any]) -> str:
    fault = context.get("exception")
    return f"{context.get('message', 'fault')}{f': {fault}' if fault is not None else ''}"


def split(endpoint: str) -> tuple[str, int]:
    """Address and port of ``10.1.2.3:80`` or ``[fd00::1]:80``."""
    host, _, port = endpoint.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _now() -> float:
    return asyncio.get_running_loop().time()
