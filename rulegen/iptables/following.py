"""The iptables mode, fragment by fragment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rulegen.iptables.base import base
from rulegen.iptables.compile import LARGE_CLUSTER_ENDPOINTS, compile_fragments
from rulegen.iptables.dump import Transaction
from rulegen.iptables.fragment import Fragment, style
from rulegen.iptables.incremental import transition
from rulegen.iptables.ruleset import PortKey, Ruleset
from rulegen.plan import Plan, PlannedPort


class Following:
    """The doors of :class:`rulegen.backend.Following`."""

    def __init__(self, plan: Plan) -> None:
        self._machine = plan.machine
        self._large = False

    def resized(self, endpoints: int) -> bool:
        """Comments come or go in the rules of every Service."""
        large = endpoints > LARGE_CLUSTER_ENDPOINTS
        crossed, self._large = large != self._large, large
        return crossed

    def compile(self, ports: Sequence[PlannedPort]) -> dict[PortKey, Fragment]:
        return compile_fragments(ports, style(self._machine, comments=not self._large))

    def start(self, fragments: Mapping[PortKey, Fragment]) -> None:
        """Fragments of this mode share nothing."""

    def transition(self, steps: Sequence[tuple[PortKey, Fragment | None, Fragment | None]]) -> Transaction:
        return transition([(before, after) for _, before, after in steps])

    def ruleset(self, fragments: Mapping[PortKey, Fragment]) -> Ruleset:
        return Ruleset(self._machine.family, base(self._machine), fragments, self._large)
