"""Answering over the network: UDP and TCP (RFC 1035, section 4.2), the protocol by dnspython."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import TypeAlias, cast

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from rulegen.dns.records import Record, Reply
from rulegen.dns.server import DnsServer

IDLE_SECONDS = 10.0
"""How long a TCP connection may stay silent (RFC 7766 asks for some seconds; CoreDNS has 10)."""
MAX_CONNECTIONS = 256
PLAIN_UDP_SIZE = 512
MAX_SIZE = 65535

Say: TypeAlias = Callable[[str], None]


def listen_address(text: str) -> tuple[str, int]:
    """Address and port of ``127.0.0.1:5353`` or ``[::1]:5353``. Raises ValueError for anything else."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    try:
        return str(ip_address(host)), _port(port)
    except ValueError:
        raise ValueError(f"{text!r}: an address and a port are meant, as in 127.0.0.1:5353") from None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 <= int(text) <= 65535):
        raise ValueError(text)
    return int(text)


def answer(server: DnsServer, wire: bytes, *, udp: bool) -> bytes | None:
    """The reply to a message, or None for what deserves none (a reply, less than a header).

    Over UDP a reply that does not fit what the client takes is truncated, so that it asks again over TCP.
    """
    try:
        query = dns.message.from_wire(wire)
    except dns.exception.DNSException:
        return _malformed(wire)
    if query.flags & dns.flags.QR:
        return None
    reply = dns.message.make_response(query)
    size = max(query.payload, PLAIN_UDP_SIZE) if udp else MAX_SIZE
    if query.opcode() != dns.opcode.QUERY:
        reply.set_rcode(dns.rcode.NOTIMP)
    elif len(query.question) != 1:
        reply.set_rcode(dns.rcode.FORMERR)
    elif query.question[0].rdclass != dns.rdataclass.IN:
        reply.set_rcode(dns.rcode.REFUSED)
    else:
        question = query.question[0]
        found = server.ask(question.name.to_text(), dns.rdatatype.to_text(question.rdtype))
        reply.set_rcode(dns.rcode.from_text(found.rcode))
        if found.rcode != "REFUSED":
            reply.flags |= dns.flags.AA
        return _fitting(reply, found, size)
    return reply.to_wire(max_size=size)


def _fitting(message: dns.message.Message, found: Reply, size: int) -> bytes:
    """The whole reply, or where it is too long, marked so, as many of the answers as fit."""
    wire = _written(message, found.answers, (*found.authority, *found.additional), size)
    if wire is not None:
        return wire
    message.flags |= dns.flags.TC
    fits, too_many = 0, len(found.answers)
    best = message.to_wire(max_size=size)
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        wire = _written(message, found.answers[:middle], (), size)
        if wire is None:
            too_many = middle
        else:
            fits, best = middle, wire
    return best


def _written(
    message: dns.message.Message, answers: Sequence[Record], rest: Sequence[Record], size: int
) -> bytes | None:
    message.answer, message.authority, message.additional = [], [], []
    _fill(message.answer, answers)
    _fill(message.authority, [record for record in rest if record.type == "SOA"])
    _fill(message.additional, [record for record in rest if record.type != "SOA"])
    try:
        return message.to_wire(max_size=size)
    except dns.exception.TooBig:
        return None
    finally:
        message.answer, message.authority, message.additional = [], [], []


def _malformed(wire: bytes) -> bytes | None:
    if len(wire) < 12 or wire[2] & 0x80:
        return None
    return wire[:2] + bytes([0x80 | wire[2] & 0x79, dns.rcode.FORMERR]) + bytes(8)


def _fill(section: list[dns.rrset.RRset], records: Iterable[Record]) -> None:
    sets: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        sets.setdefault((record.owner, record.type), []).append(record)
    for (owner, kind), group in sets.items():
        section.append(dns.rrset.from_text(owner, group[0].ttl, "IN", kind, *[each.data for each in group]))


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self.server = server
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No subclass of DatagramTransport in Python 3.11, though it has its methods.
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = answer(self.server, data, udp=True)
        if reply is not None and self.transport is not None:
            self.transport.sendto(reply, addr)


class _Tcp:
    """Connections over TCP: messages with two bytes of length in front of each."""

    def __init__(self, server: DnsServer) -> None:
        self.server = server
        self.open: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self.open) >= MAX_CONNECTIONS:
            writer.close()
            return
        self.open.add(task)
        try:
            await self._talk(reader, writer)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.open.discard(task)
            writer.close()
            with suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(IDLE_SECONDS):
                length = int.from_bytes(await reader.readexactly(2))
                wire = await reader.readexactly(length)
            reply = answer(self.server, wire, udp=False)
            if reply is None:
                return
            writer.write(len(reply).to_bytes(2) + reply)
            async with asyncio.timeout(IDLE_SECONDS):
                await writer.drain()

    async def close(self) -> None:
        for task in tuple(self.open):
            task.cancel()
        await asyncio.gather(*self.open, return_exceptions=True)


async def serve(server: DnsServer, host: str, port: int, say: Say, stop: asyncio.Event | None = None) -> None:
    """Answer on an address over UDP and TCP until SIGINT, SIGTERM or ``stop``.

    Port 0 takes one that is free; ``say`` is told the address once both are open. Raises OSError where the
    address cannot be used.
    """
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    handled = [signal.SIGINT, signal.SIGTERM]
    for each in handled:
        loop.add_signal_handler(each, stop.set)
    connections = _Tcp(server)
    tcp = await asyncio.start_server(connections.serve, host, port)
    try:
        port = tcp.sockets[0].getsockname()[1]
        udp, _ = await loop.create_datagram_endpoint(lambda: _Udp(server), local_addr=(host, port))
        try:
            say(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
            await stop.wait()
        finally:
            udp.close()
    finally:
        tcp.close()
        await connections.close()
        await tcp.wait_closed()
        for each in handled:
            loop.remove_signal_handler(each)
