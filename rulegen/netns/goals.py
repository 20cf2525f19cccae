"""What each part of a namespace is to become, and the steps that make it so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from rulegen.backend import Comparing
from rulegen.findings import ServiceChange
from rulegen.iptables.base import INVALID_COUNTER, LOCALHOST_COUNTER
from rulegen.iptables.diff import removal
from rulegen.netns.parts import Counters, Part, Step, Sysctl
from rulegen.netns.rules import Rules
from rulegen.netns.tables import Table

ROUTE_LOCALNET = "net/ipv4/conf/all/route_localnet"
COUNTERS = (INVALID_COUNTER, LOCALHOST_COUNTER)


class Goal(Protocol):
    """One or several parts, and what they are to become. Their states are given by their names."""

    @property
    def parts(self) -> Sequence[Part]: ...

    def steps(self, now: Mapping[str, str]) -> list[Step]:
        """What leads there from these states; empty where it is reached."""

    def services(self, now: Mapping[str, str]) -> list[ServiceChange]:
        """What the way there means for Services."""


class Single:
    """Goals of one part, that concern no Service in particular."""

    part: Part

    @property
    def parts(self) -> Sequence[Part]:
        return (self.part,)

    def steps(self, now: Mapping[str, str]) -> list[Step]:
        return self.way(now[self.part.name])

    def way(self, now: str) -> list[Step]:
        raise NotImplementedError

    def services(self, now: Mapping[str, str]) -> list[ServiceChange]:
        return []


class Programmed(Single):
    """kube-proxy's compiled rules of one family: those of iptables, or an nft table."""

    def __init__(self, part: Rules | Table, room: Comparing, ruleset: Any) -> None:
        self.part: Rules | Table = part
        self._room = room
        self._desired = room.state(ruleset)

    def _current(self, now: str) -> Any:
        return self._room.read({self.part.listing: now}, self.part.family)[self.part.listing]

    def way(self, now: str) -> list[Step]:
        return self.part.steps(self._room.diff(self._current(now), self._desired).text)

    def services(self, now: Mapping[str, str]) -> list[ServiceChange]:
        return self._room.summary(self._current(now[self.part.name]), self._desired)


class RulesGone(Single):
    """No rules and chains of kube-proxy's, in any mode."""

    def __init__(self, part: Rules) -> None:
        self.part: Rules = part

    def way(self, now: str) -> list[Step]:
        # Most tables that are cleaned hold nothing of kube-proxy's.
        return self.part.steps(removal(self.part.dump(now)).text) if "KUBE-" in now else []


class TableGone(Single):
    """No table of kube-proxy's."""

    def __init__(self, part: Table) -> None:
        self.part: Table = part

    def way(self, now: str) -> list[Step]:
        return self.part.steps(f"delete table {self.part.scope}\n") if now else []


class SysctlSet(Single):
    """A setting that kube-proxy makes, for good."""

    def __init__(self, path: str, value: int) -> None:
        self.part = Sysctl(path)
        self._value = str(value)

    def way(self, now: str) -> list[Step]:
        return self.part.way(now, self._value)


class CountersThere(Single):
    """The counters that rules name."""

    part = Counters()

    def way(self, now: str) -> list[Step]:
        return [self.part.add(name) for name in sorted(set(COUNTERS) - set(now.split()))]


class CountersGone(Single):
    """No counters of kube-proxy's."""

    part = Counters()

    def way(self, now: str) -> list[Step]:
        return [self.part.delete(name) for name in sorted(set(COUNTERS) & set(now.split()))]


def services_of(goals: Iterable[Goal], before: Mapping[str, str]) -> list[ServiceChange]:
    """What changes for each Service, by service port and family."""
    return [change for goal in goals for change in goal.services(before)]
