"""From a plan to iptables rules."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice

from rulegen.iptables.base import base
from rulegen.iptables.fragment import Fragment, Style, fragment, style
from rulegen.iptables.names import hashed
from rulegen.iptables.ruleset import PortKey, Ruleset
from rulegen.plan import Plan, PlannedPort

LARGE_CLUSTER_ENDPOINTS = 1000
"""Above this many endpoints kube-proxy leaves comments out of the rules of service chains."""


def compile_rules(plan: Plan) -> Ruleset:
    """The rules that kube-proxy programs in iptables mode; the same plan always gives the same bytes."""
    large = plan.endpoint_count > LARGE_CLUSTER_ENDPOINTS
    fragments = compile_fragments(plan.ports, style(plan.machine, comments=not large))
    return Ruleset(plan.machine.family, base(plan.machine), fragments, large)


def compile_fragments(ports: Sequence[PlannedPort], look: Style) -> dict[PortKey, Fragment]:
    """The fragments of service ports, the names of many hashed together."""
    names = hashed(chain.from_iterable(map(_hashed_texts, ports)))
    fragments: dict[PortKey, Fragment] = {}
    for planned in ports:
        own = next(names)
        endpoints = list(islice(names, len(planned.choice.reachable)))
        fragments[planned.port.key] = fragment(planned, own, endpoints, look)
    return fragments


def _hashed_texts(planned: PlannedPort) -> list[str]:
    port = planned.port
    prefix = port.name + port.protocol.lower()
    return [prefix, *[prefix + c.address for c in planned.choice.reachable]]
