"""The doors of the userspace mode, which kube-proxy had until Kubernetes 1.25."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rulegen.backend import Branch, Comparing, Form, ShownRule
from rulegen.findings import Comparison, Facts, ServiceChange
from rulegen.iptables.compare import against
from rulegen.iptables.diff import diff
from rulegen.iptables.dump import Dump, Transaction
from rulegen.iptables.parse import read
from rulegen.iptables.save import save_forms
from rulegen.iptables.summary import summary
from rulegen.model import Family
from rulegen.plan import Plan, ServicePort
from rulegen.userspace.fragment import Fragment
from rulegen.userspace.ruleset import (
    JUMPS,
    TABLES,
    Ruleset,
    commands,
    compile_rules,
    jumps,
    restore,
    restore_with_jumps,
)
from rulegen.userspace.state import as_dump, facts, told_of, views


class Userspace:
    """kube-proxy's userspace mode: rules lead to a proxy, which chooses the endpoint."""

    mode = "userspace"
    forms = (
        Form(name="restore", help="text for iptables-restore --noflush", write=restore),
        Form(name="restore-with-jumps", help="the same, jump rules included", write=restore_with_jumps),
        Form(name="jumps", help="the commands that make chains and rules one by one", write=commands),
        *save_forms(as_dump),
    )

    def compile_rules(self, plan: Plan) -> Ruleset:
        return compile_rules(plan)

    def recorded(self, ruleset: Ruleset) -> dict[str, Any]:
        return {"jumps": jumps(ruleset)}

    def data(self, ruleset: Ruleset) -> dict[str, Any]:
        return {
            "tables": {table: ruleset.chains(table) for table in TABLES},
            "jumps": jumps(ruleset),
            "proxyPorts": {each.port.name: each.proxy_port for each in ruleset.fragments.values()},
        }

    def show(self, ruleset: Ruleset, ports: Collection[ServicePort]) -> list[ShownRule]:
        wanted = {port.key for port in ports}
        numbers: dict[tuple[str, str], int] = {}
        shown: list[ShownRule] = []
        for key, each in ruleset.fragments.items():
            for rule in each.rules:
                place = rule.table, rule.chain
                numbers[place] = numbers.get(place, 0) + 1
                if key in wanted:
                    shown.append(
                        ShownRule(
                            table=rule.table,
                            chain=rule.chain,
                            number=numbers[place],
                            rule=rule.text,
                            note=rule.note,
                        )
                    )
        order = {(jump.table, jump.target): index for index, jump in enumerate(JUMPS)}
        return sorted(shown, key=lambda rule: order[rule.table, rule.chain])

    def tree(self, ruleset: Ruleset, ports: Sequence[ServicePort]) -> list[Branch]:
        own = [each for port in ports if (each := ruleset.fragments.get(port.key)) is not None]
        branches = []
        for jump in JUMPS:
            ways = tuple(way for each in own for way in _ways(each, jump.target))
            if ways:
                chain = Branch(label=jump.target, children=ways)
                branches.append(Branch(label=f"{jump.table} {jump.source}", children=(chain,)))
        return branches

    def chain_names(self, ruleset: Ruleset, port: ServicePort) -> Mapping[str, str]:
        del ruleset, port
        return {}

    def state(self, ruleset: Ruleset) -> Dump:
        return as_dump(ruleset)

    def read(self, listings: Mapping[str, str], family: Family) -> Mapping[str, Dump]:
        return read(listings, family)

    def diff(self, current: Dump, desired: Dump) -> Transaction:
        return diff(current, desired)

    def summary(self, current: Dump, desired: Dump) -> list[ServiceChange]:
        return summary(current, desired, viewed=views, told_of=told_of)

    def compare(self, current: Dump, desired: Ruleset) -> Comparison:
        return against(current, as_dump(desired), len(desired.fragments))

    def facts(self, states: Sequence[Dump]) -> Facts:
        return facts(states)


def _ways(each: Fragment, chain: str) -> list[Branch]:
    return [
        Branch(label=rule.note.partition(": ")[0], note=rule.note.partition(": ")[2])
        for rule in each.rules
        if rule.chain == chain
    ]


BACKEND: Comparing = Userspace()
