"""The virtual servers of IPVS in memory: what the kernel takes, and what it refuses.

Refusals are in the words of ipvsadm 1.31 on Linux 6: services and destinations that are there, or are not;
schedulers nobody knows; addresses that no packet can be sent to.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

SCHEDULERS = frozenset(
    {"dh", "fo", "lblc", "lblcr", "lc", "mh", "nq", "ovf", "rr", "sed", "sh", "twos", "wlc", "wrr"}
)

Address: TypeAlias = tuple[bytes, int]
"""The bytes of an address, and a port."""

Key: TypeAlias = tuple[int, int, bytes, int]
"""How a virtual server is found: length of the address (0: a firewall mark), protocol, address, port or mark.

In this order ipvsadm lists them, marks last; it gets it wrong where two addresses lie far apart.
"""


class Real(msgspec.Struct, frozen=True):
    """A real server, with its method (``-m``, ``-g``, ``-i``).

    ``upper`` and ``lower`` are limits of its connections, 0 for none.
    """

    address: Address
    method: str = "-g"
    weight: int = 1
    upper: int = 0
    lower: int = 0


class Virtual(msgspec.Struct):
    """A virtual server.

    ``flags`` are bits for its scheduler, ``timeout`` seconds, 0 without persistence; ``mask`` is empty where
    each client counts for itself; ``ops``: every packet is scheduled anew.
    """

    key: Key
    scheduler: str
    flags: int = 0
    timeout: int = 0
    mask: str = ""
    ops: bool = False
    reals: dict[Address, Real] = msgspec.field(default_factory=dict)

    def sorted(self) -> list[Real]:
        """Its real servers as they are listed: those of IPv6 first."""
        return sorted(self.reals.values(), key=lambda real: (-len(real.address[0]), *real.address))


class Servers:
    """All virtual servers, none at first; ``timeouts`` are seconds of TCP, TCP after FIN, and UDP."""

    def __init__(self) -> None:
        self._servers: dict[Key, Virtual] = {}
        self.timeouts = (900, 120, 300)

    def copy(self) -> Servers:
        other = Servers()
        other.timeouts = self.timeouts
        other._servers = {
            key: msgspec.structs.replace(each, reals=dict(each.reals)) for key, each in self._servers.items()
        }
        return other

    def __iter__(self) -> Iterator[Virtual]:
        """All of them in the order of ipvsadm's lists."""
        return iter(sorted(self._servers.values(), key=lambda each: (not each.key[0], *each.key)))

    def clear(self) -> None:
        self._servers.clear()

    def add(self, made: Virtual) -> None:
        if made.key in self._servers:
            raise ValueError("Service already exists")
        _known(made)
        self._servers[made.key] = made

    def edit(self, made: Virtual) -> None:
        """Another scheduler and other options for a virtual server; its real servers stay."""
        present = self._found(made.key, "No such service")
        _known(made)
        self._servers[made.key] = msgspec.structs.replace(made, reals=present.reals)

    def delete(self, key: Key) -> None:
        self._found(key, "No such service")
        del self._servers[key]

    def add_real(self, key: Key, real: Real) -> None:
        reals = self._found(key).reals
        _check_limits(real)
        if real.address in reals:
            raise ValueError("Destination already exists")
        if not _is_unicast(real.address[0]):
            fault = "Possibly wrong module version, address not unicast, ..."
            raise ValueError(f"Invalid operation.  {fault}")
        reals[real.address] = real

    def edit_real(self, key: Key, real: Real) -> None:
        reals = self._found(key).reals
        _check_limits(real)
        if real.address not in reals:
            raise ValueError("No such destination")
        reals[real.address] = real

    def delete_real(self, key: Key, address: Address) -> None:
        if self._found(key).reals.pop(address, None) is None:
            raise ValueError("No such destination")

    def _found(self, key: Key, fault: str = "Service not defined") -> Virtual:
        if key not in self._servers:
            raise ValueError(fault)
        return self._servers[key]


def _known(made: Virtual) -> None:
    if made.scheduler not in SCHEDULERS:
        raise ValueError("Scheduler or persistence engine not found")


def _check_limits(real: Real) -> None:
    if real.lower > real.upper:
        raise ValueError("Numerical result out of range")


def _is_unicast(address: bytes) -> bool:
    if len(address) == 4:
        return address[0] < 224 and address != bytes(4)
    return any(address) and address[0] != 0xFF and not (address[0] == 0xFE and address[1] & 0xC0 == 0x80)
