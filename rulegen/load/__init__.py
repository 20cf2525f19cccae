"""From manifests, listings and recorded cases to typed objects: the one room that knows their forms."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from rulegen.load.config import proxy_config
from rulegen.load.loader import Loaded, Progress, load, load_configuration
from rulegen.load.node import NodeFacts, node_facts
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
    "proxy_config",
]

if TYPE_CHECKING:
    from rulegen.model import Cluster


class _Room(ModuleType):
    """``rulegen.load`` is this room and, when called, the function of the Python API."""

    def __call__(self, *sources: Any, **options: Any) -> Cluster:
        from rulegen.api import load

        return load(*sources, **options)


sys.modules[__name__].__class__ = _Room
