"""A node of the ipvs mode in memory: ipsets, virtual servers, addresses, and the rules that look into sets.

    kernel = Ipvs()
    kernel.run("ipset restore", sets)
    kernel.run("ipvsadm -R", servers)
    kernel.run("iptables-nft-restore --noflush", rules)
    assert kernel.run("ipvsadm -Sn") == expected

One door: a command as one would type it, with what it reads from its standard input; what it prints comes
back. Known are ipset, ipvsadm, ip (dummy devices and addresses), and iptables-save and -restore of both
families, in the variant of the kernel. A set that rules look into cannot go, and there is no rule on a set
that is not there, or is of the other family. What the kernel makes up is fixed here: ``initval`` follows from
the name, sets take no memory, and a ``hashsize`` does not grow.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from rulegen.fake import ipset_tool, ipvsadm
from rulegen.fake.ipset import Ipsets
from rulegen.fake.ipset_tool import LineError
from rulegen.fake.iptables import Iptables, RefusedError
from rulegen.fake.ipvsadm import ToolError
from rulegen.fake.links import BatchError, Links
from rulegen.fake.servers import Servers
from rulegen.iptables.dump import Variant
from rulegen.model import FAMILIES, Family

_IPTABLES: Mapping[str, Family] = {"iptables": "IPv4", "ip6tables": "IPv6"}


class _Families(Mapping[str, Family | None]):
    """Set -> the family of its addresses; None where it has none."""

    def __init__(self, sets: Ipsets) -> None:
        self._sets = sets

    def __getitem__(self, name: str) -> Family | None:
        found = self._sets.find(name)
        if found is None:
            raise KeyError(name)
        return found.family if found.kind.hashes else None

    def __iter__(self) -> Iterator[str]:
        return (each.name for each in self._sets)

    def __len__(self) -> int:
        return len([*self._sets])


class Ipvs:
    """A kernel with nothing in it but a loopback device.

    ``sets``, ``servers``, ``links`` and ``iptables`` are its parts. ``variant`` is that of iptables.
    """

    def __init__(self, variant: Variant = "nft") -> None:
        self.sets = Ipsets(self._references)
        self.servers = Servers()
        self.links = Links()
        self.iptables = Iptables(variant, sets=_Families(self.sets))

    def copy(self) -> Ipvs:
        """Another kernel in the same state; what happens to one does not happen to the other."""
        other = Ipvs(self.iptables.variant)
        other.sets = self.sets.copy(other._references)
        other.servers = self.servers.copy()
        other.links = self.links.copy()
        other.iptables = self.iptables.copy(sets=_Families(other.sets))
        return other

    def _references(self, name: str) -> int:
        return sum(self.iptables.rules_on(name, family) for family in FAMILIES)

    def run(self, command: str, stdin: str = "") -> str:
        """Run one command; what it prints. Raises RefusedError, whose line is one of ``stdin``, or 1.

        As with the real tools, lines before the one that is refused have taken place. After a line that the
        kernel refuses ``ipvsadm -R`` goes on; the first refusal is raised at the end.
        """
        words = shlex.split(command)
        tool, *arguments = words if words else [""]
        try:
            match tool:
                case "ipset":
                    return self._ipset(arguments, stdin)
                case "ipvsadm":
                    return self._ipvsadm(arguments, stdin)
                case "ip":
                    batch = [word for word in arguments if word in ("-batch", "-b")]
                    if batch:
                        options = [word for word in arguments if word in ("-4", "-6")]
                        return self.links.batch(stdin, options)
                    return self.links.run(arguments)
        except (LineError, BatchError) as fault:
            raise RefusedError(fault.line, str(fault)) from None
        except RefusedError:
            raise
        except ValueError as fault:
            raise RefusedError(1, str(fault)) from None
        return self._iptables(tool, arguments, stdin)

    def _ipset(self, words: list[str], stdin: str) -> str:
        bare = [word for word in words if word not in ipset_tool.EXIST]
        if bare[:1] in (["restore"], ["-R"]):
            return ipset_tool.restore(self.sets, stdin, exist=len(bare) < len(words))
        return ipset_tool.run(self.sets, words)

    def _ipvsadm(self, words: list[str], stdin: str) -> str:
        if words[:1] not in (["-R"], ["--restore"]):
            return ipvsadm.run(self.servers, words)
        refused: RefusedError | None = None
        said = []
        for number, line in enumerate(stdin.splitlines(), 1):
            if not line.strip() or line.lstrip()[0] == "#":
                continue
            try:
                said.append(ipvsadm.run(self.servers, shlex.split(line)))
            except ToolError as fault:
                raise refused or RefusedError(number, str(fault)) from None
            except ValueError as fault:
                refused = refused or RefusedError(number, str(fault))
        if refused is not None:
            raise refused
        return "".join(said)

    def _iptables(self, tool: str, words: list[str], stdin: str) -> str:
        name, _, what = tool.partition("-")
        variant, _, verb = what.rpartition("-")
        family = _IPTABLES.get(name)
        if family is None or variant not in ("", self.iptables.variant) or verb not in ("save", "restore"):
            raise RefusedError(1, f"{tool}: command not found")
        if verb == "save":
            return self.iptables.save(family)
        noflush = bool({"--noflush", "-n"} & {*words})
        self.iptables.restore(stdin, family, noflush=noflush, test=bool({"--test", "-t"} & {*words}))
        return ""
