"""The iptables mode: names, fragments, rulesets and their text."""

from rulegen.iptables.backend import BACKEND
from rulegen.iptables.compile import compile_rules
from rulegen.iptables.ruleset import Ruleset
from rulegen.iptables.text import jumps, restore, restore_with_jumps

__all__ = ["BACKEND", "Ruleset", "compile_rules", "jumps", "restore", "restore_with_jumps"]
