"""Messages as they are on the wire."""

from __future__ import annotations

import asyncio

import dns.flags
import dns.message
import dns.rcode
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rulegen.dns import DnsServer
from rulegen.dns.serve import answer, listen_address, serve
from rulegen.model import Cluster
from tests.dns.clusters import DB, server
from tests.objects import slice_of

SERVER = server()
CROWD = server(
    Cluster(services=(DB,), slices=(slice_of(DB, [f"10.1.{n // 250}.{n % 250}" for n in range(500)]),))
)


def reply(query: dns.message.Message, known: DnsServer = SERVER, *, udp: bool = True) -> dns.message.Message:
    wire = answer(known, query.to_wire(), udp=udp)
    assert wire is not None
    return dns.message.from_wire(wire)


def test_a_question_is_answered_with_authority() -> None:
    query = dns.message.make_query("web.default.svc.cluster.local", "A")
    got = reply(query)
    assert got.id == query.id and got.flags & dns.flags.AA
    assert got.answer[0].to_text() == "web.default.svc.cluster.local. 30 IN A 10.96.0.10"


def test_no_such_name_and_no_such_type_differ_and_name_the_zone() -> None:
    nowhere = reply(dns.message.make_query("xyz.default.svc.cluster.local", "A"))
    typeless = reply(dns.message.make_query("web.default.svc.cluster.local", "AAAA"))
    assert (nowhere.rcode(), typeless.rcode()) == (dns.rcode.NXDOMAIN, dns.rcode.NOERROR)
    assert nowhere.authority and typeless.authority and not typeless.answer


def test_an_answer_too_long_for_udp_is_truncated_and_whole_over_tcp() -> None:
    query = dns.message.make_query("db.prod.svc.cluster.local", "A")
    short = answer(CROWD, query.to_wire(), udp=True)
    assert short is not None and len(short) <= 512
    assert dns.message.from_wire(short).flags & dns.flags.TC
    assert len(reply(query, CROWD, udp=False).answer[0]) == 500


def test_a_client_that_takes_more_over_udp_gets_more() -> None:
    query = dns.message.make_query("db.prod.svc.cluster.local", "A", use_edns=0, payload=4096)
    long = answer(CROWD, query.to_wire(), udp=True)
    assert long is not None and 512 < len(long) <= 4096


def test_other_classes_are_refused_and_other_operations_not_implemented() -> None:
    chaos = dns.message.make_query("version.bind", "TXT", "CH")
    assert reply(chaos).rcode() == dns.rcode.REFUSED
    notify = dns.message.make_query("cluster.local", "SOA")
    notify.set_opcode(dns.opcode.NOTIFY)
    assert reply(notify).rcode() == dns.rcode.NOTIMP


def test_a_reply_is_not_replied_to() -> None:
    query = dns.message.make_query("web.default.svc.cluster.local", "A")
    query.flags |= dns.flags.QR
    assert answer(SERVER, query.to_wire(), udp=True) is None


@settings(derandomize=True, deadline=None)
@given(st.binary(max_size=80))
def test_no_message_breaks_the_server(wire: bytes) -> None:
    got = answer(SERVER, wire, udp=True)
    assert got is None or (len(got) >= 12 and got[2] & 0x80)


@settings(derandomize=True, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["A", "SRV", "PTR", "TXT", "ANY"]))
def test_no_name_breaks_the_server(name: str, kind: str) -> None:
    try:
        query = dns.message.make_query(name + ".svc.cluster.local.", kind)
    except (dns.exception.DNSException, ValueError):
        return
    assert reply(query).rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)


@pytest.mark.parametrize("text", ["5353", "localhost:53", "127.0.0.1:x", "127.0.0.1:99999", "::1", ""])
def test_where_to_listen_has_to_be_an_address_and_a_port(text: str) -> None:
    with pytest.raises(ValueError, match=r"as in 127\.0\.0\.1:5353"):
        listen_address(text)


def test_where_to_listen() -> None:
    assert listen_address("127.0.0.1:53") == ("127.0.0.1", 53)
    assert listen_address("[::1]:5353") == ("::1", 5353)


def test_over_tcp_several_questions_share_a_connection_and_stopping_closes_it() -> None:
    async def story() -> None:
        stop = asyncio.Event()
        where: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(serve(SERVER, "127.0.0.1", 0, where.set_result, stop))
        host, port = listen_address(await where)
        reader, writer = await asyncio.open_connection(host, port)
        for name in ("web.default.svc.cluster.local", "db.prod.svc.cluster.local"):
            wire = dns.message.make_query(name, "A").to_wire()
            writer.write(len(wire).to_bytes(2) + wire)
            size = int.from_bytes(await reader.readexactly(2))
            assert dns.message.from_wire(await reader.readexactly(size)).answer
        stop.set()
        await serving
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()

    asyncio.run(story())
