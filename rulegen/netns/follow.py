"""A namespace that follows a changing cluster: whole at first, then change by change."""

from __future__ import annotations

from rulegen.backend import Transaction
from rulegen.iptables.dump import Variant
from rulegen.model import Family
from rulegen.netns.apply import Report, Target
from rulegen.netns.facts import variant_of
from rulegen.netns.parts import Step
from rulegen.netns.programs import Plans, apply
from rulegen.netns.rules import Rules
from rulegen.netns.space import CommandError, Space, open_space
from rulegen.netns.tables import Table


class Followed:
    """Programs changes into a namespace that has what they begin from.

    A change is one transaction of the mode's own tool, not read back: where the kernel refuses it, somebody
    else has changed something, and all is looked at and programmed again.
    """

    def __init__(self, target: Target, mode: str, plans: Plans) -> None:
        self._target, self._mode, self._plans = target, mode, plans
        self._space: Space | None = None
        self._variant: Variant = "nft"

    def start(self) -> Report:
        """Make the namespace what it is to be. Errors are those of :func:`rulegen.netns.programs.apply`."""
        report = apply(self._target, self._mode, self._plans)
        assert self._target.netns is not None
        self._space = open_space(self._target.netns, timeout=self._target.seconds)
        if self._mode != "nftables":
            self._variant = variant_of(self._space, {})
        return report

    def take(self, family: Family, change: Transaction) -> Report | None:
        """Program a change. Where that is refused, the report of programming all anew; else None."""
        assert self._space is not None
        try:
            for step in self._steps(family, change):
                self._space.run(*step.command, stdin=step.stdin)
        except CommandError:
            # The namespace itself may be another one by now.
            return self.start()
        return None

    def _steps(self, family: Family, change: Transaction) -> list[Step]:
        match self._mode:
            case "nftables":
                return Table(family).steps(change.text)
            case "ipvs":
                tools = (f"IPTABLES=iptables-{self._variant}", f"IP6TABLES=ip6tables-{self._variant}")
                return [Step(("env", *tools, "sh"), change.text)]
        return Rules(family, self._variant).steps(change.text)
