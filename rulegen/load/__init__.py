"""From manifests, listings and recorded cases to typed objects: the one room that knows their forms."""

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
