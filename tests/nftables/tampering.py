"""Every single tampering with what nft lists, in its text and in its JSON."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from rulegen.nftables.listing import BETWEEN_COMMAS


class Tampered(NamedTuple):
    """What was done, to which chain, set or map (empty: the table), and the listing that comes of it."""

    what: str
    name: str
    listing: Any


_RULE_EDITS = (
    (r"dnat to (\S+?):(\d+)( |$)", r"dnat to \1:9\3"),
    (r"dnat ip6? to numgen", r"dnat ip addr . port to numgen inc"),
    (r"mod (\d+) (v?map)", r"mod 1\1 \2"),
    (r"\d+ : (\S+) \. \d+", r"0 : \1 . 7"),
    (r", \d+ : [^,}]*", ""),
    (r"(jump|goto) (\S+)", r"\1 reject-chain"),
    (r"\bjump\b", "goto"),
    (r"^ct state new ", ""),
    (r"ct state new", "ct state established"),
    (r"ct status dnat", "ct status snat"),
    (r"saddr != ", "saddr "),
    (r"daddr != ", "daddr "),
    (r"(saddr|daddr) (?=[@\d{f])", r"\1 != "),
    (r"@[a-z-]+", "@other"),
    (r"iifname (!= )?\"(\w+)", r'iifname \1"x\2'),
    (r"(0x0*)([1-9a-f]0*) ", r"\g<1>1 "),
    (r"\| 0x", "^ 0x"),
    (r"type local", "type multicast"),
    (r"fib saddr", "fib daddr"),
    (r"meta l4proto (tcp|udp|sctp)", "meta l4proto dccp"),
    (r" masquerade fully-random", " masquerade"),
    (r"\bdrop\b", "accept"),
    (r"\bdrop\b", "reject"),
    (r"\breject\b(?!-)", "drop"),
    (r"reject$", "reject with icmp type host-unreachable"),
    (r"(10|198|203|192)(\.\d+\.\d+\.\d+/)", r"11\2"),
    (r"/(\d)(\d)?\b", r"/1\1"),
    (r'comment "[^"]*"', 'comment "changed"'),
    (r' comment "[^"]*"', ""),
    (r"update @(\S+) \{ (ip6?) saddr", r"add @\1 { \2 saddr"),
    (r"update @(\S+) \{ (ip6?) saddr", r"update @\1 { \2 daddr"),
    (r"^", "counter packets 0 bytes 0 "),
    (r"^", "th dport 1 "),
)
_ELEMENT_EDITS = (
    (r"(\d+)( comment|$| :)", r"\g<1>1\2"),
    (r"\b(tcp|udp|sctp)\b", "dccp"),
    (r"^(\d+)\.", r"1\1."),
    (r"^f", "e"),
    (r": drop", ": accept"),
    (r": goto \S+", ": drop"),
    (r": goto \S+", ": goto services"),
    (r": goto", ": jump"),
    (r' comment "[^"]*"', ' comment "some/other"'),
    (r' comment "[^"]*"', ""),
)
_PROPERTY_EDITS = (
    (r"hook \w+", "hook ingress"),
    (r"type (filter|nat)", "type route"),
    (r"priority [^;]+", "priority 77"),
    (r"policy accept", "policy drop"),
    (r"^type ip", "type mark . ip"),
    (r"^type (\w+)$", "type ether_addr"),
    (r'^comment "', 'comment "x'),
    (r"^flags dynamic,timeout", "flags timeout"),
    (r"^flags ", "flags interval,"),
    (r"^timeout \w+", "timeout 7s"),
    (r"^size \d+", "size 3"),
)
_ADDED = {
    "rule": "ip6 saddr 2001:db8::7 accept", "chain": "\tchain service-AAAAAAAA-gone/gone/tcp/ {\n\t}",
    "set": "\tset affinity-AAAAAAAA-gone/gone/tcp/__10.0.0.1/80 {\n\t\ttype ipv4_addr\n\t}",
}  # fmt: skip


def of_text(text: str) -> Iterator[Tampered]:
    """``nft list ruleset`` and ``nft -a list ruleset``."""
    lines = text.split("\n")
    inside = ""
    kind = ""
    start = 0
    for at, line in enumerate(lines):
        bare, _, handle = line.partition(" # handle ")
        said = bare.strip()

        def put(*new: str, upto: int = 1, at: int = at) -> str:
            return "\n".join([*lines[:at], *new, *lines[at + upto :]])

        if said.startswith(("chain ", "set ", "map ", "counter ")) and said.endswith("{"):
            kind, inside, _ = said.split(" ")
            start = at
        elif line == "\t}":
            yield Tampered("block dropped", inside, "\n".join(lines[:start] + lines[at + 1 :]))
            if kind == "chain":
                yield Tampered("rule added", inside, put(f"\t\t{_ADDED['rule']}", line))
            inside = kind = ""
        elif line == "}":
            yield Tampered("chain added", "service-AAAAAAAA-gone/gone/tcp/", put(_ADDED["chain"], line))
            yield Tampered("set added", "affinity-AAAAAAAA-gone", put(_ADDED["set"], line))
        elif said.startswith("table "):
            end = lines.index("}", at)
            yield Tampered("table dropped", "", "\n".join(lines[:at] + lines[end + 1 :]))
            yield Tampered("table asleep", "", put(line, "\tflags dormant"))
        elif said.startswith("elements = {") or (kind in ("set", "map") and line.startswith("\t\t\t     ")):
            yield from _elements(lines, at, inside)
        elif kind == "chain" and not said.startswith(("type ", "comment ")):
            yield from _rule(lines, at, inside, said, f" # handle {handle}" if handle else "")
        elif said and not (said.startswith(("size ", "packets ")) or kind == "counter"):
            if not said.startswith("type ") and not said.startswith("flags "):
                yield Tampered("property dropped", inside, put())
            for pattern, new in _PROPERTY_EDITS:
                changed = re.sub(pattern, new, said, count=1)
                if changed != said:
                    yield Tampered(f"property edited: {changed}", inside, put(f"\t\t{changed}"))


def _rule(lines: list[str], at: int, chain: str, said: str, handle: str) -> Iterator[Tampered]:
    before, after = lines[:at], lines[at + 1 :]
    yield Tampered(f"dropped: {said}", chain, "\n".join(before + after))
    yield Tampered(f"doubled: {said}", chain, "\n".join([*before, lines[at], lines[at], *after]))
    for pattern, new in _RULE_EDITS:
        changed = re.sub(pattern, new, said, count=1)
        if changed != said:
            yield Tampered(
                f"edited: {changed}", chain, "\n".join([*before, f"\t\t{changed}{handle}", *after])
            )
    if after[0] != "\t}" and after[0].partition(" # handle")[0] != lines[at].partition(" # handle")[0]:
        swapped = "\n".join([*before, after[0], lines[at], *after[1:]])
        yield Tampered(f"swapped: {said}", chain, swapped)


def _elements(lines: list[str], at: int, container: str) -> Iterator[Tampered]:
    head, found, rest = lines[at].partition("elements = { ")
    if not found:
        head, rest = "\t\t\t     ", lines[at].strip()
    body = rest.removesuffix(" }")
    tail = " }" if rest.endswith(" }") else ""
    parts = [part.strip() for part in BETWEEN_COMMAS.findall(body.removesuffix(","))]
    comma = "," if body.endswith(",") else ""

    def put(new: list[str]) -> str:
        inner = ", ".join(new) + (comma if new else "")
        return "\n".join([*lines[:at], f"{head}{found}{inner}{tail}", *lines[at + 1 :]])

    for place, part in enumerate(parts):
        if len(parts) > 1 or (comma and not found):
            yield Tampered(f"element dropped: {part}", container, put(parts[:place] + parts[place + 1 :]))
        for pattern, new in _ELEMENT_EDITS:
            changed = re.sub(pattern, new, part, count=1)
            if changed != part:
                edited = [*parts[:place], changed, *parts[place + 1 :]]
                yield Tampered(f"element edited: {changed}", container, put(edited))


def of_json(document: dict[str, Any]) -> Iterator[Tampered]:
    """``nft -j list ruleset``: each object, rule expression and element gone, or changed in one value."""
    items = document["nftables"]
    for at, item in enumerate(items):
        ((kind, told),) = item.items()
        if kind == "metainfo" or (kind != "table" and told["table"] != "kube-proxy"):
            continue
        name = told["chain"] if kind == "rule" else told["name"] if kind != "table" else ""
        if kind != "table":
            yield Tampered(f"{kind} dropped", name, _with(items, at, None))
        for path in _paths(told):
            if path[0] in ("family", "table", "handle", "name", "chain", "size"):
                continue
            changed = copy.deepcopy(told)
            inner: Any = changed
            for step in path[:-1]:
                inner = inner[step]
            old = inner[path[-1]]
            match old:
                case str():
                    inner[path[-1]] = f"{old}x" if old not in ("==", "in") else "!="
                case bool() | None:
                    continue
                case int():
                    inner[path[-1]] = old + 1
            yield Tampered(f"{kind} {path}: {old!r} changed", name, _with(items, at, {kind: changed}))
        for key in ("elem", "expr"):
            for place in range(len(told.get(key, ()))):
                changed = copy.deepcopy(told)
                del changed[key][place]
                yield Tampered(f"{kind} {key} {place} dropped", name, _with(items, at, {kind: changed}))


def _with(items: list[Any], at: int, item: Any) -> dict[str, Any]:
    return {"nftables": [*items[:at], *([item] if item is not None else []), *items[at + 1 :]]}


def _paths(told: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(told, dict):
        for key, value in told.items():
            yield from _paths(value, (*path, key))
    elif isinstance(told, list):
        for place, value in enumerate(told):
            yield from _paths(value, (*path, place))
    else:
        yield path
