"""The iptables mode: names, fragments, rulesets and their text; dumps, what changes, and what differs."""

from rulegen.iptables.backend import BACKEND
from rulegen.iptables.compile import compile_rules
from rulegen.iptables.dump import Chain, Dump, Section, Transaction
from rulegen.iptables.ruleset import Ruleset
from rulegen.iptables.text import jumps, restore, restore_with_jumps

__all__ = [
    "BACKEND",
    "Chain",
    "Dump",
    "Ruleset",
    "Section",
    "Transaction",
    "compile_rules",
    "jumps",
    "restore",
    "restore_with_jumps",
]
