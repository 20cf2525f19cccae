"""ipvsadm(8) in front of the virtual servers in memory: commands in, ``ipvsadm -Sn`` and ``-Ln`` out.

What the tool itself refuses ends an ``ipvsadm -R``; what the kernel refuses does not, as with the real one.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping

from rulegen.fake.servers import Address, Key, Real, Servers, Virtual

DEFAULT_SCHEDULER = "wlc"
PERSISTENT_SECONDS = 360
"""Of a ``-p`` that does not say how long."""

_PROTOCOLS = {"-t": 6, "-u": 17, "--sctp-service": 132}
_SERVICES = {number: option for option, number in _PROTOCOLS.items()}
_TABLE_NAMES = {6: "TCP", 17: "UDP", 132: "SCTP"}
_FLAGS = {1: ("fallback", "flag-1"), 2: ("port", "flag-2"), 4: ("", "flag-3")}
"""Bit -> what it is called behind ``sh-`` or ``mh-``, and what anywhere."""

_METHODS = {"-m": "Masq", "-g": "Route", "-i": "Tunnel"}
_LONGEST = 31 * 24 * 60 * 60
_WHOLE = {4: "255.255.255.255", 16: "128"}

_ALIASES = {
    "--add-service": "-A", "--edit-service": "-E", "--delete-service": "-D",
    "--add-server": "-a", "--edit-server": "-e", "--delete-server": "-d",
    "--clear": "-C", "--list": "-L", "-l": "-L", "--save": "-S", "--zero": "-Z", "--numeric": "-n",
    "--tcp-service": "-t", "--udp-service": "-u", "--fwmark-service": "-f", "--scheduler": "-s",
    "--persistent": "-p", "--netmask": "-M", "--sched-flags": "-b", "--real-server": "-r",
    "--masquerading": "-m", "--gatewaying": "-g", "--ipip": "-i", "--weight": "-w",
    "--u-threshold": "-x", "--l-threshold": "-y", "--ops": "-o", "-O": "-o",
}  # fmt: skip
_COMMANDS = {
    "-A": "add-service", "-E": "edit-service", "-D": "delete-service",
    "-a": "add-server", "-e": "edit-server", "-d": "delete-server",
}  # fmt: skip
_NAMES = {
    "-s": "scheduler", "-p": "persistent", "-M": "netmask",
    "-r": "real-server", "-m": "forwarding-method", "-g": "forwarding-method", "-i": "forwarding-method",
    "-w": "weight", "-x": "u-threshold", "-y": "l-threshold", "-o": "ops", "-b": "sched-flags",
}  # fmt: skip
_OF_SERVICES = frozenset({"-s", "-p", "-M", "-b", "-o"})
_OF_SERVERS = frozenset({"-r", "-m", "-g", "-i", "-w", "-x", "-y"})
_ALLOWED: Mapping[str, frozenset[str]] = {
    "-A": _OF_SERVICES, "-E": _OF_SERVICES, "-D": frozenset(),
    "-a": _OF_SERVERS, "-e": _OF_SERVERS, "-d": frozenset({"-r"}),
}  # fmt: skip


class ToolError(ValueError):
    """What ipvsadm itself refuses."""


def run(servers: Servers, words: list[str]) -> str:
    """One command, without the word ``ipvsadm`` before it; what it prints.

    Raises ToolError, and ValueError for what the kernel refuses.
    """
    words = [_ALIASES.get(word, word) for word in words]
    command = words[0] if words else "-L"
    if command in _COMMANDS:
        _change(servers, command, _given(command, words[1:]))
        return ""
    match command:
        case "-C":
            servers.clear()
        case "-Z":
            pass  # nothing is counted
        case "--set":
            _set(servers, words[1:])
        case _ if command[:1] == "-" and {"S", "L", "l", "n"}.issuperset(command[1:]):
            if "--timeout" in words:
                return "Timeout (tcp tcpfin udp): {} {} {}\n".format(*servers.timeouts)
            return save(servers) if "S" in command else table(servers)
        case _:
            raise ToolError(f"{command}: unknown option")
    return ""


def save(servers: Servers) -> str:
    """What ``ipvsadm -Sn`` prints."""
    return "".join([line for each in servers for line in _saved(each)])


def table(servers: Servers) -> str:
    """What ``ipvsadm -Ln`` prints."""
    return (
        "IP Virtual Server version 1.2.1 (size=4096)\n"
        "Prot LocalAddress:Port Scheduler Flags\n"
        "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n"
    ) + "".join([line for each in servers for line in _listed(each)])


def _set(servers: Servers, words: list[str]) -> None:
    if len(words) != 3:
        raise ToolError("--set option requires 3 timeout values")
    seconds = [_number(word, _LONGEST, f"invalid timeout value `{word}' specified") for word in words]
    old = servers.timeouts
    servers.timeouts = (seconds[0] or old[0], seconds[1] or old[1], seconds[2] or old[2])


def _change(servers: Servers, command: str, told: dict[str, str]) -> None:
    key = _key(told, any_port=command not in ("-A", "-E"))
    match command:
        case "-A":
            servers.add(_virtual(key, told))
        case "-E":
            servers.edit(_virtual(key, told))
        case "-D":
            servers.delete(key)
        case "-a":
            servers.add_real(key, _real(key, told))
        case "-e":
            servers.edit_real(key, _real(key, told))
        case _:
            ip, port = _address(told["-r"], _BAD_REAL)
            servers.delete_real(key, (ip, _own_port(key) if port is None else port))


# --- what it reads

_BAD_VIRTUAL = "illegal virtual server address[:port] specified"
_BAD_MASK = "illegal ipv6 netmask specified"
_BAD_REAL = "illegal real server address[:port] specified"


def _given(command: str, words: list[str]) -> dict[str, str]:
    """Option -> its value, empty where it has none; values are looked at as they come. Raises ToolError."""
    told: dict[str, str] = {}
    named: set[str] = set()
    left = [*words]
    while left:
        option = left.pop(0)
        if option == "-n":
            continue
        if option == "--tun-type":
            del left[:1]
            continue
        service = option in _PROTOCOLS or option == "-f"
        name = "service-address" if service else _NAMES.get(option)
        if name is None:
            raise ToolError(f"{option}: unknown option")
        alone = option in ("-m", "-g", "-i", "-o") or (option == "-p" and (left or ["-"])[0][0] == "-")
        if not alone and not left:
            raise ToolError(f"{option}: missing argument")
        if name in named:
            raise ToolError(f"multiple '{name}' options specified")
        named.add(name)
        told[option] = "" if alone else left.pop(0)
        _look_at(option, told)
    needed = {"service-address"} | ({"real-server"} if command in ("-a", "-e", "-d") else set())
    allowed = needed | {_NAMES[option] for option in _ALLOWED[command]}
    for name in dict.fromkeys(("service-address", *_NAMES.values())):
        if name in needed - named:
            raise ToolError(f"You need to supply the '{name}' option for the '{_COMMANDS[command]}' command")
        if name in named - allowed:
            raise ToolError(f"Illegal '{name}' option with the '{_COMMANDS[command]}' command")
    return told


def _look_at(option: str, told: Mapping[str, str]) -> None:
    """Whether the value of an option is one of its kind. Raises ToolError."""
    match option:
        case "-f":
            _mark(told[option])
        case "-t" | "-u" | "--sctp-service":
            _address(told[option], _BAD_VIRTUAL)
        case "-r":
            _address(told[option], _BAD_REAL)
        case "-p":
            _timeout(told)
        case "-b":
            _flags(told)
        case "-w" | "-x" | "-y":
            _limit(option, told)


def _mark(text: str) -> int:
    fault = f"invalid fwmark value `{text}' specified"
    mark = _number(text, 0xFFFFFFFF, fault)
    if not mark:
        raise ToolError(fault)
    return mark


def _timeout(told: Mapping[str, str]) -> int:
    """Seconds, 0 without persistence."""
    if "-p" not in told:
        return 0
    said = told["-p"] or str(PERSISTENT_SECONDS)
    fault = f"invalid timeout value `{said}' specified"
    timeout = _number(said, _LONGEST, fault)
    if not timeout:
        raise ToolError(fault)
    return timeout


def _flags(told: Mapping[str, str]) -> int:
    flags = 0
    for name in filter(None, told.get("-b", "").split(",")):
        flags |= _flag(name, told.get("-s", DEFAULT_SCHEDULER))
    return flags


def _limit(option: str, told: Mapping[str, str]) -> int:
    name, most, default = {
        "-w": ("weight", 0x7FFFFFFF, "1"),
        "-x": ("u_threshold", 0xFFFFFFFF, "0"),
        "-y": ("l_threshold", 0xFFFFFFFF, "0"),
    }[option]
    return _number(told.get(option, default), most, f"illegal {name} specified")


def _key(told: Mapping[str, str], *, any_port: bool) -> Key:
    if "-f" in told:
        return (0, 0, b"", _mark(told["-f"]))
    option = next(option for option in _PROTOCOLS if option in told)
    address, port = _address(told[option], _BAD_VIRTUAL)
    if not port and "-p" not in told and not any_port:
        raise ToolError("Zero port specified for non-persistent service")
    return (len(address), _PROTOCOLS[option], address, port or 0)


def _virtual(key: Key, told: Mapping[str, str]) -> Virtual:
    if "-o" in told and key[0] and key[1] != _PROTOCOLS["-u"]:
        raise ToolError("One-Packet Scheduling is only for UDP virtual services")
    timeout = _timeout(told)
    mask = _mask(key, told.get("-M", ""))
    scheduler = told.get("-s", DEFAULT_SCHEDULER)
    return Virtual(key, scheduler, _flags(told), timeout, mask if timeout else "", "-o" in told)


def _mask(key: Key, text: str) -> str:
    """Which clients count as one; empty where each counts for itself."""
    if key[0] == 16 and text and _number(text, 128, _BAD_MASK) == 0:
        raise ToolError(_BAD_MASK)
    return "" if text == _WHOLE.get(key[0]) else text


def _flag(name: str, scheduler: str) -> int:
    for bit, (own, general) in _FLAGS.items():
        if name == general or (own and scheduler in ("sh", "mh") and name == f"{scheduler}-{own}"):
            return bit
    raise ToolError(f"incompatible scheduler flag `{name}'")


def _real(key: Key, told: Mapping[str, str]) -> Real:
    ip, port = _address(told["-r"], _BAD_REAL)
    method = next((option for option in _METHODS if option in told), "-g")
    if key[0] and len(ip) != key[0] and method != "-i":
        raise ToolError("Different address family is allowed only for tunneling servers")
    # Only masquerading can send to another port.
    own = port is None or (key[0] and method != "-m")
    return Real(
        (ip, _own_port(key) if own or port is None else port),
        method,
        _limit("-w", told),
        _limit("-x", told),
        _limit("-y", told),
    )


def _own_port(key: Key) -> int:
    """The port of a virtual server, which its real servers have where they do not say another one."""
    return key[3] if key[0] else 0


def _address(text: str, fault: str) -> tuple[bytes, int | None]:
    """An address, and its port where it says one; names are not looked up."""
    ip, colon, port = text.rpartition(":")
    if text.startswith("["):
        inner, closed, rest = text[1:].partition("]")
        if not closed:
            raise ToolError(fault)
        ip, colon, port = inner, rest[:1], rest[1:]
    elif text.count(":") != 1:
        ip, colon, port = text, "", ""
    try:
        address = socket.inet_pton(socket.AF_INET6, ip) if ":" in ip else socket.inet_aton(ip)
    except OSError:
        raise ToolError(fault) from None
    return address, _number(port, 65535, fault) if colon else None


def _number(text: str, most: int, fault: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > most:
        raise ToolError(fault)
    return int(text)


# --- what it prints


def _text(address: Address) -> str:
    ip, port = address
    if len(ip) == 16:
        return f"[{socket.inet_ntop(socket.AF_INET6, ip)}]:{port}"
    return f"{socket.inet_ntoa(ip)}:{port}"


def _flag_names(found: Virtual) -> str:
    stem = f"{found.scheduler}-" if found.scheduler in ("sh", "mh") else ""
    said = [
        f"{stem}{own}" if stem and own else general
        for bit, (own, general) in _FLAGS.items()
        if found.flags & bit
    ]
    return ",".join(said)


def _saved(found: Virtual) -> Iterator[str]:
    size, protocol, address, port = found.key
    name = f"{_SERVICES[protocol]} {_text((address, port))}" if size else f"-f {port}"
    line = f"-A {name} -s {found.scheduler}"
    if found.timeout:
        line += f" -p {found.timeout}"
    if found.mask:
        line += f" -M {found.mask}"
    if found.ops:
        line += " -o"
    if found.flags:
        line += f" -b {_flag_names(found)}"
    yield f"{line}\n"
    for real in found.sorted():
        line = f"-a {name} -r {_text(real.address)} {real.method} -w {real.weight}"
        yield f"{line} --tun-type ipip\n" if real.method == "-i" else f"{line}\n"


def _listed(found: Virtual) -> Iterator[str]:
    size, protocol, address, port = found.key
    where = f"{_TABLE_NAMES[protocol]:4} {_text((address, port))}" if size else f"FWM  {port}"
    line = f"{where} {found.scheduler}"
    if found.flags:
        line += f" ({_flag_names(found)})"
    if found.ops:
        line += " ops"
    if found.timeout:
        line += f" persistent {found.timeout}"
    if found.mask:
        line += f" mask {found.mask}"
    yield f"{line}\n"
    for real in found.sorted():
        method = _METHODS[real.method]
        yield f"  -> {_text(real.address):28} {method:7} {real.weight:<6} {0:<10} {0:<10}\n"
