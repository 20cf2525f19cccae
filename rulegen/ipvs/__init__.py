"""The ipvs mode: virtual servers, ipsets, the iptables rules that look into them, and their text."""

from rulegen.iptables.text import restore
from rulegen.ipvs.backend import BACKEND
from rulegen.ipvs.compile import compile_rules
from rulegen.ipvs.ruleset import Ruleset
from rulegen.ipvs.script import script
from rulegen.ipvs.text import ipset, ipvsadm, jumps

__all__ = ["BACKEND", "Ruleset", "compile_rules", "ipset", "ipvsadm", "jumps", "restore", "script"]
