"""What the ipvs mode makes of Services, where that is not what the others do (docs/mode-differences.md)."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from tests.trace.oracle import Expected, Oracle, Port, Probe


def served_by_ipvs(oracle: Oracle, port: Port, kind: str, probe: Probe) -> Expected:
    """A connection to a virtual server."""
    cluster, local = oracle.cluster(port), oracle.local(port)
    only_local = port.internal_local if kind == "cluster" else port.external_local
    chosen = (local or cluster) if only_local else cluster
    found = Expected("endpoints", frozenset(c.address for c in chosen))
    if only_local:
        found.quirks.add("local-policy-in-ipvs")
    from_node = probe.origin == "node"
    if from_node:
        found.quirks.add("source-of-the-node-in-ipvs")
        if kind == "balancer" and port.ranges:
            found.quirks.add("source-ranges-in-ipvs")
    elif kind == "balancer" and not oracle.lets_in(port, probe):
        if not oracle.usable(port):
            found.quirks.add("source-ranges-without-endpoints")
        return Expected("dropped", quirks=found.quirks)
    if not chosen:
        return Expected("refused", quirks=found.quirks)
    if from_node and kind == "balancer" and _dropped_on_its_way_out(oracle, port, probe):
        return Expected("dropped", quirks=found.quirks)
    hidden = _masquerades(oracle, port, kind, probe)
    itself = [c for c in chosen if c.ip == probe.source and oracle.is_known_here(c, probe.protocol)]
    found.masqueraded = frozenset(c.address for c in (chosen if hidden else itself))
    if any(c.ip == probe.source and not c.here for c in chosen):
        found.quirks.add("hairpin-of-an-endpoint-elsewhere")
    return found


def _dropped_on_its_way_out(oracle: Oracle, port: Port, probe: Probe) -> bool:
    """The node's own packets carry the address that they go to; ranges let the node in, or not."""
    if not port.ranges or probe.source != probe.destination:
        return False
    return not any(ip_address(oracle.node_ip) in ip_network(net) for net in port.ranges)


def _masquerades(oracle: Oracle, port: Port, kind: str, probe: Probe) -> bool:
    if ip_address(probe.source).is_loopback:
        return False
    if kind != "cluster":
        return not port.external_local
    if oracle.config.masquerade_all:
        return True
    pod = oracle.is_pod(probe)
    if pod is None:
        # Without knowing pods, the node's own packets are told by their source: a cluster IP of that port.
        return any(
            p.cluster_ip == probe.source and p.port == probe.port and p.protocol == probe.protocol
            for p in oracle.ports
        )
    return not pod
