"""From a plan to the table."""

from __future__ import annotations

from itertools import chain

from rulegen.nftables.base import base
from rulegen.nftables.fragment import Fragment, fragment
from rulegen.nftables.names import endpoint_text, hashed, port_text
from rulegen.nftables.ruleset import PortKey, Ruleset
from rulegen.plan import Plan, PlannedPort

_NAME_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/:"
_ADDRESS_LETTERS = b"0123456789abcdef.:"


def compile_rules(plan: Plan) -> Ruleset:
    """The table that kube-proxy programs in nftables mode; the same plan always gives the same bytes.

    Raises ValueError where a name or an address could be more than that to nft.
    """
    ports = plan.ports
    refuse_unsafe(ports)
    common = base(plan)
    known = iter(hashed(chain.from_iterable(map(_hashed_texts, ports))))
    fragments: dict[PortKey, Fragment] = {}
    for planned in ports:
        own = next(known)
        endpoints = [next(known) for _ in planned.choice.reachable] if planned.port.affinity_seconds else ()
        fragments[planned.port.key] = fragment(planned, own, endpoints, common.words, plan.machine)
    return Ruleset(plan.machine.family, common, fragments)


def _hashed_texts(planned: PlannedPort) -> list[str]:
    """The names that a service port needs; endpoints have chains only with session affinity."""
    own = port_text(planned.port)
    if not planned.port.affinity_seconds:
        return [own]
    return [own, *[endpoint_text(own, candidate) for candidate in planned.choice.reachable]]


def refuse_unsafe(ports: list[PlannedPort]) -> None:
    """Refuse names and addresses with letters that they never have: they could end their line.

    All are looked at together; only where one is wrong each is looked at by itself.
    """
    names = [planned.port.name + planned.port.protocol for planned in ports]
    addresses = [planned.port.cluster_ip for planned in ports]
    for planned in ports:
        addresses += [candidate.ip for candidate in planned.choice.reachable]
    for what, texts, letters in (("name", names, _NAME_LETTERS), ("address", addresses, _ADDRESS_LETTERS)):
        if "".join(texts).encode().translate(None, letters):
            wrong = next(text for text in texts if text.encode().translate(None, letters))
            raise ValueError(f"{what} {wrong!r}: nft could take it for more than that")
