"""What programs a change of the ipvs mode: lines for each of its tools, and one shell script of all."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from rulegen.iptables.dump import Transaction as RulesTransaction
from rulegen.ipvs.base import DUMMY
from rulegen.model import Family

SPARE_SET = "rulegen-spare"
"""A set is filled under this name and then swapped in: packets never meet one that is half full."""

_LENGTH = {"IPv4": 32, "IPv6": 128}
_VERSION = {"IPv4": 4, "IPv6": 6}


class Transaction(msgspec.Struct, frozen=True):
    """The lines of a change, in the order in which they have to be run.

    ``cleared`` empties chains that look into a set which has to be made anew; ``sets`` are for ``ipset
    restore``, ``servers`` for ``ipvsadm -R``; ``device`` says that the dummy device has to be made; ``bound``
    and ``unbound`` are its addresses; ``rules`` are for ``iptables-restore --noflush``.
    """

    family: Family
    cleared: RulesTransaction = RulesTransaction()
    sets: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    device: bool = False
    bound: tuple[str, ...] = ()
    unbound: tuple[str, ...] = ()
    rules: RulesTransaction = RulesTransaction()

    def __bool__(self) -> bool:
        return bool(
            self.sets
            or self.servers
            or self.device
            or self.bound
            or self.unbound
            or self.rules
            or self.cleared
        )

    @property
    def addresses(self) -> tuple[str, ...]:
        """Lines for ``ip -batch -``."""
        length = _LENGTH[self.family]
        return (
            *[f"address add {ip}/{length} dev {DUMMY}" for ip in self.bound],
            *[f"address delete {ip}/{length} dev {DUMMY}" for ip in self.unbound],
        )

    @property
    def text(self) -> str:
        """A POSIX shell script, empty where nothing has to be done.

        ``IPTABLES`` (``IP6TABLES``) in the environment names another variant, as for the script that
        programs a whole node. Data stands in quoted here-documents only.
        """
        return "".join(self._parts()) if self else ""

    def _parts(self) -> Iterator[str]:
        tool = "iptables" if self.family == "IPv4" else "ip6tables"
        restore = f'"${{{tool.upper()}:-{tool}}}-restore" --wait 5 --noflush'
        yield "set -e\n"
        if self.cleared:
            yield _fed(restore, self.cleared.text)
        if self.sets:
            yield _fed("ipset restore", _lines(self.sets))
        if self.servers:
            # ipvsadm -R goes on after a line that fails, and does not tell it in its exit code.
            yield "problems=$(" + _fed("ipvsadm -R 2>&1", _lines(self.servers)) + ") || :\n"
            yield '[ -z "$problems" ] || { printf \'ipvsadm: %s\\n\' "$problems" >&2; exit 1; }\n'
        if self.device:
            yield f"ip link add {DUMMY} type dummy\n"
        if self.addresses:
            yield _fed(f"ip -{_VERSION[self.family]} -batch -", _lines(self.addresses))
        if self.rules:
            yield _fed(restore, self.rules.text)


def _lines(lines: tuple[str, ...]) -> str:
    return "".join([f"{line}\n" for line in lines])


def _fed(command: str, text: str) -> str:
    return f"{command} <<'END'\n{text}END\n"
