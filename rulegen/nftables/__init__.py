"""The nftables mode: names, fragments, the table and its text."""

from rulegen.nftables.backend import BACKEND
from rulegen.nftables.compile import compile_rules
from rulegen.nftables.ruleset import Ruleset
from rulegen.nftables.text import additions, script

__all__ = ["BACKEND", "Ruleset", "additions", "compile_rules", "script"]
