"""The doors of the ipvs mode."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rulegen.backend import Branch, Comparing, Form, ShownRule
from rulegen.findings import Comparison, Facts, ServiceChange
from rulegen.iptables.save import SAVE_FORMS
from rulegen.iptables.text import restore, restore_with_jumps
from rulegen.ipvs import show, text
from rulegen.ipvs.base import DUMMY, Sysctl
from rulegen.ipvs.compare import compare, facts
from rulegen.ipvs.compile import compile_rules
from rulegen.ipvs.diff import diff
from rulegen.ipvs.ruleset import Ruleset
from rulegen.ipvs.script import script
from rulegen.ipvs.sets import MAX_ELEMENTS, SETS, hash_family, set_name
from rulegen.ipvs.state import State, read, state
from rulegen.ipvs.summary import summary
from rulegen.ipvs.table import table
from rulegen.ipvs.transaction import Transaction
from rulegen.model import Family
from rulegen.plan import Plan, ServicePort


class Ipvs:
    """kube-proxy's ipvs mode."""

    mode = "ipvs"
    forms = (
        Form(
            name="script", help="one shell script that programs all of it on a node", write=script, joins=True
        ),
        Form(name="ipvsadm", help="virtual and real servers, for ipvsadm -R", write=text.ipvsadm, joins=True),
        Form(name="ipset", help="sets with their entries, for ipset restore", write=text.ipset, joins=True),
        Form(name="restore", help="the iptables part, for iptables-restore --noflush", write=restore),
        Form(name="restore-with-jumps", help="the same, jump rules included", write=restore_with_jumps),
        *SAVE_FORMS,
        Form(
            name="listings",
            help="what the node's tools list then",
            write=lambda ruleset: state(ruleset).text,
        ),
        Form(name="table", help="a table to read", write=table, joins=True),
    )

    def compile_rules(self, plan: Plan) -> Ruleset:
        return compile_rules(plan)

    def recorded(self, ruleset: Ruleset) -> dict[str, Any]:
        return text.recorded(ruleset)

    def data(self, ruleset: Ruleset) -> dict[str, Any]:
        settings, family = ruleset.settings, ruleset.family
        entries = ruleset.sets()
        timeouts = settings.timeouts
        return {
            "scheduler": settings.scheduler,
            "virtualServers": [
                {
                    "protocol": server.protocol,
                    "address": server.address,
                    "use": server.use,
                    "flags": server.flags,
                    "persistentTimeoutSeconds": server.timeout,
                    "realServers": [{"address": a, "weight": text.WEIGHT} for a in server.servers],
                }
                for server in ruleset.virtual_servers().values()
            ],
            "ipsets": [
                {
                    "name": set_name(kind.name, family),
                    "type": kind.type,
                    "comment": kind.comment,
                    "entries": entries[kind.name],
                }
                | (
                    {"range": "0-65535"}
                    if kind.type == "bitmap:port"
                    else {"family": hash_family(family), "hashsize": 1024, "maxelem": MAX_ELEMENTS}
                )
                for kind in SETS
            ],
            "device": {"name": DUMMY, "type": "dummy", "addresses": ruleset.addresses()},
            "nodePortAddresses": list(settings.node_port_ips),
            "tables": ruleset.tables(),
            "jumps": text.jumps(ruleset),
            "modules": list(settings.modules),
            "sysctls": [_sysctl(sysctl) for sysctl in settings.sysctls],
            "timeoutSeconds": (
                dict(zip(("tcp", "tcpFin", "udp"), timeouts, strict=True)) if timeouts is not None else None
            ),
            "excludeCIDRs": list(settings.exclude_cidrs),
        }

    def show(self, ruleset: Ruleset, ports: Collection[ServicePort]) -> list[ShownRule]:
        return show.rules(ruleset, ports)

    def tree(self, ruleset: Ruleset, ports: Sequence[ServicePort]) -> list[Branch]:
        return show.tree(ruleset, ports)

    def chain_names(self, ruleset: Ruleset, port: ServicePort) -> Mapping[str, str]:
        return show.real_servers(ruleset, port)

    def state(self, ruleset: Ruleset) -> State:
        return state(ruleset)

    def read(self, listings: Mapping[str, str], family: Family) -> Mapping[str, State]:
        return read(listings, family)

    def diff(self, current: State, desired: State) -> Transaction:
        return diff(current, desired)

    def summary(self, current: State, desired: State) -> list[ServiceChange]:
        return summary(current, desired)

    def compare(self, current: State, desired: Ruleset) -> Comparison:
        return compare(current, desired)

    def facts(self, states: Sequence[State]) -> Facts:
        return facts()


def _sysctl(sysctl: Sysctl) -> dict[str, Any]:
    """A setting; ``since`` and ``before`` are kernel versions."""
    found: dict[str, Any] = {"path": sysctl.path, "value": sysctl.value}
    if sysctl.since is not None:
        found["since"] = "{}.{}".format(*sysctl.since)
    if sysctl.before is not None:
        found["before"] = "{}.{}".format(*sysctl.before)
    return found


BACKEND: Comparing = Ipvs()
