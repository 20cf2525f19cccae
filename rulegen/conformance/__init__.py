"""How recorded behaviour of the real Kubernetes is compared with ours.

Each function is a thin way into the rooms that do the work; see ``fixtures/conformance/README.md``.
"""

from rulegen.conformance.compare import difference
from rulegen.conformance.controllers import endpoints, slices
from rulegen.conformance.dns import dns
from rulegen.conformance.fates import fates
from rulegen.conformance.kubectl import kubectl
from rulegen.conformance.nodes import differences
from rulegen.conformance.objects import validate
from rulegen.conformance.rules import replay

__all__ = [
    "difference",
    "differences",
    "dns",
    "endpoints",
    "fates",
    "kubectl",
    "replay",
    "slices",
    "validate",
]
