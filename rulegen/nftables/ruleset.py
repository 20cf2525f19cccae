"""The compiled table of one node and family, as fragments that are joined into text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TypeAlias

import msgspec

from rulegen.model import Family
from rulegen.nftables.base import Base
from rulegen.nftables.element import Element
from rulegen.nftables.fragment import Fragment

PortKey: TypeAlias = tuple[str, str, str, str]


class Ruleset(msgspec.Struct, frozen=True):
    """The table of one family: ``fragments`` by service port (namespace, Service, port, protocol)."""

    family: Family
    base: Base
    fragments: Mapping[PortKey, Fragment]

    def elements(self) -> dict[str, dict[str, Element]]:
        """Set or map -> key -> element, for those that have any.

        Where service ports ask for the same key, the last one with another verdict gets it, as in kube-proxy
        when it meets them in this order.
        """
        found: dict[str, dict[str, Element]] = {}
        owned = [fragment.elements for fragment in self.fragments.values()]
        for element in chain(self.base.elements, chain.from_iterable(owned)):
            inside = found.setdefault(element.container, {})
            known = inside.get(element.key)
            if known is None or known.value != element.value:
                inside[element.key] = element
        return found

    def parts(self) -> Iterator[str]:
        """The pieces of the text, in order: whatever is named has been added before."""
        fragments = self.fragments.values()
        base = self.base
        yield base.table
        yield base.chains
        yield from [fragment.chains for fragment in fragments]
        yield base.containers
        yield from [fragment.sets for fragment in fragments if fragment.sets]
        yield base.rules
        yield from [fragment.rules for fragment in fragments]
        for container, inside in self.elements().items():
            start = f"add element {base.words.scope} {container} {{ "
            yield from [f"{start}{element.text} }}\n" for element in inside.values()]

    def rules(self) -> dict[str, list[str]]:
        """Chain -> its rules in order, each without ``add rule FAMILY TABLE CHAIN``; all chains are there."""
        found: dict[str, list[str]] = {}
        texts = [fragment.chains for fragment in self.fragments.values()]
        for line in (self.base.chains + "".join(texts)).splitlines():
            found[line.split(" ", 5)[4]] = []
        texts = [fragment.rules for fragment in self.fragments.values()]
        for line in (self.base.rules + "".join(texts)).splitlines():
            _, _, _, _, name, rule = line.split(" ", 5)
            found[name].append(rule)
        return found
