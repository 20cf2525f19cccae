"""From a plan to iptables rules."""

from __future__ import annotations

from collections.abc import Sequence

from rulegen.iptables.base import base
from rulegen.iptables.fragment import Fragment, Style, fragment, style
from rulegen.iptables.names import hashes
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
    fragments: dict[PortKey, Fragment] = {}
    for first in range(0, len(ports), _BATCH):
        batch = ports[first : first + _BATCH]
        names = hashes(_hashed_texts(batch))
        at = 0
        for planned in batch:
            start, at = at + 1, at + 1 + len(planned.choice.reachable)
            fragments[planned.port.key] = fragment(planned, names[start - 1], names[start:at], look)
    return fragments


_BATCH = 128
"""Service ports compiled together: of more, what one step makes leaves the cache before the next."""


def _hashed_texts(ports: Sequence[PlannedPort]) -> list[str]:
    """What the names of chains are the hashes of: of each port its own, then its endpoints'."""
    texts: list[str] = []
    for planned in ports:
        port = planned.port
        prefix = port.name + port.protocol.lower()
        texts.append(prefix)
        texts += [prefix + candidate.address for candidate in planned.choice.reachable]
    return texts
