"""What a node's listings of ipvsadm and ipset tell of an address, a port or an entry of a set.

They name no Services; which virtual server sends to whom, and what kind of address it has, they do tell.
"""

from __future__ import annotations

from collections.abc import Iterator

from rulegen.dump import Listings
from rulegen.ipvs.owners import entries, key_of, kinds, where
from rulegen.ipvs.servers import Server
from rulegen.ipvs.sets import COMMENTS, HEALTH_CHECK, LOOP_BACK
from rulegen.ipvs.state import BASE_NAMES, SERVER_LISTINGS, SET_LISTINGS, State, read
from rulegen.model import FAMILIES
from rulegen.plan.addresses import join_host_port
from rulegen.whose.answer import Answer, Question

_NO_NAMES = "an IPVS dump names no Services: give manifests with -f as well"


def in_listings(listings: Listings, asked: Question) -> Iterator[Answer]:
    """All that fits. Raises ValueError where a listing cannot be read."""
    told = {name: text for name, text in listings.items() if name in (*SERVER_LISTINGS, *SET_LISTINGS)}
    for family in FAMILIES:
        # Two listings of one thing say the same of it: the first one will do.
        for state in list(read(told, family).values())[:1]:
            yield from _of_entry(state, asked) if asked.container else _of_address(state, asked)


def _of_entry(state: State, asked: Question) -> Iterator[Answer]:
    base = BASE_NAMES[state.family].get(asked.container, "")
    found = (state.sets or {}).get(asked.container)
    if found is None or not any(entry.partition(" ")[0] == asked.text for entry in found.entries):
        return
    key = key_of(base, asked.text)
    endpoint = join_host_port(key.ip, key.port) if base == LOOP_BACK else ""
    yield _answer(state, key.protocol, f"entry of {asked.container} ({COMMENTS[base]})", endpoint)


def _of_address(state: State, asked: Question) -> Iterator[Answer]:
    kind_of = kinds(state)
    for server in (state.servers or {}).values():
        if asked.protocol and asked.protocol != server.protocol:
            continue
        kind = kind_of.get(server.key, "virtual server")
        if _fits(server.address, asked):
            yield _answer(
                state, server.protocol, kind if asked.ip else f"{kind} {where(server)}", _ends(server)
            )
        if asked.ip:
            for real in server.reals:
                if _fits(real.address, asked):
                    role = f"endpoint of {kind} {where(server)}"
                    yield _answer(state, server.protocol, role, real.address)
    if not asked.ip and str(asked.port) in entries(state, HEALTH_CHECK):
        yield _answer(state, "TCP", "health check node port", "")


def _ends(server: Server) -> str:
    return ", ".join([real.address for real in server.reals])


def _fits(address: str, asked: Question) -> bool:
    ip, _, port = address.rpartition(":")
    return asked.ip in ("", ip.strip("[]")) and asked.port in (0, int(port)) and bool(asked.ip or asked.port)


def _answer(state: State, protocol: str, role: str, endpoint: str) -> Answer:
    return Answer(
        service="", protocol=protocol, family=state.family, role=role, endpoint=endpoint, note=_NO_NAMES
    )
