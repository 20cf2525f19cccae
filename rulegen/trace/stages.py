"""What is called at a hook of the kernel, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from rulegen.trace.walk import Walk

HOOKS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
NAT_PRIORITY = {"PREROUTING": -100, "INPUT": 100, "OUTPUT": -100, "POSTROUTING": 100}
"""Where chains that translate are called, whatever priority they ask for (nf_nat_proto.c)."""


def _nothing() -> None:
    pass


class Base(msgspec.Struct, frozen=True):
    """A chain that the kernel calls: its hook, its priority there, and how it is followed.

    Chains that translate are asked for a connection's first packet only, until one of them settles it.
    ``sends`` says that it may send packets on by itself, past what else is at the hook. ``prepare`` reads
    what can be read before a packet comes.
    """

    hook: str
    priority: int
    run: Callable[[Walk], list[Walk]]
    translates: bool = False
    sends: bool = False
    prepare: Callable[[], None] = _nothing


class Stage(msgspec.Struct, frozen=True):
    """What is called at one priority: one chain, or all that translate, one after the other."""

    priority: int
    bases: Sequence[Base]
    translates: bool = False


def stages(hook: str, bases: Iterable[Base]) -> list[Stage]:
    """What is called at a hook, in order. Chains that translate share one place, whatever they ask for."""
    own = [base for base in bases if base.hook == hook]
    stages = [Stage(base.priority, (base,)) for base in own if not base.translates]
    if hook in NAT_PRIORITY:
        translating = sorted((base for base in own if base.translates), key=lambda base: base.priority)
        stages.append(Stage(NAT_PRIORITY[hook], translating, translates=True))
    return sorted(stages, key=lambda stage: stage.priority)
