"""Owners found in manifests: every name and address that their Services stand for, in use or not."""

from __future__ import annotations

from collections.abc import Iterator

from rulegen.iptables.names import CLUSTER, ENDPOINT, EXTERNAL, FIREWALL, LOCAL, hashes
from rulegen.nftables.names import hashed, port_text
from rulegen.plan import Plan, PlannedPort
from rulegen.whose.answer import Answer, Question

_CHAINS = {
    CLUSTER: "chain for traffic under the policy Cluster",
    LOCAL: "chain for traffic under the policy Local",
    FIREWALL: "chain of its source ranges",
    EXTERNAL: "chain for traffic from outside",
}


def in_plan(plan: Plan, asked: Question) -> list[Answer]:
    """All owners among the service ports of a plan."""
    found: list[Answer] = []
    for planned in plan.ports:
        if asked.chain:
            found += _of_chain(planned, asked.chain)
        else:
            found += _of_address(plan, planned, asked)
    if plan.machine.config.mode == "userspace" and asked.port:
        found += _of_proxy(plan, asked)
    return found


def _of_proxy(plan: Plan, asked: Question) -> Iterator[Answer]:
    """The service port for which the userspace proxy listens on a port."""
    from rulegen.userspace import compile_rules

    if asked.ip and asked.ip not in plan.machine.interface_ips:
        return
    for each in compile_rules(plan).fragments.values():
        port = each.port
        if each.proxy_port == asked.port and asked.protocol in ("", port.protocol):
            yield Answer(
                service=port.name,
                protocol=port.protocol,
                family=port.family,
                role="port of its proxy",
                endpoint="",
                note="",
            )


def _answer(planned: PlannedPort, role: str, endpoint: str = "", note: str = "") -> Answer:
    port = planned.port
    return Answer(
        service=port.name,
        protocol=port.protocol,
        family=port.family,
        role=role,
        endpoint=endpoint,
        note=note,
    )


def _of_chain(planned: PlannedPort, chain: str) -> Iterator[Answer]:
    port = planned.port
    if not chain.startswith("KUBE-"):
        # nftables names carry the Service: KIND-HASH-NAMESPACE/NAME/PROTOCOL/PORT[__ENDPOINT]
        own = hashed([port_text(port)])[0]
        kind, _, rest = chain.partition("-")
        name, _, endpoint = rest.partition("__")
        if name == own or name.partition("-")[2] == own.partition("-")[2]:
            yield _answer(planned, f"{kind} chain", endpoint.replace("/", ":"))
        return
    prefix = port.name + port.protocol.lower()
    if chain.startswith(ENDPOINT):
        names = hashes([prefix + c.address for c in planned.found])
        used = {c.address for c in planned.choice.reachable}
        for c, own in zip(planned.found, names, strict=True):
            if chain == ENDPOINT + own:
                note = "" if c.address in used else "no rule uses it on this node"
                yield _answer(planned, "endpoint", c.address, note)
        return
    own = hashes([prefix])[0]
    for start, role in _CHAINS.items():
        if chain == start + own:
            yield _answer(planned, role)


def _of_address(plan: Plan, planned: PlannedPort, asked: Question) -> Iterator[Answer]:
    port = planned.port
    if asked.protocol and asked.protocol != port.protocol:
        return
    for ip, role in [
        (port.cluster_ip, "cluster IP"),
        *[(ip, "external IP") for ip in port.external_ips],
        *[(ip, "load balancer IP") for ip in port.load_balancer_vips],
    ]:
        if asked.ip == ip:
            if asked.port in (0, port.port):
                yield _answer(planned, role)
        elif not asked.ip and asked.port == port.port:
            yield _answer(planned, f"port of its {role} {ip}")
    local = not asked.ip or asked.ip in plan.machine.interface_ips
    if port.node_port and local and asked.port == port.node_port:
        yield _answer(planned, "node port")
    if port.health_check_node_port and local and asked.port == port.health_check_node_port:
        yield _answer(planned, "health check node port")
    if not asked.ip:
        return
    used = {c.address for c in planned.choice.reachable}
    for c in planned.found:
        if c.ip == asked.ip and (not asked.port or c.address.endswith(f":{asked.port}")):
            note = "" if c.address in used else "no rule uses it on this node"
            yield _answer(planned, "endpoint", c.address, note)
