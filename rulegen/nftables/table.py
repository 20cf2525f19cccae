"""A table in the form in which a compiled one and one on a node are compared."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from rulegen.model import Family
from rulegen.nftables.base import BASE_CHAINS, REJECT_COMMENT, TABLE_COMMENT
from rulegen.nftables.element import Element
from rulegen.nftables.names import REJECT_CHAIN
from rulegen.nftables.rule import normal
from rulegen.nftables.ruleset import Ruleset
from rulegen.nftables.schema import containers


class Chain(msgspec.Struct, frozen=True):
    """A chain: its rules in normal form (:func:`rule.normal`), comments included.

    ``hook`` is type, hook and priority of a base chain (``nat prerouting -100``), else empty. ``comment``
    is None where the listing does not tell it (``nft -j`` 1.0.6).
    """

    rules: tuple[str, ...] = ()
    hook: str = ""
    policy: str = ""
    comment: str | None = ""


class Container(msgspec.Struct, frozen=True):
    """A set or map: its type (``inet_proto . inet_service : verdict``) and its elements by key.

    ``timeout`` in seconds is 0 where elements stay; where they do not, they are the kernel's business and
    not here. ``dynamic`` says that rules may add elements; None where the listing does not tell it (``nft
    -j`` 1.0.6). ``other`` are properties that kube-proxy gives to none, as nft lists them, sorted.
    """

    kind: str
    type: str
    comment: str = ""
    timeout: int = 0
    elements: Mapping[str, Element] = {}
    dynamic: bool | None = False
    other: tuple[str, ...] = ()


class Table(msgspec.Struct, frozen=True):
    """What the table ``kube-proxy`` of one family holds.

    Handles, what counters counted, and the size that nft gives to sets which rules add to are left out.
    ``comment`` is None where the listing does not tell it (``nft -j`` 1.0.6); ``other`` are properties of
    the table that kube-proxy does not give to it (``flags dormant``). ``absent`` is a node without it.
    """

    family: Family
    chains: Mapping[str, Chain] = {}
    containers: Mapping[str, Container] = {}
    counters: tuple[str, ...] = ()
    comment: str | None = ""
    other: tuple[str, ...] = ()
    absent: bool = False

    @property
    def text(self) -> str:
        """As ``nft list table`` prints it; empty where there is none."""
        from rulegen.nftables.listed import table

        return "" if self.absent else table(self)


def unlike(one: str | bool | None, other: str | bool | None) -> bool:
    """Whether two facts differ, as far as both are told."""
    return one is not None and other is not None and one != other


def same_shape(one: Container, other: Container) -> bool:
    """Whether two sets or maps differ in nothing but their elements."""
    return (
        (one.kind, one.type, one.comment, one.timeout, one.other)
        == (other.kind, other.type, other.comment, other.timeout, other.other)
    ) and not unlike(one.dynamic, other.dynamic)


def same_chain(one: Chain, other: Chain) -> bool:
    """Whether two chains differ in nothing but their rules."""
    return (one.hook, one.policy) == (other.hook, other.policy) and not unlike(one.comment, other.comment)


def equal(one: Table | None, other: Table | None) -> bool:
    """Whether two tables are the same, as far as the listings that they were read from tell.

    None is a node without one.
    """
    if one is None or other is None or one.absent or other.absent:
        return (one is None or one.absent) and (other is None or other.absent)
    return (
        (one.family, one.other, set(one.counters)) == (other.family, other.other, set(other.counters))
        and not unlike(one.comment, other.comment)
        and one.chains.keys() == other.chains.keys()
        and one.containers.keys() == other.containers.keys()
        and all(
            chain.rules == other.chains[name].rules and same_chain(chain, other.chains[name])
            for name, chain in one.chains.items()
        )
        and all(
            found.elements == other.containers[name].elements and same_shape(found, other.containers[name])
            for name, found in one.containers.items()
        )
    )


def table(ruleset: Ruleset) -> Table:
    """The table that a ruleset makes on a node without one."""
    family = ruleset.base.words.ip
    hooks = {chain: f"{kind} {hook} {priority}" for chain, kind, hook, priority in BASE_CHAINS}
    chains = {
        name: Chain(
            tuple([normal(rule, family) if "addr {" in rule or "!= {" in rule else rule for rule in rules]),
            hooks.get(name, ""),
            "accept" if name in hooks else "",
            REJECT_COMMENT if name == REJECT_CHAIN else "",
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
            "dynamic" in properties.get("flags", ""),
        )
    return Table(ruleset.family, chains, found, tuple(counters), TABLE_COMMENT)
