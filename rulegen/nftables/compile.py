"""From a plan to the table."""

from __future__ import annotations

from itertools import chain

from rulegen.nftables.base import base
from rulegen.nftables.fragment import Fragment, fragment
from rulegen.nftables.names import endpoint_text, hashed, port_text
from rulegen.nftables.ruleset import PortKey, Ruleset
from rulegen.plan import Plan, PlannedPort


def compile_rules(plan: Plan) -> Ruleset:
    """The table that kube-proxy programs in nftables mode; the same plan always gives the same bytes."""
    ports = plan.ports
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
