"""What is known of a node beside its rules: state that packets before this one left behind."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from rulegen.trace.host import Host
from rulegen.trace.ipsets import Ipset


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What matches ask for that is neither in the packet nor in the rules.

    ``recent`` are the addresses in lists of ``-m recent`` and in the sets that nftables rules update, by
    name; a list that is not named is empty. ``sets`` are the ipsets; None where no listing of them is at
    hand, so that a match on a set cannot be known.
    """

    host: Host
    recent: Mapping[str, frozenset[int]] = {}
    sets: Mapping[str, Ipset] | None = None
