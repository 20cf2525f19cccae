"""What rules and verdicts name: chains, sets and maps, counters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

from rulegen.nftables.statements import split_comment

Kind: TypeAlias = Literal["chain", "container", "counter"]
Reference: TypeAlias = tuple[Kind, str]

_NAMED = re.compile(r'(?:\b(?:jump|goto) |(@)|\b(counter) name "?)([^\s,"}]+)')


def of_rule(rule: str) -> Iterator[Reference]:
    """What a rule names, its comment aside; in the words of kube-proxy or of ``nft list``."""
    text, _ = split_comment(rule)
    for at, counter, name in _NAMED.findall(text):
        yield ("container" if at else "counter" if counter else "chain"), name


def of_rules(rules: Iterable[str]) -> Iterator[Reference]:
    """What several rules name."""
    for rule in rules:
        yield from of_rule(rule)


def target(verdict: str) -> str:
    """The chain that a verdict leads to; empty for ``drop`` and the like."""
    kind, _, name = verdict.partition(" ")
    return name if kind in ("goto", "jump") else ""
