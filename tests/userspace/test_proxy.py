"""What the proxy does with connections, good and bad ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from rulegen.userspace.proxy import Proxy, Service, split

Story = Callable[[Proxy, int, list[str]], Awaitable[None]]


def play(story: Story, *endpoints: str, protocol: str = "TCP", silent: float = 0.0) -> None:
    """Run a story with a proxy for one service port; the endpoint ``ALIVE`` stands for one that answers."""

    async def run() -> None:
        notes: list[str] = []
        async with asyncio.timeout(20):
            opened = await asyncio.start_server(_shout, "127.0.0.1", 0)
            loop = asyncio.get_running_loop()
            echo, _ = await loop.create_datagram_endpoint(_Echo, local_addr=("127.0.0.1", 0))
            alive = opened.sockets[0] if protocol == "TCP" else echo.get_extra_info("socket")
            known = [each.replace("ALIVE", f"127.0.0.1:{alive.getsockname()[1]}") for each in endpoints]
            service = Service(
                name="default/web",
                protocol=protocol,
                proxy_port=0,
                endpoints=tuple(known),
                affinity_seconds=0,
            )
            proxy = Proxy([service], "127.0.0.1", udp_idle=silent or 0.25, tcp_idle=silent, note=notes.append)
            await proxy.start()
            try:
                await story(proxy, proxy.ports["default/web"], notes)
            finally:
                await proxy.stop()
                opened.close()
                echo.close()
                await opened.wait_closed()

    asyncio.run(run())


async def _shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer only once the client has said all, in upper case."""
    writer.write((await reader.read()).upper())
    await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


class _Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(data.upper(), addr)  # type: ignore[attr-defined]


class _Client(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.got: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.got.put_nowait(data)


def test_a_client_that_has_said_all_still_gets_its_answer() -> None:
    async def story(proxy: Proxy, port: int, notes: list[str]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello" * 100_000)
        writer.write_eof()
        assert await reader.read() == b"HELLO" * 100_000
        await _close(writer)

    play(story, "ALIVE")


def test_an_endpoint_that_refuses_is_passed_over_and_named() -> None:
    async def story(proxy: Proxy, port: int, notes: list[str]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello")
        writer.write_eof()
        assert await reader.read() == b"HELLO"
        await _close(writer)
        assert len(notes) == 1 and notes[0].startswith("default/web: 127.0.0.1:1 does not answer")

    play(story, "127.0.0.1:1", "ALIVE")


def test_without_endpoints_the_connection_is_closed() -> None:
    async def story(proxy: Proxy, port: int, notes: list[str]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        await _close(writer)
        assert notes == ["default/web: no ready endpoint"]

    play(story)


def test_a_silent_connection_is_closed_where_that_is_asked_for() -> None:
    async def story(proxy: Proxy, port: int, notes: list[str]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        await _close(writer)

    play(story, "ALIVE", silent=0.05)


def test_stopping_closes_connections_that_are_open() -> None:
    async def story(proxy: Proxy, port: int, notes: list[str]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello")
        await asyncio.sleep(0.05)
        await proxy.stop()
        assert await reader.read() == b""
        await _close(writer)

    play(story, "ALIVE")


def test_datagrams_are_answered_and_silent_clients_forgotten() -> None:
    async def story(proxy: Proxy, port: int, notes: list[str]) -> None:
        loop = asyncio.get_running_loop()
        transport, client = await loop.create_datagram_endpoint(_Client, remote_addr=("127.0.0.1", port))
        for _ in range(3):
            transport.sendto(b"hello")
            assert await client.got.get() == b"HELLO"
        (udp,) = proxy._udp
        assert len(udp.clients) == 1
        while udp.clients:
            await asyncio.sleep(0.02)
        transport.close()

    play(story, "ALIVE", protocol="UDP", silent=0.5)


def test_a_datagram_after_a_refusal_goes_to_the_next_endpoint() -> None:
    async def story(proxy: Proxy, port: int, notes: list[str]) -> None:
        loop = asyncio.get_running_loop()
        transport, client = await loop.create_datagram_endpoint(_Client, remote_addr=("127.0.0.1", port))
        transport.sendto(b"lost")
        while not notes:
            await asyncio.sleep(0.01)
        transport.sendto(b"hello")
        assert await client.got.get() == b"HELLO"
        transport.close()

    play(story, "127.0.0.1:1", "ALIVE", protocol="UDP")


def test_endpoints_are_split_into_address_and_port() -> None:
    assert split("10.1.0.1:80") == ("10.1.0.1", 80)
    assert split("[fd00::1]:80") == ("fd00::1", 80)
