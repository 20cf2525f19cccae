"""The parts that the ipvs mode adds: sets, virtual servers, the dummy device with its addresses, timeouts.

They are read and changed with ipset, ipvsadm and ip: ARCHITECTURE.md says why not with pyroute2.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from rulegen.ipvs import ipsets
from rulegen.ipvs.base import DUMMY
from rulegen.ipvs.diff import diff
from rulegen.ipvs.ipsets import IpSet
from rulegen.ipvs.state import BASE_NAMES, State, read
from rulegen.ipvs.transaction import SPARE_SET
from rulegen.model import FAMILIES, Family
from rulegen.netns.parts import BOUND, NEEDED, SERVED, SPARE, UNBOUND, UNSERVED, Step
from rulegen.netns.space import CommandError, Space

SET_NAMES = frozenset({SPARE_SET}.union(*BASE_NAMES.values()))
"""The sets that are kube-proxy's, and the one that helps to fill them."""

_VERSIONS: dict[Family, str] = {"IPv4": "-4", "IPv6": "-6"}
_LOADED = "/proc/net/ip_vs_stats"


def check_ipvs(space: Space, addresses: str) -> None:
    """Whether there can be virtual servers with real ones; the kernel loads what it needs.

    ``addresses`` is what ``ip -j addr`` prints. Raises ValueError where there cannot be any.
    """
    try:
        space.run("ipvsadm", "-Sn")
    except CommandError as error:
        if "initialize ipvs" in error.reason:
            said = error.reason.partition("\n")[0]
            raise ValueError(f"ipvs mode needs IPVS (the kernel's module ip_vs), and root: {said}") from error
        raise
    if not any(link.get("ifname") == "lo" and "UP" in link["flags"] for link in json.loads(addresses)):
        # Without a table of local routes the kernel takes every address for one of many receivers.
        raise ValueError(
            "the loopback device is down there, and IPVS refuses all real servers then:"
            f" ip -n {space.name} link set lo up"
        )


class Servers:
    """All virtual servers, of both families; the state is what ``ipvsadm -Sn`` prints."""

    name = "ipvsadm"
    listing = "ipvsadm -Sn"

    def read(self, space: Space) -> str:
        try:
            space.run("cat", _LOADED)
        except CommandError as error:
            if "No such file" in error.reason:
                return ""  # asking ipvsadm would load the module
            raise
        return space.run("ipvsadm", "-Sn")

    def way(self, now: str, before: str) -> list[Step]:
        found = []
        for family in FAMILIES:
            old, new = (_state(self.listing, text, family) for text in (now, before))
            found += self.steps(diff(old, new).servers)
        return found

    def steps(self, lines: Iterable[str]) -> list[Step]:
        """What is new comes before anything is bound or leads there, what goes goes when nothing does."""
        going = {"-d", "-D"}
        lines = list(lines)
        return [
            *_fed(("ipvsadm", "-R"), [line for line in lines if line[:2] not in going], SERVED),
            *_fed(("ipvsadm", "-R"), [line for line in lines if line[:2] in going], UNSERVED),
        ]


class Sets:
    """All sets; the state is what ``ipset save`` prints. Only kube-proxy's are ever changed."""

    name = "ipset"
    listing = "ipset save"

    def read(self, space: Space) -> str:
        return space.run("ipset", "save")

    def way(self, now: str, before: str) -> list[Step]:
        old, new = ({each.name: each for each in own_sets(text)} for text in (now, before))
        found = []
        for family in FAMILIES:
            states = [_state(self.listing, text, family) for text in (now, before)]
            found += self.steps(diff(*states).sets, old.values())
        gone = [name for name in old if name not in new and name != SPARE_SET]
        return [*found, *self.destroy(gone)]

    def steps(self, lines: Iterable[str], present: Iterable[IpSet]) -> list[Step]:
        """New entries come before what needs them, and old ones go after it.

        A helping set that somebody has left goes first.
        """
        lines = list(lines)
        left = any(each.name == SPARE_SET for each in present)
        first = [f"destroy {SPARE_SET}"] if left else []
        coming = [*first, *[line for line in lines if not line.startswith("del ")]]
        return [
            *_fed(("ipset", "restore"), coming, NEEDED),
            *_fed(("ipset", "restore"), [line for line in lines if line.startswith("del ")], SPARE),
        ]

    def destroy(self, names: Iterable[str]) -> list[Step]:
        return _fed(("ipset", "restore"), [f"destroy {name}" for name in names], SPARE)


def own_sets(text: str) -> list[IpSet]:
    """kube-proxy's sets of a listing."""
    return [each for each in ipsets.read(text) if each.name in SET_NAMES]


class Device:
    """The dummy device; the state is what ``ip -j addr`` prints of it, empty where it is not there."""

    name = DUMMY
    listing = "ip -j addr"

    def read(self, space: Space) -> str:
        try:
            return space.run("ip", "-j", "addr", "show", "dev", DUMMY)
        except CommandError as error:
            if "does not exist" in error.reason:
                return ""
            raise

    def way(self, now: str, before: str) -> list[Step]:
        if not before:
            return [self.delete()] if now else []
        found = [] if now else [self.add()]
        for family in FAMILIES:
            old, new = (_state(self.listing, text or "[]", family) for text in (now, before))
            change = diff(old, new)
            found += self.steps(family, change.addresses)
        return found

    def add(self) -> Step:
        return Step(("ip", "link", "add", DUMMY, "type", "dummy"), None, NEEDED)

    def delete(self) -> Step:
        return Step(("ip", "link", "delete", DUMMY), None, UNBOUND)

    def steps(self, family: Family, lines: Iterable[str]) -> list[Step]:
        """An address is bound when there is a virtual server behind it, and goes before that does."""
        command = ("ip", _VERSIONS[family], "-batch", "-")
        lines = list(lines)
        return [
            *_fed(command, [line for line in lines if " add " in line], BOUND),
            *_fed(command, [line for line in lines if " add " not in line], UNBOUND),
        ]


class Timeouts:
    """Seconds after which IPVS forgets connections; the state is what ``ipvsadm -l --timeout`` prints."""

    name = "ipvs timeouts"

    def read(self, space: Space) -> str:
        return space.run("ipvsadm", "-l", "--timeout").strip()

    def way(self, now: str, before: str) -> list[Step]:
        return [] if now == before else [self.write(self.seconds(before))]

    def seconds(self, state: str) -> tuple[int, ...]:
        """TCP, TCP after FIN, UDP."""
        return tuple(map(int, state.rpartition(":")[2].split()))

    def write(self, seconds: Iterable[int]) -> Step:
        return Step(("ipvsadm", "--set", *map(str, seconds)), None, NEEDED)


def _state(listing: str, text: str, family: Family) -> State:
    return read({listing: text}, family)[listing]


def _fed(command: tuple[str, ...], lines: list[str], when: int) -> list[Step]:
    return [Step(command, "".join([f"{line}\n" for line in lines]), when)] if lines else []
