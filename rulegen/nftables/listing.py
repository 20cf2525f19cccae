"""Reading what ``nft list ruleset`` prints: as text, with ``-a`` or not, and with ``-j``.

Only the tables of kube-proxy are looked into; of others the name is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from rulegen.model import Family
from rulegen.nftables.element import Element
from rulegen.nftables.names import TABLE
from rulegen.nftables.rule import compose, constant, normal
from rulegen.nftables.table import Chain, Container, Table

FAMILIES: dict[str, Family] = {"ip": "IPv4", "ip6": "IPv6"}

# nft(8): standard priority names, of the families ip and ip6.
_PRIORITIES = {
    "raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100,
}  # fmt: skip
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_TIME = re.compile(r"(\d+)([dhms])(?!s)")
BETWEEN_COMMAS = re.compile(r'(?:[^,"]|"[^"]*")+')


class Listing(msgspec.Struct, frozen=True):
    """What a node's ruleset holds: kube-proxy's tables, and the others by name (``inet firewalld``)."""

    tables: dict[Family, Table]
    foreign: tuple[str, ...] = ()


class ListingError(ValueError):
    """Text that nft does not print; ``line`` counts from 1, 0 where JSON has none."""

    def __init__(self, line: int, fault: str) -> None:
        super().__init__(f"line {line}: {fault}" if line else fault)
        self.line = line
        self.fault = fault


def read(text: str) -> Listing:
    """Read a listing in any of its forms. Raises ListingError for text that is none."""
    return _read_json(text) if text.lstrip().startswith("{") else _read_text(text)


# --- text


class Block(msgspec.Struct):
    """A block of the text: what stands before its brace, its lines, the blocks inside."""

    line: int
    head: Sequence[str]
    lines: list[str] = msgspec.field(default_factory=list)
    blocks: list[Block] = msgspec.field(default_factory=list)


def _read_text(text: str) -> Listing:
    tables: dict[Family, Table] = {}
    foreign: list[str] = []
    for block in blocks(text):
        if len(block.head) != 3 or block.head[0] != "table":
            raise ListingError(block.line, f"expected a table, found {' '.join(block.head)!r}")
        _, family, name = block.head
        if name == TABLE and family in FAMILIES:
            tables[FAMILIES[family]] = _table(block, family)
        else:
            foreign.append(f"{family} {name}")
    return Listing(tables, tuple(foreign))


def blocks(text: str) -> Iterator[Block]:
    """The outermost blocks."""
    stack: list[Block] = []
    open_elements = False
    for number, raw in enumerate(text.splitlines(), 1):
        line = _without_handle(raw.strip())
        if not line or line[0] == "#":
            continue
        if open_elements:
            stack[-1].lines[-1] += f" {line}"
            open_elements = not line.endswith("}")
        elif line == "}":
            if not stack:
                raise ListingError(number, "a closing brace too many")
            block = stack.pop()
            if stack:
                stack[-1].blocks.append(block)
            else:
                yield block
        elif line.startswith("elements = {"):
            stack[-1].lines.append(line)
            open_elements = not line.endswith("}")
        elif line.endswith("{"):
            stack.append(Block(number, line[:-1].split()))
        elif stack:
            stack[-1].lines.append(line)
        else:
            raise ListingError(number, f"outside any table: {line!r}")
    if stack:
        raise ListingError(stack[-1].line, f"{' '.join(stack[-1].head)!r} has no end")


def _without_handle(line: str) -> str:
    before, found, handle = line.rpartition(" # handle ")
    return before if found and handle.isdecimal() else line


def _table(block: Block, family: str) -> Table:
    chains: dict[str, Chain] = {}
    containers: dict[str, Container] = {}
    counters: list[str] = []
    for inner in block.blocks:
        match inner.head:
            case ["chain", name]:
                chains[name] = _chain(inner.lines, family)
            case ["set" | "map" as kind, name]:
                containers[name] = _container(kind, inner)
            case ["counter", name]:
                counters.append(name)
            case _:
                raise ListingError(inner.line, f"kube-proxy has no {' '.join(inner.head)!r}")
    return Table(FAMILIES[family], chains, containers, frozenset(counters))


def _chain(lines: Sequence[str], family: str) -> Chain:
    hook = policy = ""
    rules = []
    for line in lines:
        if line.startswith("type ") and " hook " in line:
            words = line.replace(";", " ").split()
            place = words.index("priority") + 1
            end = words.index("policy")
            hook, policy = f"{words[1]} {words[3]} {priority(words[place:end])}", words[end + 1]
        elif not line.startswith("comment "):
            rules.append(normal(line, family))
    return Chain(tuple(rules), hook, policy)


def priority(words: Sequence[str]) -> int:
    """A priority as nft prints it: a number, or a name with an offset (``dstnat - 10``)."""
    base = _PRIORITIES.get(words[0])
    if base is None:
        return int(words[0])
    return base + int("".join(words[1:]) or "0")


def seconds(text: str) -> int:
    """A time as nft prints it: ``3h``, ``23h59m59s``."""
    return sum(int(number) * _UNITS[unit] for number, unit in _TIME.findall(text))


def _container(kind: str, block: Block) -> Container:
    told: dict[str, str] = {}
    for line in block.lines:
        what, _, value = line.partition(" ")
        told[what] = value
    timeout = seconds(told.get("timeout", ""))
    elements = [] if timeout else map(_element, BETWEEN_COMMAS.findall(told.get("elements", "")[3:-1]))
    name = block.head[1]
    found = {key: Element(name, key, value, comment) for key, value, comment in elements}
    return Container(kind, told.get("type", ""), told.get("comment", "").strip('"'), timeout, found)


def _element(text: str) -> tuple[str, str, str]:
    """Key, value and comment."""
    before, quoted, rest = text.strip().partition(' comment "')
    if not quoted:
        key, _, value = before.partition(" : ")
        return key, value, ""
    comment, _, after = rest.partition('"')
    return before, after.removeprefix(" : "), comment


# --- JSON


def _read_json(text: str) -> Listing:
    try:
        items = msgspec.json.decode(text)["nftables"]
    except (msgspec.DecodeError, KeyError) as fault:
        raise ListingError(0, f"no JSON of nft: {fault}") from None
    objects = [(kind, found) for item in items for kind, found in item.items()]
    names = dict.fromkeys((found["family"], found["name"]) for kind, found in objects if kind == "table")
    ours = [(family, name) for family, name in names if name == TABLE and family in FAMILIES]
    tables = {FAMILIES[family]: _table_of_objects(family, objects) for family, _ in ours}
    return Listing(tables, tuple(f"{family} {name}" for family, name in names if (family, name) not in ours))


def _table_of_objects(family: str, objects: Sequence[tuple[str, dict[str, Any]]]) -> Table:
    chains: dict[str, dict[str, Any]] = {}
    rules: dict[str, list[str]] = {}
    containers: dict[str, Container] = {}
    counters: list[str] = []
    for kind, found in objects:
        if found.get("family") != family or found.get("table") != TABLE:
            continue
        match kind:
            case "chain":
                chains[found["name"]] = found
            case "rule":
                rules.setdefault(found["chain"], []).append(_rule_of_object(found))
            case "set" | "map":
                containers[found["name"]] = _container_of_object(kind, found)
            case "counter":
                counters.append(found["name"])
            case _:
                raise ListingError(0, f"kube-proxy has no {kind}: {found.get('name')!r}")
    made = {
        name: Chain(
            tuple(rules.get(name, ())),
            f"{found['type']} {found['hook']} {found['prio']}" if "hook" in found else "",
            found.get("policy", ""),
        )
        for name, found in chains.items()
    }
    return Table(FAMILIES[family], made, containers, frozenset(counters))


def _rule_of_object(found: dict[str, Any]) -> str:
    try:
        return compose(found["expr"], found.get("comment", ""))
    except ValueError:
        # No rule of kube-proxy: its text is of no use but to tell it from others.
        return msgspec.json.encode(found["expr"]).decode()


def _container_of_object(kind: str, found: dict[str, Any]) -> Container:
    key_type = found["type"] if isinstance(found["type"], str) else " . ".join(found["type"])
    mapped = f" : {found['map']}" if "map" in found else ""
    timeout = found.get("timeout", 0)
    elements: dict[str, Element] = {}
    for item in found.get("elem", ()) if not timeout else ():
        key, value = item if kind == "map" else (item, None)
        comment = ""
        if isinstance(key, dict) and "elem" in key:
            key, comment = key["elem"]["val"], key["elem"].get("comment", "")
        told = Element(found["name"], constant(key), constant(value) if value else "", comment)
        elements[told.key] = told
    return Container(kind, key_type + mapped, found.get("comment", ""), timeout, elements)
