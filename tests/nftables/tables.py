"""Tables of a few Services, and what somebody may have done to them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from rulegen.model import Cluster, EndpointSlice, Service
from rulegen.nftables import Ruleset, compile_rules
from rulegen.nftables.table import Chain, Table, table
from rulegen.plan import plan
from tests.objects import CONFIG, NODE, cluster, service, slice_of


def compiled(objects: Cluster) -> Ruleset:
    return compile_rules(plan(objects, NODE, CONFIG, "IPv4"))


def many(*addresses: str, affinity: int = 0, count: int = 3) -> Table:
    """Some Services, the second one with these endpoints."""
    objects: list[Service | EndpointSlice] = []
    for number in range(count):
        ips = addresses if number == 1 else ("10.10.3.1", "10.10.3.2")
        owner = service(f"web-{number}", ip=f"10.96.{1 + number // 250}.{number % 250}", affinity=affinity)
        objects += [owner, slice_of(owner, ips)]
    return table(compiled(cluster(*objects)))


def with_chain(found: Table, name: str, **fields: object) -> Table:
    chain = msgspec.structs.replace(found.chains.get(name, Chain()), **fields)
    return msgspec.structs.replace(found, chains={**found.chains, name: chain})


def with_container(found: Table, name: str, **fields: object) -> Table:
    container = msgspec.structs.replace(found.containers[name], **fields)
    return msgspec.structs.replace(found, containers={**found.containers, name: container})


def _services_as_base_chain(found: Table) -> Table:
    for name in ("nat-output", "nat-prerouting"):
        found = with_chain(found, name, rules=())
    return with_chain(found, "services", hook="filter forward 7", policy="accept", rules=())


def _of_another_type(found: Table) -> Table:
    for name in ("services", "cluster-ips-check"):
        rules = tuple(rule for rule in found.chains[name].rules if "@cluster-ips" not in rule)
        found = with_chain(found, name, rules=rules)
    return with_container(found, "cluster-ips", type="inet_service", elements={})


TAMPERED: dict[str, Callable[[Table], Table]] = {
    "comment of the table": lambda t: msgspec.structs.replace(t, comment="mine"),
    "table asleep": lambda t: msgspec.structs.replace(t, other=("flags dormant",)),
    "counter": lambda t: msgspec.structs.replace(t, counters=("mine",)),
    "priority": lambda t: with_chain(t, "nat-output", hook="nat output -90"),
    "policy": lambda t: with_chain(t, "filter-input", policy="drop"),
    "hook gone": lambda t: with_chain(t, "filter-input", hook="", policy=""),
    "hook added": _services_as_base_chain,
    "comment of a chain": lambda t: with_chain(t, "reject-chain", comment="another"),
    "rule": lambda t: with_chain(t, "reject-chain", rules=("drop",)),
    "rules out of order": lambda t: with_chain(
        t, "filter-input", rules=tuple(reversed(t.chains["filter-input"].rules))
    ),
    "rule of somebody else": lambda t: with_chain(
        t, "services", rules=("ip saddr 192.0.2.1 accept", *t.chains["services"].rules)
    ),
    "base chain": lambda t: with_chain(
        t, "mine", hook="nat prerouting 3", policy="accept", rules=("jump services",)
    ),
    "stale chain": lambda t: with_chain(t, "service-AAAAAAAA-gone/gone/tcp/", rules=("goto reject-chain",)),
    "chain gone": lambda t: msgspec.structs.replace(
        with_chain(t, "filter-prerouting-pre-dnat", rules=()),
        chains={
            name: msgspec.structs.replace(chain, rules=()) if name.endswith("-pre-dnat") else chain
            for name, chain in t.chains.items()
            if name != "firewall-check"
        },
    ),
    "comment of a map": lambda t: with_container(t, "service-ips", comment="another"),
    "type": _of_another_type,
    "flags": lambda t: with_container(t, "cluster-ips", other=("flags interval",)),
    "timeout": lambda t: with_container(t, "hairpin-connections", timeout=9),
    "elements gone": lambda t: with_container(t, "no-endpoint-services", elements={}),
}  # fmt: skip
"""What was done to a table, each in a way that the kernel takes."""
