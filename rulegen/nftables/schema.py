"""A compiled table in nft's own JSON schema (libnftables-json(5)).

Objects have the form in which ``nft -j list`` prints them, without handles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rulegen.nftables import names
from rulegen.nftables.base import BASE_CHAINS, TABLE_COMMENT
from rulegen.nftables.element import Element
from rulegen.nftables.ruleset import Ruleset
from rulegen.nftables.statements import key, read, split_comment, verdict

SCHEMA_VERSION = 1
_QUOTED = ' comment "'


def objects(ruleset: Ruleset) -> list[dict[str, Any]]:
    """All objects of the table, each as ``{kind: {...}}``, in an order in which nft can add them.

    Comments of tables, chains and maps are there, though nft 1.0.6 neither takes nor prints them.
    """
    family, table = ruleset.base.words.ip, names.TABLE
    own = {"family": family, "table": table}
    found: list[dict[str, Any]] = [{"table": {"family": family, "name": table, "comment": TABLE_COMMENT}}]
    found += _chains(ruleset, own)
    found += _containers(ruleset, own)
    for chain, rules in ruleset.rules().items():
        for rule in rules:
            text, comment = split_comment(rule)
            note = {"comment": comment} if comment else {}
            found.append({"rule": {**own, "chain": chain, **note, "expr": read(text, family)}})
    return found


def document(rulesets: Iterable[Ruleset]) -> dict[str, Any]:
    """What ``nft -j -f`` takes to make these tables anew, whatever was in them, in one transaction."""
    steps: list[dict[str, Any]] = [{"metainfo": {"json_schema_version": SCHEMA_VERSION}}]
    for ruleset in rulesets:
        table = {"table": {"family": ruleset.base.words.ip, "name": names.TABLE}}
        steps += [{"add": table}, {"delete": table}, *[{"add": item} for item in objects(ruleset)]]
    return {"nftables": steps}


def containers(ruleset: Ruleset) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Kind (``set``, ``map``, ``counter``), name, and what each is told when it is added."""
    for line in _lines(ruleset.base.containers, [f.sets for f in ruleset.fragments.values()]):
        _, kind, _, _, rest = line.split(" ", 4)
        name, _, told = rest.partition(" { ")
        properties: dict[str, str] = {}
        for part in told.removesuffix(" ; }").split(" ; ") if told else ():
            what, _, value = part.partition(" ")
            properties[what] = value.strip('"')
        yield kind, name, properties


def _chains(ruleset: Ruleset, own: dict[str, Any]) -> Iterator[dict[str, Any]]:
    hooks = {
        chain: {"type": kind, "hook": hook, "prio": priority, "policy": "accept"}
        for chain, kind, hook, priority in BASE_CHAINS
    }
    for line in _lines(ruleset.base.chains, [f.chains for f in ruleset.fragments.values()]):
        chain, _, rest = line.split(" ", 4)[4].partition(" ")
        found = {**own, "name": chain, **hooks.get(chain, {})}
        _, quoted, comment = rest.partition(_QUOTED)
        if quoted:
            found["comment"] = comment.partition('"')[0]
        yield {"chain": found}


def _containers(ruleset: Ruleset, own: dict[str, Any]) -> Iterator[dict[str, Any]]:
    elements = ruleset.elements()
    for kind, name, properties in containers(ruleset):
        found: dict[str, Any] = {**own, "name": name}
        if kind == "counter":
            yield {"counter": {**found, "packets": 0, "bytes": 0}}
            continue
        key_type, _, mapped = properties["type"].partition(" : ")
        parts = key_type.split(" . ")
        found["type"] = parts[0] if len(parts) == 1 else parts
        if mapped:
            found["map"] = mapped
        if "timeout" in properties:
            # nft 1.0.6 takes no "dynamic" here; a rule that updates the set makes it so.
            found["flags"] = ["timeout"]
            found["timeout"] = int(properties["timeout"].removesuffix("s"))
        if "comment" in properties:
            found["comment"] = properties["comment"]
        if name in elements:
            found["elem"] = [_element(element) for element in elements[name].values()]
        yield {kind: found}


def _element(element: Element) -> Any:
    found = key(element.key)
    if element.comment:
        found = {"elem": {"val": found, "comment": element.comment}}
    return [found, verdict(element.value)] if element.value else found


def _lines(first: str, others: list[str]) -> list[str]:
    return (first + "".join(others)).splitlines()
