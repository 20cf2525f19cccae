"""From rules in any form, and what is known beside them, to the trace of a packet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from rulegen.backend import backend
from rulegen.dump import recognise, split
from rulegen.model import FAMILIES, Cluster, Family, ProxyConfig
from rulegen.model import Node as NodeFacts
from rulegen.plan import Plan, plan
from rulegen.trace import grounds, listed
from rulegen.trace.ask import Question, ask
from rulegen.trace.node import Node
from rulegen.trace.places import Directory
from rulegen.trace.result import Trace


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside the rules; see :func:`rulegen.api.trace`."""

    cluster: Cluster | None
    node: NodeFacts | None
    config: ProxyConfig
    mode: str | None
    version: str
    namespace: str = "default"
    recent: Mapping[str, Sequence[str]] = {}


def trace_on(rules: Any, question: Question, known: Known) -> Trace:
    """Trace a packet on rules: a dump's text or listings, rulesets by family, or objects to compile.

    Raises ValueError.
    """
    if isinstance(rules, str):
        rules = {recognise(piece) or "": piece for piece in split(rules)}
    listings = rules if isinstance(rules, Mapping) and not set(rules) & set(FAMILIES) else None
    directory = Directory(
        cluster=known.cluster or Cluster(),
        node=known.node or NodeFacts(),
        namespace=known.namespace,
        listed={} if listings is None else listed.services(listings),
    )
    if listings is not None:
        mode = known.mode or grounds.mode_of(listings)
        lists = grounds.recent_of(known.recent)
        nodes = grounds.dumped(listings, known.node, _in_mode(known.config, mode), directory, lists)
    else:
        mode, nodes = _compiled(rules, known, directory)
    return ask(question, directory, nodes, _plans(known, mode), mode)


def _compiled(rules: Any, known: Known, directory: Directory) -> tuple[str, Callable[[Family], Node]]:
    own = rules if isinstance(rules, Mapping) else {}
    # Every mode has a ruleset of its own, in its own room.
    made_by = next((type(ruleset).__module__.split(".")[1] for ruleset in own.values()), None)
    mode = known.mode or made_by or known.config.mode
    plans = _plans(known, mode)

    def compiled(family: Family) -> Any:
        if family in own:
            return own[family]
        if own or plans is None:
            raise ValueError(f"no rules of {family} were given")
        return backend(mode).compile_rules(plans(family))

    facts, config = known.node or NodeFacts(), _in_mode(known.config, mode)
    lists = grounds.recent_of(known.recent)
    return mode, grounds.compiled(compiled, mode, facts, config, directory, lists)


def _plans(known: Known, mode: str) -> Callable[[Family], Plan] | None:
    cluster = known.cluster
    if cluster is None:
        return None
    config = _in_mode(known.config, mode)
    made: dict[Family, Plan] = {}

    def planned(family: Family) -> Plan:
        if family not in made:
            made[family] = plan(cluster, known.node or NodeFacts(), config, family, known.version)
        return made[family]

    return planned


def _in_mode(config: ProxyConfig, mode: str) -> ProxyConfig:
    if mode == config.mode or mode not in ("iptables", "ipvs", "nftables", "userspace"):
        return config
    return msgspec.structs.replace(config, mode=mode)
