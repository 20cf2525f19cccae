"""What real connections meet under recorded rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rulegen.model import Family
from rulegen.trace.fates import Fate, node_of_rules


def fates(
    mode: str, family: Family, rules: Mapping[str, Any], node: Mapping[str, Any]
) -> Callable[[Mapping[str, Any]], list[Fate]]:
    """Trace connections through recorded rules.

    ``rules`` are those of one family in the recorded form (``restore`` and ``jumps``, or ``nft``; of ipvs
    also ``virtual``, ``ipsets``, ``setTypes`` and ``dummy``), ``node`` has ``interfaces`` and ``routes``.
    What is returned takes a connection (``interface``, ``source``, ``protocol``, ``destination``, ``port``)
    and says all that can happen to it: ``[fate, masqueraded]``, the fate being the endpoint that answers,
    ``refused`` or ``timeout``.
    """
    return node_of_rules(mode, family, rules, node)
