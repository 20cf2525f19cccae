"""The doors that every backend has, and how a mode finds its backend.

A backend is a room (``rulegen/iptables``, ``rulegen/ipvs``, ``rulegen/nftables``) whose package holds a
``BACKEND``. Adding a mode means adding a room: nothing here or elsewhere lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

import msgspec

from rulegen.plan import Plan, ServicePort


class ShownRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule (or element, or virtual server) of a Service, with what it does in a few words.

    ``number`` is its place in the chain from 1, as ``iptables -L --line-numbers`` counts, or None where the
    place has no meaning.
    """

    table: str
    chain: str
    number: int | None
    rule: str
    note: str


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

    mode: str
    forms: Sequence[Form]
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


def backend(mode: str) -> Backend:
    """The backend of a mode. Raises ValueError for a mode that has none."""
    name = f"rulegen.{mode}"
    if not mode.isidentifier() or find_spec(name) is None:
        raise ValueError(f"unknown mode {mode!r}; known modes: {', '.join(modes())}")
    found = getattr(import_module(name), "BACKEND", None)
    if found is None:
        raise ValueError(f"unknown mode {mode!r}; known modes: {', '.join(modes())}")
    backend: Backend = found
    return backend


def modes() -> list[str]:
    """All modes that have a backend, in a fixed order."""
    from rulegen.model.node import MODES

    return [mode for mode in MODES if find_spec(f"rulegen.{mode}") is not None]


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
