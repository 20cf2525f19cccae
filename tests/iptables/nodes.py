"""Nodes in memory: what kube-proxy programmed, in the order it happened to choose, among its neighbours."""

from __future__ import annotations

import random

from rulegen.iptables import Ruleset
from rulegen.iptables.dump import Chain, Dump
from rulegen.iptables.owned import CANARY, LAST_RULE, SHARED_CHAINS, is_jump, is_owned
from rulegen.iptables.save import as_dump, as_saved

FOREIGN_CHAINS = {
    "filter": {
        "cali-FORWARD": [
            "-i cali+ -m comment --comment cali:abc -j ACCEPT",
            '-m comment --comment "x y" -j MARK --set-xmark 0x10000/0x10000',
        ],
        "DOCKER-USER": ["-j RETURN"],
    },
    "nat": {
        "DOCKER": [
            "-i docker0 -j RETURN",
            "! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80",
        ],
        "CNI-HOSTPORT-DNAT": [],
        "MINE": ["-s 10.9.0.0/16 -j KUBE-MARK-MASQ"],
    },
}  # fmt: skip
FOREIGN_RULES = {
    ("filter", "FORWARD"): [
        '-m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD',
        "-j DOCKER-USER",
        "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    ],
    ("filter", "INPUT"): ["-i lo -j ACCEPT", "-p tcp -m tcp --dport 22 -j ACCEPT", "-i lo -j ACCEPT"],
    ("nat", "PREROUTING"): ["-m addrtype --dst-type LOCAL -j DOCKER", "-s 10.7.7.7/32 -j KUBE-SERVICES"],
    ("nat", "OUTPUT"): ["-m addrtype --dst-type LOCAL -j DOCKER"],
    ("nat", "POSTROUTING"): ["-s 10.9.0.0/16 -j MASQUERADE"],
}


def programmed(ruleset: Ruleset) -> Dump:
    """A node with these rules, as its iptables-save (nft) prints them."""
    return as_saved(as_dump(ruleset), "nft")


def lived_in(dump: Dump, chance: random.Random) -> Dump:
    """The same node with canaries, neighbours around the jumps, and shared chains in some other order."""
    tables = {
        table: {name: Chain(chain.policy, list(chain.rules)) for name, chain in chains.items()}
        for table, chains in dump.tables.items()
    }
    for table, chains in tables.items():
        chains[CANARY] = Chain()
        for name, chain in chains.items():
            if name in SHARED_CHAINS:
                last = [rule for rule in chain.rules if LAST_RULE in rule]
                others = [rule for rule in chain.rules if LAST_RULE not in rule]
                chance.shuffle(last)
                chance.shuffle(others)
                chain.rules = others + last
        for name, rules in FOREIGN_CHAINS.get(table, {}).items():
            chains[name] = Chain(rules=[rule for rule in rules if _fits(rule, dump)])
        for name, chain in chains.items():
            for rule in FOREIGN_RULES.get((table, name), ()):
                if _fits(rule, dump):
                    chain.rules.insert(chance.randint(0, len(chain.rules)), rule)
    return as_saved(Dump(family=dump.family, variant=dump.variant, tables=tables), "nft")


def _fits(rule: str, dump: Dump) -> bool:
    """The rules above that name addresses are of IPv4."""
    return dump.family == "IPv4" or "." not in rule


def foreign(dump: Dump) -> dict[tuple[str, str], list[str]]:
    """Everything on the node that is not kube-proxy's, in its order."""
    found = {}
    for table, chains in dump.tables.items():
        for name, chain in chains.items():
            if chain.policy != "-":
                found[table, name] = [rule for rule in chain.rules if not is_jump(rule, dump.family)]
            elif not is_owned(name):
                found[table, name] = chain.rules
    return found


def ours(dump: Dump) -> dict[tuple[str, str], list[str]]:
    """kube-proxy's part of a node, chains that all Services share sorted but for the rules that come last."""
    found = {}
    for table, chains in dump.tables.items():
        for name, chain in chains.items():
            if chain.policy != "-":
                found[table, name] = [rule for rule in chain.rules if is_jump(rule, dump.family)]
            elif name in SHARED_CHAINS:
                count = sum(LAST_RULE in rule for rule in chain.rules)
                cut = len(chain.rules) - count
                found[table, name] = sorted(chain.rules[:cut]) + sorted(chain.rules[cut:])
            elif is_owned(name):
                found[table, name] = chain.rules
    return found
