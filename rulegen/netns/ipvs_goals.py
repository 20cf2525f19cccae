"""What a namespace is to become in ipvs mode, where one change goes through several tools."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from rulegen.backend import Comparing
from rulegen.findings import ServiceChange
from rulegen.ipvs import servers
from rulegen.ipvs.base import Settings, Sysctl
from rulegen.ipvs.ipsets import IpSet
from rulegen.ipvs.ruleset import Ruleset
from rulegen.ipvs.servers import Server
from rulegen.ipvs.sets import CLUSTER_IP, EXTERNAL_IP, EXTERNAL_IP_LOCAL, LOAD_BALANCER, NODE_PORT
from rulegen.ipvs.state import BASE_NAMES, State, read
from rulegen.ipvs.transaction import Transaction
from rulegen.model import FAMILIES
from rulegen.netns.goals import Goal, Single, SysctlSet
from rulegen.netns.ipvs import Device, Servers, Sets, Timeouts, own_sets
from rulegen.netns.parts import Part, Step
from rulegen.netns.rules import Rules
from rulegen.netns.space import Space

_NAMING = (CLUSTER_IP, EXTERNAL_IP, EXTERNAL_IP_LOCAL, LOAD_BALANCER, NODE_PORT["SCTP"])
"""Sets whose entries are the addresses of virtual servers."""


class IpvsProgrammed:
    """kube-proxy's virtual servers, sets, addresses and rules of one family.

    In this order, so that packets never meet half of a Service: entries of sets, virtual servers with real
    ones, the address, and the rules; what goes goes the other way round.
    """

    def __init__(self, rules: Rules, room: Comparing, ruleset: Ruleset) -> None:
        self.sets, self.servers, self.device, self.rules = Sets(), Servers(), Device(), rules
        self.parts: tuple[Part, ...] = (self.sets, self.servers, self.device, rules)
        self._room = room
        self._desired: State = room.state(ruleset)

    def _current(self, now: Mapping[str, str]) -> State:
        listings = {
            self.sets.listing: now[self.sets.name],
            self.servers.listing: now[self.servers.name],
            self.device.listing: now[self.device.name] or "[]",
            self.rules.listing: now[self.rules.name],
        }
        state: State = next(iter(read(listings, self.rules.family).values()))
        return state

    def steps(self, now: Mapping[str, str]) -> list[Step]:
        present = own_sets(now[self.sets.name])
        for each in present:
            wanted = (self._desired.sets or {}).get(each.name)
            if wanted is not None and _kind(each) != _kind(wanted):
                # The kernel swaps only sets of a kind, and lets none go that a rule looks into.
                raise ValueError(
                    f"the set {each.name} is there as {_kind(each)}, kube-proxy's is {_kind(wanted)}:"
                    " `rulegen cleanup` removes it, with the rules that look into it"
                )
        change: Transaction = self._room.diff(self._current(now), self._desired)  # type: ignore[assignment]
        return [
            *([self.device.add()] if change.device else []),
            *(self.sets.steps(change.sets, present) if change.sets else []),
            *self.servers.steps(change.servers),
            *self.device.steps(self.rules.family, change.addresses),
            *self.rules.steps(change.rules.text),
        ]

    def services(self, now: Mapping[str, str]) -> list[ServiceChange]:
        return self._room.summary(self._current(now), self._desired)


def _kind(each: IpSet) -> str:
    words = each.header.split()
    return f"{each.type} {words[words.index('family') + 1]}" if "family" in words else each.type


class TimeoutsSet(Single):
    """The timeouts that are configured; 0 keeps the kernel's."""

    def __init__(self, seconds: Collection[int]) -> None:
        self.part: Timeouts = Timeouts()
        self._seconds = seconds

    def way(self, now: str) -> list[Step]:
        there = self.part.seconds(now)
        wanted = [asked or old for asked, old in zip(self._seconds, there, strict=True)]
        return [] if tuple(wanted) == there else [self.part.write(self._seconds)]


class IpvsGone:
    """No sets of kube-proxy's, no dummy device, and none of its virtual servers.

    A virtual server is kube-proxy's where the device holds its address or a set of kube-proxy's names it, or
    its port as a node port. ``kube-proxy --cleanup`` removes everybody's.
    """

    def __init__(self, parts: Collection[Part]) -> None:
        self.parts = tuple(parts)

    def steps(self, now: Mapping[str, str]) -> list[Step]:
        sets, device, virtual = Sets(), Device(), Servers()
        found = [each.name for each in own_sets(now.get(sets.name, ""))]
        lines = [f"-D {server.name}" for server in self._owned(now)]
        return [
            *([device.delete()] if now.get(device.name) else []),
            *virtual.steps(lines),
            *sets.destroy(found),
        ]

    def _owned(self, now: Mapping[str, str]) -> Iterator[Server]:
        held: dict[str, set[str]] = {}
        for each in own_sets(now.get(Sets.name, "")):
            for names in BASE_NAMES.values():
                if each.name in names:
                    held.setdefault(names[each.name], set()).update(each.entries)
        named = set().union(*(held.get(name, ()) for name in _NAMING))
        bound = {
            ip
            for family in FAMILIES
            for ip in read({Device.listing: now.get(Device.name) or "[]"}, family)[Device.listing].addresses
            or ()
        }
        for server in servers.read(now.get(Servers.name, "")):
            if server.family is None:
                continue
            ip, _, port = server.address.rpartition(":")
            ip = ip.strip("[]")
            entry = f"{ip},{server.protocol.lower()}:{port}"
            of_node = port in held.get(NODE_PORT[server.protocol], ())
            if ip in bound or entry in named or of_node:
                yield server

    def services(self, now: Mapping[str, str]) -> list[ServiceChange]:
        return []


def settings_of(settings: Settings, space: Space) -> list[Goal]:
    """The settings of the kernel that go with the mode; some are for certain kernels only."""
    release = re.match(r"(\d+)\.(\d+)", space.run("uname", "-r"))
    kernel = (int(release[1]), int(release[2])) if release else (99, 0)
    goals: list[Goal] = [
        SysctlSet(each.path, each.value) for each in settings.sysctls if _applies(each, kernel)
    ]
    if settings.timeouts is not None:
        goals.append(TimeoutsSet(settings.timeouts))
    return goals


def _applies(sysctl: Sysctl, kernel: tuple[int, int]) -> bool:
    since, before = sysctl.since, sysctl.before
    return (since is None or kernel >= since) and (before is None or kernel < before)
