"""A table in the form in which a compiled one and one on a node are compared."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from rulegen.model import Family
from rulegen.nftables.base import BASE_CHAINS
from rulegen.nftables.element import Element
from rulegen.nftables.rule import normal
from rulegen.nftables.ruleset import Ruleset
from rulegen.nftables.schema import containers


class Chain(msgspec.Struct, frozen=True):
    """A chain: its rules in normal form (:func:`rule.normal`), comments included.

    ``hook`` is type, hook and priority of a base chain (``nat prerouting -100``), else empty.
    """

    rules: tuple[str, ...] = ()
    hook: str = ""
    policy: str = ""


class Container(msgspec.Struct, frozen=True):
    """A set or map: its type (``inet_proto . inet_service : verdict``) and its elements by key.

    ``timeout`` in seconds is 0 where elements stay; where they do not, they are the kernel's business and
    not here.
    """

    kind: str
    type: str
    comment: str = ""
    timeout: int = 0
    elements: Mapping[str, Element] = {}


class Table(msgspec.Struct, frozen=True):
    """What the table ``kube-proxy`` of one family holds.

    Comments of the table and of chains are left out, for ``nft -j`` 1.0.6 says nothing of them; so are
    handles, what counters counted, and the size that nft gives to sets which rules add to.
    """

    family: Family
    chains: Mapping[str, Chain] = {}
    containers: Mapping[str, Container] = {}
    counters: frozenset[str] = frozenset()


def table(ruleset: Ruleset) -> Table:
    """The table that a ruleset makes on a node without one."""
    family = ruleset.base.words.ip
    hooks = {chain: f"{kind} {hook} {priority}" for chain, kind, hook, priority in BASE_CHAINS}
    chains = {
        name: Chain(
            tuple([normal(rule, family) if "addr {" in rule or "!= {" in rule else rule for rule in rules]),
            hooks.get(name, ""),
            "accept" if name in hooks else "",
        )
        for name, rules in ruleset.rules().items()
    }
    elements = ruleset.elements()
    found: dict[str, Container] = {}
    counters = []
    for kind, name, properties in containers(ruleset):
        if kind == "counter":
            counters.append(name)
            continue
        found[name] = Container(
            kind,
            properties["type"],
            properties.get("comment", ""),
            int(properties.get("timeout", "0s").removesuffix("s")),
            elements.get(name, {}),
        )
    return Table(ruleset.family, chains, found, frozenset(counters))
