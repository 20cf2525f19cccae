"""From a plan to the table."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from rulegen.nftables.base import Base, base
from rulegen.nftables.fragment import Fragment, fragment
from rulegen.nftables.names import endpoint_text, hashed, port_text
from rulegen.nftables.ruleset import PortKey, Ruleset
from rulegen.plan import Machine, Plan, PlannedPort


def compile_rules(plan: Plan) -> Ruleset:
    """The table that kube-proxy programs in nftables mode; the same plan always gives the same bytes."""
    common = base(plan)
    return Ruleset(plan.machine.family, common, compile_fragments(plan.ports, common, plan.machine))


def compile_fragments(
    ports: Sequence[PlannedPort], common: Base, machine: Machine
) -> dict[PortKey, Fragment]:
    """The fragments of service ports, all their names hashed together."""
    known = iter(hashed(chain.from_iterable(map(_hashed_texts, ports))))
    fragments: dict[PortKey, Fragment] = {}
    for planned in ports:
        own = next(known)
        endpoints = [next(known) for _ in planned.choice.reachable] if planned.port.affinity_seconds else ()
        fragments[planned.port.key] = fragment(planned, own, endpoints, common.words, machine)
    return fragments


def _hashed_texts(planned: PlannedPort) -> list[str]:
    """The names that a service port needs; endpoints have chains only with session affinity."""
    own = port_text(planned.port)
    if not planned.port.affinity_seconds:
        return [own]
    return [own, *[endpoint_text(own, candidate) for candidate in planned.choice.reachable]]
