"""The doors of the iptables mode."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rulegen.backend import Branch, Form, ShownRule
from rulegen.iptables import show
from rulegen.iptables.compile import compile_rules
from rulegen.iptables.ruleset import Ruleset
from rulegen.iptables.save import SAVE_FORMS
from rulegen.iptables.text import jumps, restore, restore_with_jumps
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


BACKEND = Iptables()
