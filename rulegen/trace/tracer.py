"""From rules in any form, and what is known beside them, to the traces of packets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from rulegen.backend import backend
from rulegen.collector import paused
from rulegen.dump import mode_of, recognise, split
from rulegen.load import plain_node
from rulegen.model import FAMILIES, Cluster, Family, ProxyConfig
from rulegen.model import Node as NodeFacts
from rulegen.plan import Plan, plan
from rulegen.trace import conntrack as connections
from rulegen.trace import grounds, listed
from rulegen.trace.ask import Question, ask
from rulegen.trace.node import Node
from rulegen.trace.packet import State
from rulegen.trace.places import Directory
from rulegen.trace.result import Trace
from rulegen.versions import DEFAULT_VERSION


class Tracer:
    """Rules that are read once, for many packets; see :func:`rulegen.trace` for what the arguments are.

    Rules of a family are read when the first packet of that family is traced; ``prepare`` reads them now, so
    that no packet has to wait::

        tracer = rulegen.Tracer(cluster, node={"name": "n1", "ips": ["192.168.10.1"]})
        for port in (80, 443):
            print(tracer.trace("external", f"192.168.10.1:{port}"))
    """

    def __init__(
        self,
        rules: Any,
        *,
        cluster: Cluster | None = None,
        node: NodeFacts | Mapping[str, Any] | None = None,
        config: ProxyConfig | Mapping[str, Any] | None = None,
        mode: str | None = None,
        version: str = DEFAULT_VERSION,
        namespace: str = "default",
        recent: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        if isinstance(rules, Cluster):
            cluster = rules
        given = _given(rules)
        if node is not None and not isinstance(node, NodeFacts):
            node = plain_node(node)
        self._version = version
        self._facts = node
        self._cluster = cluster
        listings = given if given is not None and not set(given) & set(FAMILIES) else None
        self._config, self._mode = _configuration(given or {}, listings, cluster, config, mode)
        self._directory = Directory(
            cluster=cluster or Cluster(),
            node=node or NodeFacts(),
            namespace=namespace,
            listed={} if listings is None else listed.services(listings),
        )
        lists = grounds.recent_of(recent)
        self._plans: dict[Family, Plan] = {}
        self._made: dict[Family, Node] = {}
        if listings is not None:
            self._make = grounds.dumped(listings, node, self._config, self._directory, lists)
        else:
            facts = node or NodeFacts()
            self._make = grounds.compiled(
                self._rules_of(given or {}), self._mode, facts, self._config, self._directory, lists
            )

    def trace(
        self,
        source: str,
        to: str,
        *,
        family: Family | None = None,
        protocol: str | None = None,
        interface: str | None = None,
        state: State = "NEW",
        conntrack: str = "",
    ) -> Trace:
        """Follow the first packet of a connection. Raises ValueError for what cannot be asked."""
        question = Question(
            source=source,
            to=to,
            family=family,
            protocol=protocol,
            interface=interface,
            state=state,
            connections=connections.read(conntrack),
        )
        with paused():
            plans = self._plan if self._cluster is not None else None
            return ask(question, self._directory, self._node, plans, self._mode)

    def prepare(self, *families: Family) -> None:
        """Read the rules of these families now. Raises ValueError for rules that cannot be read."""
        with paused():
            for family in families:
                self._node(family).prepare()

    def _node(self, family: Family) -> Node:
        if family not in self._made:
            self._made[family] = self._make(family)
        return self._made[family]

    def _plan(self, family: Family) -> Plan:
        if family not in self._plans:
            facts = self._facts or NodeFacts()
            cluster = self._cluster or Cluster()
            self._plans[family] = plan(cluster, facts, self._config, family, self._version)
        return self._plans[family]

    def _rules_of(self, own: Mapping[str, Any]) -> Callable[[Family], Any]:
        def rules(family: Family) -> Any:
            if family in own:
                return own[family]
            if own:
                raise ValueError(f"no rules of {family} were given")
            return backend(self._mode).compile_rules(self._plan(family))

        return rules


def _given(rules: Any) -> Mapping[str, Any] | None:
    """Rulesets by family, or listings by command; None for a Cluster, whose rules are to be compiled."""
    if isinstance(rules, Cluster):
        return None
    if isinstance(rules, str):
        return {recognise(piece) or "": piece for piece in split(rules)}
    if isinstance(rules, Mapping) and rules and all(isinstance(name, str) for name in rules):
        return rules
    raise ValueError(
        f"rules must be a Cluster, what compile() returned, the text of a dump, or listings by the command"
        f" that printed them: {type(rules).__name__} {rules!r:.60} is none of them"
    )


def _configuration(
    given: Mapping[str, Any],
    listings: Mapping[str, str] | None,
    cluster: Cluster | None,
    config: ProxyConfig | Mapping[str, Any] | None,
    mode: str | None,
) -> tuple[ProxyConfig, str]:
    """The configuration, in the mode of the rules where they tell it."""
    from rulegen.api import as_config

    found = as_config(config, cluster, mode)
    if mode is None and listings is not None:
        mode = mode_of(listings)
    elif given and listings is None:
        # Every mode has a ruleset of its own, in its own room.
        made_by = type(next(iter(given.values()))).__module__.split(".")[1]
        if mode not in (None, made_by):
            raise ValueError(f"the rules were compiled in {made_by} mode, not in {mode} mode")
        mode = made_by
    chosen = mode or found.mode
    return msgspec.structs.replace(found, mode=chosen), chosen
