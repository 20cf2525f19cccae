"""The doors of the iptables mode."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rulegen.backend import Branch, Comparing, Form, ShownRule
from rulegen.findings import Comparison, Facts, ServiceChange
from rulegen.iptables import show
from rulegen.iptables.compare import compare, facts
from rulegen.iptables.compile import compile_rules
from rulegen.iptables.diff import diff
from rulegen.iptables.dump import Dump, Transaction
from rulegen.iptables.parse import read
from rulegen.iptables.ruleset import Ruleset
from rulegen.iptables.save import SAVE_FORMS, as_dump
from rulegen.iptables.summary import summary
from rulegen.iptables.text import jumps, restore, restore_with_jumps
from rulegen.model import Family
from rulegen.plan import Plan, ServicePort


class Iptables:
    """kube-proxy's iptables mode."""

    mode = "iptables"
    forms = (
        Form(name="restore", help="text for iptables-restore --noflush", write=restore),
        Form(name="restore-with-jumps", help="the same, jump rules included", write=restore_with_jumps),
        *SAVE_FORMS,
    )

    def compile_rules(self, plan: Plan) -> Ruleset:
        return compile_rules(plan)

    def recorded(self, ruleset: Ruleset) -> dict[str, Any]:
        return {"restore": restore(ruleset), "jumps": jumps(ruleset)}

    def data(self, ruleset: Ruleset) -> dict[str, Any]:
        return {"tables": ruleset.tables(), "jumps": jumps(ruleset), "largeCluster": ruleset.large}

    def show(self, ruleset: Ruleset, ports: Collection[ServicePort]) -> list[ShownRule]:
        return show.rules(ruleset, ports)

    def tree(self, ruleset: Ruleset, ports: Sequence[ServicePort]) -> list[Branch]:
        return show.tree(ruleset, ports)

    def chain_names(self, ruleset: Ruleset, port: ServicePort) -> Mapping[str, str]:
        return show.endpoint_chains(ruleset, port)

    def state(self, ruleset: Ruleset) -> Dump:
        return as_dump(ruleset)

    def read(self, listings: Mapping[str, str], family: Family) -> Mapping[str, Dump]:
        return read(listings, family)

    def diff(self, current: Dump, desired: Dump) -> Transaction:
        return diff(current, desired)

    def summary(self, current: Dump, desired: Dump) -> list[ServiceChange]:
        return summary(current, desired)

    def compare(self, current: Dump, desired: Ruleset) -> Comparison:
        return compare(current, desired)

    def facts(self, states: Sequence[Dump]) -> Facts:
        return facts(states)


BACKEND: Comparing = Iptables()
