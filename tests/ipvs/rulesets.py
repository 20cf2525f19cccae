"""Compiled rulesets of recorded cases, and what a kernel says about sets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from rulegen.ipvs import Ruleset, compile_rules
from rulegen.ipvs.base import DUMMY
from rulegen.load.scenario import from_scenario
from rulegen.plan import plan
from tests.recorded import cases

# What `ipset save` adds for a hash set: the size of its buckets, and the random start of its hash.
_ADDED = re.compile(r"^(create \S+ hash:.*) bucketsize 12 initval 0x[0-9a-f]{8}$")
_HOST = re.compile(r"/(?:32|128)$")


def rulesets(scenario: Mapping[str, Any]) -> list[Ruleset]:
    """One ruleset for each family of a recorded case."""
    case = from_scenario(scenario)
    return [
        compile_rules(plan(case.cluster, case.node, case.config, family, service_cidrs=()))
        for family in case.families
    ]


def covering(name: str) -> list[dict[str, Any]]:
    """Recorded cases (``1.37-ipvs``) that together show all that any of them shows."""
    left = [(case, _shown(case)) for case in cases(name)]
    wanted: set[str] = set().union(*(shown for _, shown in left))
    chosen = []
    while wanted:
        case, shown = max(left, key=lambda pair: len(pair[1] & wanted))
        chosen.append(case)
        wanted -= shown
    return chosen


def _shown(case: Mapping[str, Any]) -> set[str]:
    """The kinds of things in a case: sets that are filled, servers, rules, and the fields of its node."""
    ipvs = case["scenario"]["config"].get("ipvs") or {}
    found = {f"configured {field}" for field in ipvs}
    for family, expected in case["expected"].items():
        found |= {f"entries in {name}" for name, entries in expected["ipsets"].items() if entries}
        for server in expected.get("virtual", ()):
            protocol, _, scheduler, flags, _, _, reals = server.split(" ", 6)
            found.add(f"{family} {protocol} {flags} {'served' if reals != '[]' else 'empty'}")
            found.add(scheduler)
        if "-A KUBE-IPVS-OUT-FILTER" in expected["restore"]:
            found.add(f"{family} kept from the node")
    return found


def addresses(listing: str, device: str = DUMMY) -> set[str]:
    """The addresses of a device, with their lengths, in what ``ip -j addr`` prints."""
    links = [link for link in json.loads(listing) if link["ifname"] == device]
    return {f"{a['local']}/{a['prefixlen']}" for link in links for a in link["addr_info"]}


def bound(compiled: Iterable[Ruleset]) -> set[str]:
    """The addresses that were compiled for the dummy device, with their lengths."""
    length = {"IPv4": 32, "IPv6": 128}
    return {f"{ip}/{length[ruleset.family]}" for ruleset in compiled for ip in ruleset.addresses()}


def rule_lines(listing: str) -> list[str]:
    """Lines of iptables-save without its comments; a chain's counts depend on who passed by."""
    return [
        line.partition(" [")[0] if line.startswith(":") else line
        for line in listing.splitlines()
        if not line.startswith("#")
    ]


def set_lines(texts: Iterable[str]) -> list[str]:
    """Lines for ``ipset restore`` as a kernel prints them, sorted: a host is written without its length."""
    return sorted(_HOST.sub("", line) for text in texts for line in text.splitlines())


def saved_set_lines(listing: str) -> list[str]:
    """Lines of ``ipset save``, sorted, without what the kernel adds to a line that creates a set."""
    return sorted(_ADDED.sub(r"\1", line) for line in listing.splitlines())
