"""The chains, sets and maps of an nft ruleset, from its text.

That is what ``nft list ruleset`` prints, plainly or as JSON, or commands for ``nft -f``. Rules are kept as
they stand; nothing is looked at inside them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from rulegen.nftables.listing import BETWEEN_COMMAS, Block, ListingError, blocks, priority, seconds

RuleForm: TypeAlias = "str | Sequence[Mapping[str, Any]]"
"""A rule as text, or as the statements of libnftables-json(5)."""


class Chain(msgspec.Struct):
    """A chain; ``kind`` (``nat``, ``filter``, ``route``) is empty where the kernel does not call it."""

    name: str
    kind: str = ""
    hook: str = ""
    priority: int = 0
    policy: str = "accept"
    rules: list[RuleForm] = msgspec.field(default_factory=list)


class Container(msgspec.Struct):
    """A set or map: the types of its keys and of its data (``""`` for a set), and its elements.

    An element is its text, or its JSON form. ``dynamic`` says that rules add elements.
    """

    name: str
    types: tuple[str, ...] = ()
    data: str = ""
    dynamic: bool = False
    elements: list[Any] = msgspec.field(default_factory=list)


class Table(msgspec.Struct):
    """A table of the nft family ``ip``, ``ip6`` or ``inet``."""

    family: str
    name: str
    chains: dict[str, Chain] = msgspec.field(default_factory=dict)
    containers: dict[str, Container] = msgspec.field(default_factory=dict)

    @property
    def title(self) -> str:
        return f"{self.family} {self.name}"


Tables: TypeAlias = dict[tuple[str, str], Table]


def read(text: str) -> list[Table]:
    """All tables of the families ip, ip6 and inet. Raises ListingError for text that is none."""
    start = text.lstrip()
    if start.startswith("{"):
        tables = _read_json(text)
    elif start.startswith("table ") or not start:
        tables = {}
        for block in blocks(text):
            _add_block(tables, block)
    else:
        tables = _read_commands(text)
    return [table for table in tables.values() if table.family in ("ip", "ip6", "inet")]


def _add_block(tables: Tables, block: Block) -> None:
    if len(block.head) != 3 or block.head[0] != "table":
        raise ListingError(block.line, f"expected a table, found {' '.join(block.head)!r}")
    _, family, name = block.head
    table = tables.setdefault((family, name), Table(family, name))
    for inner in block.blocks:
        kind, *names = inner.head
        if kind == "chain" and names:
            chain = table.chains.setdefault(names[0], Chain(names[0]))
            for line in inner.lines:
                _add_line(chain, line)
        elif kind in ("set", "map") and names:
            found = table.containers.setdefault(names[0], Container(names[0]))
            for line in inner.lines:
                _tell(found, line)
            if "size 65535" in inner.lines:  # what nft makes up for sets that rules add to
                found.dynamic = True


def _add_line(chain: Chain, line: str) -> None:
    if line.startswith("type ") and " hook " in line:
        _hook(chain, line)
    elif not line.startswith(("comment ", "policy ")):
        chain.rules.append(line)


def _hook(chain: Chain, line: str) -> None:
    """``type nat hook prerouting priority dstnat; policy accept;``."""
    words = line.replace(";", " ; ").split()
    chain.kind = words[1]
    chain.hook = words[words.index("hook") + 1]
    place = words.index("priority") + 1
    chain.priority = priority(words[place : words.index(";", place)])
    if "policy" in words:
        chain.policy = words[words.index("policy") + 1]


def _tell(found: Container, text: str) -> None:
    """One property of a set or map."""
    what, _, value = text.strip().partition(" ")
    match what:
        case "type" | "typeof":
            keys, _, found.data = value.partition(" : ")
            found.types = tuple(part.strip() for part in keys.split(" . "))
        case "flags":
            found.dynamic = found.dynamic or "dynamic" in value
        case "timeout":
            found.dynamic = found.dynamic or bool(seconds(value))
        case "elements":
            found.elements += _elements(value.removeprefix("= "))


def _elements(text: str) -> Iterator[str]:
    inside = text.strip().removeprefix("{").removesuffix("}")
    return (piece.strip() for piece in BETWEEN_COMMAS.findall(inside) if piece.strip())


# --- commands

_COMMAND = re.compile(
    r"(?:(?P<verb>add|create|insert|delete|destroy|flush) )?"
    r"(?P<kind>table|chain|rule|set|map|element|counter|ruleset)"
    r"(?: (?P<family>ip|ip6|inet|arp|bridge|netdev))?(?: (?P<rest>.*))?$"
)


def _read_commands(text: str) -> Tables:
    tables: Tables = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped[0] == "#":
            continue
        # The quick way for what there are tens of thousands of.
        match = _COMMAND.match(stripped)
        if match is None:
            raise ListingError(number, f"neither a listing of nft nor a command that is known: {stripped!r}")
        verb, kind, family = match["verb"] or "add", match["kind"], match["family"] or "ip"
        rest = match["rest"] or ""
        try:
            _carry_out(tables, verb, kind, family, rest)
        except (KeyError, ValueError, IndexError) as fault:
            raise ListingError(number, f"{stripped!r} ({fault})") from None
    return tables


def _carry_out(tables: Tables, verb: str, kind: str, family: str, rest: str) -> None:
    name, _, rest = rest.partition(" ")
    if kind == "ruleset":
        tables.clear()
        return
    if kind == "table":
        if verb in ("delete", "destroy"):
            tables.pop((family, name), None)
        elif verb == "flush":
            for chain in tables[family, name].chains.values():
                chain.rules.clear()
        else:
            tables.setdefault((family, name), Table(family, name))
        return
    table = tables.setdefault((family, name), Table(family, name))
    name, _, rest = rest.partition(" ")
    if verb not in ("add", "create", "insert"):
        _remove(table, verb, kind, name)
    elif kind == "rule":
        chain = table.chains[name]
        chain.rules.insert(0 if verb == "insert" else len(chain.rules), rest)
    elif kind == "chain":
        chain = table.chains.setdefault(name, Chain(name))
        inside = rest.strip().removeprefix("{").removesuffix("}").strip()
        if inside.startswith("type "):
            _hook(chain, inside)
    elif kind in ("set", "map"):
        found = table.containers.setdefault(name, Container(name))
        for piece in _properties(rest.strip().removeprefix("{").removesuffix("}")):
            _tell(found, piece)
    elif kind == "element":
        table.containers[name].elements += _elements(rest)


_PROPERTY = re.compile(r'(?:[^;"{]|"[^"]*"|\{[^}]*\})+')


def _properties(text: str) -> list[str]:
    return [piece for piece in _PROPERTY.findall(text) if piece.strip()]


def _remove(table: Table, verb: str, kind: str, name: str) -> None:
    if kind == "chain" and verb == "flush":
        table.chains[name].rules.clear()
    elif kind == "chain":
        table.chains.pop(name, None)
    elif kind in ("set", "map") and verb == "flush":
        table.containers[name].elements.clear()
    elif kind in ("set", "map"):
        table.containers.pop(name, None)
    elif kind != "counter":
        raise ValueError(f"{verb} {kind} is not followed")


# --- JSON


def _read_json(text: str) -> Tables:
    try:
        return _of_items(msgspec.json.decode(text)["nftables"])
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError) as fault:
        raise ListingError(0, f"no JSON of nft: {fault}") from None


def _of_items(items: Iterable[Mapping[str, Any]]) -> Tables:
    tables: Tables = {}
    for item in items:
        for kind, found in item.items():
            if kind == "table":
                tables.setdefault((found["family"], found["name"]), Table(found["family"], found["name"]))
            elif isinstance(found, dict) and (found.get("family"), found.get("table")) in tables:
                _add_object(tables[found["family"], found["table"]], kind, found)
    return tables


def _add_object(table: Table, kind: str, found: Mapping[str, Any]) -> None:
    if kind == "chain":
        base = "hook" in found
        table.chains[found["name"]] = Chain(
            found["name"],
            found["type"] if base else "",
            found.get("hook", ""),
            found.get("prio", 0),
            found.get("policy", "accept"),
        )
    elif kind == "rule":
        table.chains[found["chain"]].rules.append(found["expr"])
    elif kind in ("set", "map"):
        types = found["type"] if isinstance(found["type"], list) else [found["type"]]
        table.containers[found["name"]] = Container(
            found["name"],
            tuple(map(str, types)),
            str(found.get("map", "")),
            bool(found.get("timeout")) or "dynamic" in found.get("flags", ()),
            list(found.get("elem", ())),
        )
