"""The userspace mode of kube-proxy 1.25: its rules, and the proxy itself."""

from rulegen.userspace.backend import BACKEND
from rulegen.userspace.ruleset import Ruleset, compile_rules

__all__ = ["BACKEND", "Ruleset", "compile_rules"]
