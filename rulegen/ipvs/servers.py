"""Virtual servers as ``ipvsadm`` lists them: read from ``-Sn`` or ``-Ln``, written in the form of ``-Sn``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from rulegen.ipvs.fragment import ServerKey
from rulegen.model import Family

OPTIONS = {"TCP": "-t", "UDP": "-u", "SCTP": "--sctp-service", "FWM": "-f"}
"""Protocol -> how ipvsadm(8) names a virtual server of it; ``FWM`` are firewall marks."""

MASQUERADE = "-m"
_PROTOCOLS = {option: protocol for protocol, option in OPTIONS.items()}
_METHODS = {"Masq": "-m", "Route": "-g", "Tunnel": "-i", "Local": "-l"}
_PERSISTENT_SECONDS = 360  # of a -p that does not say how long
_TABLE = "IP Virtual Server"


class ListingError(ValueError):
    """Text that ipvsadm does not print; ``line`` counts from 1."""

    def __init__(self, line: int, fault: str) -> None:
        super().__init__(f"line {line}: {fault}")
        self.line = line


class RealServer(msgspec.Struct, frozen=True, gc=False):
    """Where packets are sent to: ``ip:port``, how (``-m`` is masquerading) and with which weight.

    ``other`` are further options as ``-Sn`` prints them (``-x 5 -y 2``); ``-Ln`` does not tell these.
    """

    address: str
    method: str = MASQUERADE
    weight: int = 1
    other: str = ""

    @property
    def options(self) -> str:
        said = f"{self.method} -w {self.weight}"
        return f"{said} {self.other}" if self.other else said


class Server(msgspec.Struct, frozen=True):
    """A virtual server. ``address`` is ``ip:port``, or the number of a firewall mark (``FWM``).

    ``timeout`` is for how many seconds a client stays with its real server, 0 without persistence; ``flags``
    those of the scheduler (``mh-port``), sorted; ``other`` further options (``-M 255.255.255.0``).
    """

    protocol: str
    address: str
    scheduler: str
    timeout: int = 0
    flags: str = ""
    other: str = ""
    reals: tuple[RealServer, ...] = ()

    @property
    def key(self) -> ServerKey:
        return (self.protocol, self.address)

    @property
    def name(self) -> str:
        """How ipvsadm names it: ``-t 10.96.0.1:443``."""
        return f"{OPTIONS[self.protocol]} {self.address}"

    @property
    def options(self) -> str:
        """All but its name and its real servers, as ``-Sn`` prints it."""
        said = f"-s {self.scheduler}"
        if self.timeout:
            said += f" -p {self.timeout}"
        if self.other:
            said += f" {self.other}"
        return f"{said} -b {self.flags}" if self.flags else said

    @property
    def family(self) -> Family | None:
        """None for a firewall mark: it may have packets of either."""
        if self.protocol == "FWM":
            return None
        return "IPv6" if self.address.startswith("[") else "IPv4"

    def lines(self) -> Iterator[str]:
        """What ``ipvsadm -Sn`` prints for it."""
        yield f"-A {self.name} {self.options}\n"
        for real in self.reals:
            yield f"-a {self.name} -r {real.address} {real.options}\n"


def text(servers: Iterable[Server]) -> str:
    """In the form of ``ipvsadm -Sn``, for ``ipvsadm -R``: the inverse of :func:`read`."""
    return "".join([line for server in servers for line in server.lines()])


def read(listing: str) -> list[Server]:
    """All virtual servers of a listing, of both families, in its order. Raises ListingError."""
    found: dict[ServerKey, Server] = {}
    reals: dict[ServerKey, list[RealServer]] = {}
    lines = _of_table(listing) if listing.lstrip().startswith(_TABLE) else _of_rules(listing)
    for what in lines:
        if isinstance(what, Server):
            found[what.key] = what
        else:
            key, real = what
            reals.setdefault(key, []).append(real)
    return [
        msgspec.structs.replace(server, reals=tuple(reals[key])) if key in reals else server
        for key, server in found.items()
    ]


def _of_rules(listing: str) -> Iterator[Server | tuple[ServerKey, RealServer]]:
    """``ipvsadm -Sn``."""
    for number, line in enumerate(listing.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        protocol = _PROTOCOLS.get(words[1]) if len(words) > 2 else None
        if words[0] not in ("-A", "-a") or protocol is None:
            raise ListingError(number, f"not a line of ipvsadm -Sn: {line!r}")
        key = (protocol, words[2])
        options = _options(words[3:])
        try:
            if words[0] == "-A":
                timeout = options.pop("-p", "0") or str(_PERSISTENT_SECONDS)
                flags = ",".join(sorted(filter(None, options.pop("-b", "").split(","))))
                scheduler = options.pop("-s", "wlc")
                yield Server(*key, scheduler, int(timeout), flags, _said(options))
                continue
            address, weight = options.pop("-r"), int(options.pop("-w", "1"))
            method = next((option for option in _METHODS.values() if option in options), "-g")
            options.pop(method, None)
        except (KeyError, ValueError):
            raise ListingError(number, f"not a line of ipvsadm -Sn: {line!r}") from None
        yield key, RealServer(address, method, weight, _said(options))


def _options(words: list[str]) -> dict[str, str]:
    """Option -> what follows it, empty where nothing does."""
    found: dict[str, str] = {}
    name = ""
    for word in words:
        if word.startswith("-"):
            name = word
            found[name] = ""
        else:
            found[name] = f"{found[name]} {word}".strip() if name else word
    return found


def _said(options: dict[str, str]) -> str:
    return " ".join([f"{name} {value}" if value else name for name, value in options.items()])


def _of_table(listing: str) -> Iterator[Server | tuple[ServerKey, RealServer]]:
    """``ipvsadm -Ln``."""
    key: ServerKey | None = None
    for number, line in enumerate(listing.splitlines(), 1):
        words = line.split()
        if not words or words[0] == "Prot" or line.startswith(_TABLE) or words[1:2] == ["RemoteAddress:Port"]:
            continue
        try:
            if words[0] == "->" and key is not None:
                yield key, RealServer(words[1], _METHODS[words[2]], int(words[3]))
                continue
            if words[0] not in OPTIONS:
                raise ValueError
            key = (words[0], words[1])
            flags, rest = "", words[3:]
            if rest and rest[0].startswith("("):
                flags = ",".join(sorted(rest.pop(0).strip("()").split(",")))
            said = _options(
                [{"ops": "-O", "persistent": "-p", "mask": "-M", "pe": "--pe"}.get(w, w) for w in rest]
            )
            yield Server(*key, words[2], int(said.pop("-p", "0")), flags, _said(said))
        except (IndexError, KeyError, ValueError):
            raise ListingError(number, f"not a line of ipvsadm -Ln: {line!r}") from None
