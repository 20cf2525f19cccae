"""Compile, diff, trace and try the node rules that Kubernetes Services turn into.

    import rulegen

    cluster = rulegen.load("manifests/")
    rules = rulegen.compile(cluster, mode="iptables")["IPv4"]

The names below are the stable Python API; what they need is imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from rulegen import conformance
    from rulegen.api import compile, load, text, trace
    from rulegen.backend import Transaction
    from rulegen.compiler import Compiler
    from rulegen.load.problems import LoadError, Problem
    from rulegen.model import Cluster, EndpointSlice, Node, ProxyConfig, Service
    from rulegen.trace.tracer import Tracer
    from rulegen.watching import changes

__all__ = [
    "Cluster",
    "Compiler",
    "EndpointSlice",
    "LoadError",
    "Node",
    "Problem",
    "ProxyConfig",
    "Service",
    "Tracer",
    "Transaction",
    "changes",
    "compile",
    "conformance",
    "load",
    "text",
    "trace",
]

_HOMES = {
    "Cluster": "rulegen.model",
    "Compiler": "rulegen.compiler",
    "EndpointSlice": "rulegen.model",
    "LoadError": "rulegen.load.problems",
    "Node": "rulegen.model",
    "Problem": "rulegen.load.problems",
    "ProxyConfig": "rulegen.model",
    "Service": "rulegen.model",
    "Tracer": "rulegen.trace.tracer",
    "Transaction": "rulegen.backend",
    "changes": "rulegen.watching",
    "compile": "rulegen.api",
    "text": "rulegen.api",
}


def __getattr__(name: str) -> Any:
    if name in ("conformance", "load", "trace"):
        return import_module(f"rulegen.{name}")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'rulegen' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
