"""Reading what ``nft list ruleset`` prints: as text, with ``-a`` or not, and with ``-j``; and scripts.

Only the tables of kube-proxy are looked into; of others the name is kept. A script for ``nft -f`` as rulegen
writes it stands for what it makes in an empty kernel.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from rulegen.model import Family
from rulegen.nftables.element import Element
from rulegen.nftables.names import TABLE
from rulegen.nftables.rule import compose, constant, normal
from rulegen.nftables.table import Chain, Container, Table

LISTINGS = ("nft list ruleset", "nft -j list ruleset", "nft -a list ruleset")
FAMILIES: dict[str, Family] = {"ip": "IPv4", "ip6": "IPv6"}

# nft(8): standard priority names, of the families ip and ip6.
_PRIORITIES = {
    "raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100,
}  # fmt: skip
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_TIME = re.compile(r"(\d+)([dhms])(?!s)")
_DYNAMIC_SIZE = "65535"
_SCRIPT = re.compile(r"(?:\s|#.*)*(?:add|create|delete|destroy|flush) ")
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
    """Read a listing in any of its forms, or a script. Raises ListingError for text that is neither."""
    if text.lstrip().startswith("{"):
        return _read_json(text)
    return _read_script(text) if _SCRIPT.match(text) else _read_text(text)


def tables(listings: Mapping[str, str], family: Family) -> dict[str, Table]:
    """The listings of nft among those of a node, by the command that printed them, as the family's table.

    Raises ValueError (with the listing's name) for one that cannot be read.
    """
    found = {}
    for name in LISTINGS:
        if name in listings:
            try:
                found[name] = read(listings[name]).tables.get(family, Table(family, absent=True))
            except ValueError as fault:
                raise ValueError(f"{name}: {fault}") from None
    return found


def _read_script(text: str) -> Listing:
    # The kernel in memory reads listings itself.
    from rulegen.fake.iptables import RefusedError
    from rulegen.fake.nftables import Nftables

    kernel = Nftables()
    try:
        kernel.run(text)
    except RefusedError as fault:
        raise ListingError(fault.line, fault.fault) from None
    return _read_text(kernel.list())


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
    other: list[str] = []
    for inner in block.blocks:
        try:
            match inner.head:
                case ["chain", name]:
                    chains[name] = _chain(inner.lines, family)
                case ["set" | "map" as kind, name]:
                    containers[name] = _container(kind, inner)
                case ["counter", name]:
                    counters.append(name)
                case _:
                    other.append(" ".join(inner.head))  # kube-proxy has none of its kind
        except ValueError as fault:
            raise ListingError(inner.line, f"in {' '.join(inner.head)}: {fault}") from None
    comment = ""
    for line in block.lines:
        if line.startswith("comment "):
            comment = _comment(line)
        else:
            other.append(line)
    return Table(FAMILIES[family], chains, containers, tuple(counters), comment, tuple(sorted(other)))


def _comment(line: str) -> str:
    """The comment of a table or chain."""
    return line.removeprefix("comment ").strip('"')


def _chain(lines: Sequence[str], family: str) -> Chain:
    hook = policy = comment = ""
    rules = []
    for line in lines:
        if line.startswith("type ") and " hook " in line:
            words = line.replace(";", " ").split()
            place = words.index("priority") + 1
            end = words.index("policy")
            hook, policy = f"{words[1]} {words[3]} {priority(words[place:end])}", words[end + 1]
        elif line.startswith("comment "):
            comment = _comment(line)
        else:
            rules.append(normal(line, family))
    return Chain(tuple(rules), hook, policy, comment)


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
    name = block.head[1]
    timeout = seconds(told.pop("timeout", ""))
    listed = told.pop("elements", "= {}").removeprefix("= ")
    found = {} if timeout else {element.key: element for element in elements(name, listed)}
    flags = set(told.pop("flags", "").replace(",", " ").split())
    dynamic = "dynamic" in flags
    type_, comment = told.pop("type", ""), told.pop("comment", "").strip('"')
    other = _other(told, flags, dynamic=dynamic)
    return Container(kind, type_, comment, timeout, found, dynamic, other)


def _other(told: dict[str, str], flags: Collection[str], *, dynamic: bool) -> tuple[str, ...]:
    """Properties that kube-proxy gives to no set; a size is given by nft where rules add elements."""
    # Newer versions of nft say behind the size how many elements there are.
    size = told.pop("size", "").partition("#")[0].strip()
    lines = [f"{what} {value}".rstrip() for what, value in told.items()]
    lines += [f"flags {flag}" for flag in flags if flag not in ("dynamic", "timeout")]
    if size and not (dynamic and size == _DYNAMIC_SIZE):
        lines.append(f"size {size}")
    return tuple(sorted(lines))


def elements(container: str, text: str) -> list[Element]:
    """The elements between the braces of a listing, or of a command."""
    inside = text.strip().removeprefix("{").removesuffix("}")
    parts = [_element(part) for part in BETWEEN_COMMAS.findall(inside) if part.strip()]
    return [Element(container, key, value, comment) for key, value, comment in parts]


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
    try:
        return _of_objects([(kind, found) for item in items for kind, found in item.items()])
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        if isinstance(fault, ListingError):
            raise
        raise ListingError(0, f"no object of nft: {fault}") from None


def _of_objects(objects: Sequence[tuple[str, dict[str, Any]]]) -> Listing:
    names = dict.fromkeys((found["family"], found["name"]) for kind, found in objects if kind == "table")
    ours = [(family, name) for family, name in names if name == TABLE and family in FAMILIES]
    tables = {FAMILIES[family]: _table_of_objects(family, objects) for family, _ in ours}
    return Listing(tables, tuple(f"{family} {name}" for family, name in names if (family, name) not in ours))


def _table_of_objects(family: str, objects: Sequence[tuple[str, dict[str, Any]]]) -> Table:
    chains: dict[str, dict[str, Any]] = {}
    rules: dict[str, list[str]] = {}
    containers: dict[str, Container] = {}
    counters: list[str] = []
    strange: list[str] = []
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
                strange.append(f"{kind} {found.get('name', '')}".rstrip())
    made = {
        name: Chain(
            tuple(rules.get(name, ())),
            f"{found['type']} {found['hook']} {found['prio']}" if "hook" in found else "",
            found.get("policy", ""),
            found.get("comment"),
        )
        for name, found in chains.items()
    }
    own = next(found for kind, found in objects if kind == "table" and found["family"] == family
               and found["name"] == TABLE)  # fmt: skip
    flags = own.get("flags", ())
    other = [f"flags {flag}" for flag in ([flags] if isinstance(flags, str) else flags)] + strange
    return Table(
        FAMILIES[family], made, containers, tuple(counters), own.get("comment"), tuple(sorted(other))
    )


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
    inside = [] if timeout else [_element_of_object(kind, found["name"], e) for e in found.get("elem", ())]
    flags = set(found.get("flags", ()))
    # nft 1.0.6 does not tell which sets rules add to; it does not say that of those that have no timeout.
    dynamic = True if "dynamic" in flags else None
    told = {
        what: msgspec.json.encode(value).decode().strip('"')
        for what, value in found.items()
        if what
        not in ("family", "name", "table", "handle", "type", "map", "comment", "timeout", "elem", "flags")
    }
    other = _other(told, flags, dynamic=dynamic is not False)
    return Container(
        kind, key_type + mapped, found.get("comment", ""), timeout, {e.key: e for e in inside}, dynamic, other
    )


def _element_of_object(kind: str, container: str, item: Any) -> Element:
    key, value = item if kind == "map" else (item, None)
    comment = more = ""
    if isinstance(key, dict) and "elem" in key:
        told = key["elem"]
        key, comment = told["val"], told.get("comment", "")
        rest = {what: said for what, said in told.items() if what not in ("val", "comment")}
        more = f" {msgspec.json.encode(rest).decode()}" if rest else ""
    return Element(container, constant(key) + more, constant(value) if value else "", comment)
