"""The doors that every backend has, and how a mode finds its backend.

A backend is a room (``rulegen/iptables``, ``rulegen/ipvs``, ``rulegen/nftables``) with a ``backend.py`` that
exports a ``BACKEND``. Adding a mode means adding a room: nothing here or elsewhere lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast

import msgspec

import rulegen
from rulegen.findings import Comparison, Facts, ServiceChange
from rulegen.model import Family
from rulegen.plan import Plan, PlannedPort, ServicePort

PortKey: TypeAlias = tuple[str, str, str, str]
"""Namespace, Service, name of the port, protocol."""


class ShownRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule (or element, or virtual server) of a Service, with what it does in a few words.

    ``number`` is its place in the chain from 1, as ``iptables -L --line-numbers`` counts, or None where the
    place has no meaning. ``line`` is the bare line of the mode's text form
    where that is more than ``rule``.
    """

    table: str
    chain: str
    number: int | None
    rule: str
    note: str
    line: str = ""


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """A node of the tree that a packet may walk: a label, an explanation, what follows.

    ``endpoint`` is the ``ip:port`` that a leaf sends to, for whoever knows more about it (its pod, its node).
    """

    label: str
    note: str = ""
    endpoint: str = ""
    children: tuple[Branch, ...] = ()


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """An output form of a mode: its name after ``-o``, what it is, and how it is written.

    ``joins`` says that the texts of both families may stand behind each other in one file.
    """

    name: str
    help: str
    write: Callable[[Any], str]
    joins: bool = False


class Backend(Protocol):
    """What a mode offers. A ruleset is whatever ``compile_rules`` returns; other rooms do not look inside."""

    @property
    def mode(self) -> str: ...

    @property
    def forms(self) -> Sequence[Form]:
        """Text forms, the default one first."""

    def compile_rules(self, plan: Plan) -> Any:
        """All rules of one node and family."""

    def recorded(self, ruleset: Any) -> dict[str, Any]:
        """The rules in the form of recorded cases (``fixtures/conformance/README.md``)."""

    def data(self, ruleset: Any) -> dict[str, Any]:
        """The rules as plain data for ``-o json`` and ``-o yaml``."""

    def show(self, ruleset: Any, ports: Collection[ServicePort]) -> list[ShownRule]:
        """What belongs to these service ports, in the order in which a packet meets it."""

    def tree(self, ruleset: Any, ports: Sequence[ServicePort]) -> list[Branch]:
        """The same as the ways that a packet can take."""

    def chain_names(self, ruleset: Any, port: ServicePort) -> Mapping[str, str]:
        """Endpoint address (``ip:port``) -> the chain or element that stands for it, where there is one."""


class Transaction(Protocol):
    """What turns one state into another: its text, empty (and false) where nothing has to be done."""

    @property
    def text(self) -> str: ...

    def __bool__(self) -> bool: ...


class Comparing(Backend, Protocol):
    """The doors of a mode whose rules can be read back from a node.

    A state is whatever ``state`` and ``read`` return for one family; other rooms do not look inside.
    """

    def state(self, ruleset: Any) -> Any:
        """Compiled rules as the state of a node that has just these."""

    def read(self, listings: Mapping[str, str], family: Family) -> Mapping[str, Any]:
        """Listing (the command that printed it) -> the state that it tells; others are passed over.

        Raises ValueError for a listing that cannot be read.
        """

    def diff(self, current: Any, desired: Any) -> Transaction:
        """What makes ``desired`` of ``current``; foreign things are left alone."""

    def summary(self, current: Any, desired: Any) -> list[ServiceChange]:
        """The same in words, by service port."""

    def compare(self, current: Any, desired: Any) -> Comparison:
        """Whether a node (a state) is as it should be (a ruleset)."""

    def facts(self, states: Sequence[Any]) -> Facts:
        """What the states of a node, of both families where they are there, tell about it."""


class Following(Protocol):
    """A mode's part of :class:`rulegen.Compiler`: fragments of one node and family that come and go."""

    def resized(self, endpoints: int) -> bool:
        """Whether so many endpoints make every fragment another one than those before."""

    def compile(self, ports: Sequence[PlannedPort]) -> dict[PortKey, Any]:
        """The fragments of service ports."""

    def start(self, fragments: Mapping[PortKey, Any]) -> None:
        """Begin with these fragments."""

    def transition(self, steps: Sequence[tuple[PortKey, Any, Any]]) -> Transaction:
        """What makes the kernel follow: service port, its fragment as it was and as it is (None: not there).

        The cost is that of these fragments, however many others there are.
        """

    def ruleset(self, fragments: Mapping[PortKey, Any]) -> Any:
        """The ruleset of all fragments, which are in their fixed order."""


def following(plan: Plan) -> Following:
    """What follows changes in the mode of a plan. Raises ValueError for a mode whose rules do not change."""
    mode = plan.machine.config.mode
    try:
        room = import_module(f"rulegen.{backend(mode).mode}.following")
    except ModuleNotFoundError:
        raise ValueError(f"changes of rules in {mode} mode cannot be followed") from None
    found: Following = room.Following(plan)
    return found


def comparing(mode: str) -> Comparing:
    """The backend of a mode, whose rules can be read back. Raises ValueError where there is none."""
    found = backend(mode)
    if not hasattr(found, "compare"):
        raise ValueError(f"rules of {mode} mode cannot be compared yet")
    return cast(Comparing, found)


def backend(mode: str) -> Backend:
    """The backend of a mode. Raises ValueError for a mode that has none."""
    if mode not in modes():
        raise ValueError(f"unknown mode {mode!r}; known modes: {', '.join(modes())}")
    found: Backend = import_module(f"rulegen.{mode}").BACKEND
    return found


def modes() -> list[str]:
    """All modes, sorted: the rooms that have a ``backend.py``. None of them is imported for this."""
    return sorted(door.parent.name for place in rulegen.__path__ for door in Path(place).glob("*/backend.py"))


def document(mode: Backend, rulesets: Mapping[Any, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """The rules of several families as one piece of plain data.

    A mode whose kernel interface has a JSON form of its own (nft) prints that one: its backend has a
    ``document`` too, which takes the rulesets by family.
    """
    own = getattr(mode, "document", None)
    if own is not None:
        native: dict[str, Any] = own(rulesets)
        return native
    return {**about, "families": {family: mode.data(ruleset) for family, ruleset in rulesets.items()}}
