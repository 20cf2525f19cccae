"""From a plan to what the proxy listens for."""

from __future__ import annotations

from rulegen.plan import Plan
from rulegen.userspace.fragment import listener
from rulegen.userspace.proxy import Service
from rulegen.userspace.ruleset import compile_rules

ANY = {"IPv4": "0.0.0.0", "IPv6": "::"}


def services(plan: Plan) -> list[Service]:
    """The service ports to listen for, in their fixed order, with their ready endpoints on all nodes.

    The userspace mode knew neither traffic policies nor hints: it read Endpoints objects. Raises ValueError
    for a proxy that is to listen on loopback.
    """
    found = {planned.port.key: planned for planned in plan.ports}
    where = listen_address(plan)
    return [
        Service(
            name=each.port.name,
            protocol=each.port.protocol,
            proxy_port=each.proxy_port,
            endpoints=tuple(c.address for c in found[key].found if c.ready),
            affinity_seconds=each.port.affinity_seconds,
            address=where,
        )
        for key, each in compile_rules(plan).fragments.items()
    ]


def listen_address(plan: Plan) -> str:
    """The address to listen on. Raises ValueError for loopback, as kube-proxy refused it."""
    return listener(plan.machine).address or ANY[plan.machine.family]
