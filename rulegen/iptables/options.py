"""What the extensions of iptables take, and how iptables-save prints it.

One table for matches and one for targets: option -> its place in the output, how many words follow it, and
what makes them canonical. An extension that is not here keeps its options as they were written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import msgspec

from rulegen.iptables import values
from rulegen.model import Family

Canonical: TypeAlias = Callable[[str, Family], str]
"""The words after an option, as one text -> the same as iptables-save prints them."""


class Option(msgspec.Struct, frozen=True):
    """``rank`` is the place among the options of its extension, ``words`` how many values follow."""

    rank: int
    words: int = 0
    canonical: Canonical | None = None
    name: str = ""
    """The name under which it is printed, where that is another one."""


Options: TypeAlias = Mapping[str, Option]


def _quoted(text: str, family: Family) -> str:
    return values.quoted(text)


def _ports(text: str, family: Family) -> str:
    return values.ports(text)


def _mark(text: str, family: Family) -> str:
    return values.mark(text)


def _states(text: str, family: Family) -> str:
    return values.states(text)


def _types(text: str, family: Family) -> str:
    return values.address_types(text)


def _rate(text: str, family: Family) -> str:
    return values.rate(text)


def _xmark(option: str) -> Canonical:
    return lambda text, family: values.xmark(option, text)


def _host(text: str, family: Family) -> str:
    shown = values.address(text, family)
    host, _, length = shown.rpartition("/")
    return host if length in ("32", "128") else shown


def _ports_of(*more: tuple[str, Option]) -> Options:
    """Source and destination port under all their names, then what else a protocol has."""
    source = Option(0, 1, _ports, "--sport")
    destination = Option(1, 1, _ports, "--dport")
    return {
        "--sport": source, "--source-port": source,
        "--dport": destination, "--destination-port": destination,
        **dict(more),
    }  # fmt: skip


_SYN = Option(3, 0, lambda text, family: "FIN,SYN,RST,ACK SYN", "--tcp-flags")

MATCHES: Mapping[str, Options] = {
    "comment": {"--comment": Option(0, 1, _quoted)},
    "tcp": _ports_of(
        ("--tcp-option", Option(2, 1)),
        ("--tcp-flags", Option(3, 2, lambda text, family: values.tcp_flags(text))),
        ("--syn", _SYN),
    ),
    "udp": _ports_of(),
    "udplite": _ports_of(),
    "dccp": _ports_of(("--dccp-types", Option(2, 1)), ("--dccp-option", Option(3, 1))),
    "sctp": _ports_of(("--chunk-types", Option(2, 2))),
    "icmp": {"--icmp-type": Option(0, 1, lambda text, family: values.icmp_type(text, "IPv4"))},
    "icmp6": {"--icmpv6-type": Option(0, 1, lambda text, family: values.icmp_type(text, "IPv6"))},
    "conntrack": {
        "--ctstate": Option(0, 1, _states),
        "--ctproto": Option(1, 1, lambda text, family: values.protocol_number(text)),
        "--ctorigsrc": Option(2, 1, _host),
        "--ctorigdst": Option(3, 1, _host),
        "--ctreplsrc": Option(4, 1, _host),
        "--ctrepldst": Option(5, 1, _host),
        "--ctorigsrcport": Option(6, 1, _ports),
        "--ctorigdstport": Option(7, 1, _ports),
        "--ctreplsrcport": Option(8, 1, _ports),
        "--ctrepldstport": Option(9, 1, _ports),
        "--ctstatus": Option(10, 1),
        "--ctexpire": Option(11, 1),
        "--ctdir": Option(12, 1),
    },
    "state": {"--state": Option(0, 1, _states)},
    "mark": {"--mark": Option(0, 1, _mark)},
    "connmark": {"--mark": Option(0, 1, _mark)},
    "statistic": {
        "--mode": Option(0, 1),
        "--probability": Option(1, 1, lambda text, family: values.probability(text)),
        "--every": Option(1, 1),
        "--packet": Option(2, 1),
    },
    "recent": {
        "--set": Option(0),
        "--rcheck": Option(0),
        "--update": Option(0),
        "--remove": Option(0),
        "--seconds": Option(1, 1),
        "--reap": Option(2),
        "--hitcount": Option(3, 1),
        "--rttl": Option(4),
        "--name": Option(5, 1),
        "--mask": Option(6, 1),
        "--rsource": Option(7),
        "--rdest": Option(7),
    },
    "addrtype": {
        "--src-type": Option(0, 1, _types),
        "--dst-type": Option(1, 1, _types),
        "--limit-iface-in": Option(2),
        "--limit-iface-out": Option(3),
    },
    "nfacct": {"--nfacct-name": Option(0, 1, _quoted)},
    "set": {"--match-set": Option(0, 2)},
    "physdev": {
        "--physdev-is-in": Option(0),
        "--physdev-in": Option(1, 1),
        "--physdev-is-out": Option(2),
        "--physdev-out": Option(3, 1),
        "--physdev-is-bridged": Option(4),
    },
    "ipvs": {
        "--ipvs": Option(0),
        "--vproto": Option(1, 1, lambda text, family: values.protocol_number(text)),
        "--vaddr": Option(2, 1, _host),
        "--vport": Option(3, 1),
        "--vdir": Option(4, 1),
        "--vmethod": Option(5, 1),
        "--vportctl": Option(6, 1),
    },
    "multiport": {
        option: Option(0, 1, None, name)
        for name, options in (
            ("--sports", ("--sports", "--source-ports")),
            ("--dports", ("--dports", "--destination-ports")),
            ("--ports", ("--ports",)),
        )
        for option in options
    },
    "limit": {"--limit": Option(0, 1, _rate), "--limit-burst": Option(1, 1)},
    "iprange": {"--src-range": Option(0, 1), "--dst-range": Option(1, 1)},
    "mac": {"--mac-source": Option(0, 1, lambda text, family: text.lower())},
    "length": {"--length": Option(0, 1)},
    "pkttype": {"--pkt-type": Option(0, 1)},
}

_TO_PORTS = Option(0, 1)

TARGETS: Mapping[str, Options] = {
    "DNAT": {"--to-destination": Option(0, 1), "--random": Option(1), "--persistent": Option(2)},
    "SNAT": {
        "--to-source": Option(0, 1),
        "--random": Option(1),
        "--random-fully": Option(2),
        "--persistent": Option(3),
    },
    "MASQUERADE": {"--to-ports": _TO_PORTS, "--random": Option(1), "--random-fully": Option(2)},
    "REDIRECT": {"--to-ports": _TO_PORTS, "--random": Option(1)},
    "NETMAP": {"--to": Option(0, 1)},
    "MARK": {
        option: Option(0, 1, _xmark(option), "--set-xmark")
        for option in ("--set-xmark", "--set-mark", "--or-mark", "--xor-mark", "--and-mark")
    },
    "REJECT": {"--reject-with": Option(0, 1, values.reject_with)},
    "LOG": {
        "--log-prefix": Option(0, 1, _quoted),
        "--log-level": Option(1, 1, lambda text, family: values.log_level(text)),
        "--log-tcp-sequence": Option(2),
        "--log-tcp-options": Option(3),
        "--log-ip-options": Option(4),
        "--log-uid": Option(5),
        "--log-macdecode": Option(6),
    },
    "NFLOG": {
        "--nflog-prefix": Option(0, 1, _quoted),
        "--nflog-group": Option(1, 1),
        "--nflog-size": Option(2, 1),
        "--nflog-threshold": Option(3, 1),
    },
}

PROTOCOL_MATCHES = {
    "tcp": "tcp", "udp": "udp", "udplite": "udplite", "sctp": "sctp", "dccp": "dccp",
    "icmp": "icmp", "ipv6-icmp": "icmp6",
}  # fmt: skip
"""Protocol -> the match that its options load without ``-m``."""
