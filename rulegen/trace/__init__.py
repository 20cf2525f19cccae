"""Follow a packet through the text of a node's rules, and say why it ends where it does."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from rulegen.trace.outcome import Outcome
from rulegen.trace.packet import Packet
from rulegen.trace.result import Trace
from rulegen.trace.walk import Step, TraceError

__all__ = ["Outcome", "Packet", "Step", "Trace", "TraceError"]


class _Room(ModuleType):
    """``rulegen.trace`` names this package, and the function of the Python API: it can be called as that."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        from rulegen.api import trace

        return trace(*arguments, **options)


sys.modules[__name__].__class__ = _Room
