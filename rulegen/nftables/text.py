"""Text of a compiled table."""

from __future__ import annotations

from rulegen.nftables.ruleset import Ruleset


def additions(ruleset: Ruleset) -> str:
    """One ``add`` command for each object of the table."""
    return "".join(ruleset.parts())


def script(ruleset: Ruleset) -> str:
    """What ``nft -f`` takes to make the table anew, whatever was in it, in one transaction.

    No other table is touched. Counters start at zero, and clients kept by session affinity are forgotten.
    """
    scope = ruleset.base.words.scope
    # A table that is not there cannot be deleted, so it is added first.
    return f"add table {scope}\ndelete table {scope}\n{additions(ruleset)}"
