"""From manifests, listings and recorded cases to typed objects: the one room that knows their forms."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from rulegen.load.config import proxy_config
from rulegen.load.loader import Loaded, Progress, load, load_configuration
from rulegen.load.node import NodeFacts, node_facts, plain_node
from rulegen.load.problems import LoadError, Problem

__all__ = [
    "LoadError",
    "Loaded",
    "NodeFacts",
    "Problem",
    "Progress",
    "load",
    "load_configuration",
    "node_facts",
    "plain_node",
    "proxy_config",
]


class _Room(ModuleType):
    """``rulegen.load`` names this package, and the function of the Python API: it can be called as that."""

    def __call__(self, *sources: Any, **options: Any) -> Any:
        from rulegen.api import load as load_cluster

        return load_cluster(*sources, **options)


sys.modules[__name__].__class__ = _Room
