"""The doors of the nftables mode."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rulegen.backend import Branch, Comparing, Form, ShownRule
from rulegen.findings import Comparison, Facts, ServiceChange
from rulegen.model import Family
from rulegen.nftables import schema, show
from rulegen.nftables.compare import compare, facts
from rulegen.nftables.compile import compile_rules
from rulegen.nftables.diff import Transaction, diff
from rulegen.nftables.listing import tables
from rulegen.nftables.ruleset import Ruleset
from rulegen.nftables.summary import summary
from rulegen.nftables.table import Table, table
from rulegen.nftables.text import additions, script
from rulegen.plan import Plan, ServicePort


class Nftables:
    """kube-proxy's nftables mode."""

    mode = "nftables"
    forms = (
        Form(name="nft", help="script for nft -f that makes the table anew", write=script, joins=True),
        Form(
            name="nft-add",
            help="one add command for each object, nothing removed first",
            write=additions,
            joins=True,
        ),
    )

    def compile_rules(self, plan: Plan) -> Ruleset:
        return compile_rules(plan)

    def recorded(self, ruleset: Ruleset) -> dict[str, Any]:
        return {"nft": additions(ruleset)}

    def data(self, ruleset: Ruleset) -> dict[str, Any]:
        return schema.document([ruleset])

    def document(self, rulesets: Mapping[Family, Ruleset]) -> dict[str, Any]:
        """What ``nft -j -f`` takes to make the tables of these families anew."""
        return schema.document(rulesets.values())

    def show(self, ruleset: Ruleset, ports: Collection[ServicePort]) -> list[ShownRule]:
        return show.rules(ruleset, ports)

    def tree(self, ruleset: Ruleset, ports: Sequence[ServicePort]) -> list[Branch]:
        return show.tree(ruleset, ports)

    def chain_names(self, ruleset: Ruleset, port: ServicePort) -> Mapping[str, str]:
        return show.endpoint_chains(ruleset, port)

    def state(self, ruleset: Ruleset) -> Table:
        return table(ruleset)

    def read(self, listings: Mapping[str, str], family: Family) -> Mapping[str, Table]:
        return tables(listings, family)

    def diff(self, current: Table, desired: Table) -> Transaction:
        return diff(current, desired)

    def summary(self, current: Table, desired: Table) -> list[ServiceChange]:
        return summary(current, desired)

    def compare(self, current: Table, desired: Ruleset) -> Comparison:
        return compare(current, desired)

    def facts(self, states: Sequence[Table]) -> Facts:
        return facts(states)


BACKEND: Comparing = Nftables()
