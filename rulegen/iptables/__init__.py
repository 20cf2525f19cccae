"""The iptables mode: names, fragments, rulesets and their text; dumps, what changes, and what differs."""

from rulegen.iptables.backend import BACKEND
from rulegen.iptables.changes import ChainChange, RuleChanges
from rulegen.iptables.compare import compare
from rulegen.iptables.compile import compile_rules
from rulegen.iptables.diff import changes, diff, transaction
from rulegen.iptables.dump import Chain, Dump, Section, Transaction
from rulegen.iptables.normal import normal, saved
from rulegen.iptables.parse import ParseError, parse, parse_all, parse_transaction
from rulegen.iptables.ruleset import Ruleset
from rulegen.iptables.save import as_dump, as_saved, save
from rulegen.iptables.summary import summary
from rulegen.iptables.text import jumps, restore, restore_with_jumps

__all__ = [
    "BACKEND",
    "Chain",
    "ChainChange",
    "Dump",
    "ParseError",
    "RuleChanges",
    "Ruleset",
    "Section",
    "Transaction",
    "as_dump",
    "as_saved",
    "changes",
    "compare",
    "compile_rules",
    "diff",
    "jumps",
    "normal",
    "parse",
    "parse_all",
    "parse_transaction",
    "restore",
    "restore_with_jumps",
    "save",
    "saved",
    "summary",
    "transaction",
]
