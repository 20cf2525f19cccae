"""Which of its endpoints a service port uses on this node, and for which traffic."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import msgspec

from rulegen.plan.endpoints import Candidate
from rulegen.plan.ports import ServicePort


class Topology(Enum):
    """Whose hints are honoured (KEP-2433, KEP-3015)."""

    NONE = ""
    SAME_NODE = "PreferSameNode"
    SAME_ZONE = "PreferSameZone"


class Choice(msgspec.Struct, frozen=True, gc=False):
    """The endpoints in use, each list sorted by address (pkg/proxy/topology.go, 1.37).

    ``cluster`` serves traffic under the policy Cluster, ``local`` under Local; ``reachable`` is both
    together. ``usable`` says whether the service has an endpoint in use on any node: without one its
    addresses refuse connections; with one that is elsewhere, local-only traffic is dropped.
    """

    cluster: Sequence[Candidate] = ()
    local: Sequence[Candidate] = ()
    reachable: Sequence[Candidate] = ()
    usable: bool = False
    topology: Topology = Topology.NONE


NOTHING = Choice()


def choose(port: ServicePort, found: Sequence[Candidate], node_name: str, zone: str) -> Choice:
    """Choose among ``found`` for the node ``node_name`` in ``zone`` (empty where the node has none)."""
    if not found:
        return NOTHING
    ready = [candidate for candidate in found if candidate.ready]
    uses_cluster, uses_local = port.uses_cluster, port.uses_local
    topology = Topology.NONE
    cluster: Sequence[Candidate] = ()
    usable = False

    if uses_cluster:
        topology = honoured_hints(ready, node_name, zone)
        if topology is Topology.NONE:
            cluster = ready
        elif topology is Topology.SAME_NODE:
            cluster = [c for c in ready if c.nodes is not None and node_name in c.nodes]
        else:
            cluster = [c for c in ready if c.zones is not None and zone in c.zones]
        if not cluster:
            # Nothing is ready anywhere: endpoints that terminate but still serve are better than none.
            cluster = [c for c in found if c.serving and c.terminating]
        usable = bool(cluster)

    if not uses_local:
        return Choice(cluster, (), cluster, usable, topology)

    local, fallback = local_endpoints(found)
    usable = usable or any(c.ready or (c.serving and c.terminating) for c in found)

    if not uses_cluster:
        return Choice((), local, local, usable, topology)
    if topology is Topology.NONE and not fallback:
        return Choice(cluster, local, cluster, usable, topology)
    merged = {c.address: c for c in cluster} | {c.address: c for c in local}
    reachable = [merged[address] for address in sorted(merged)]
    return Choice(cluster, local, reachable, usable, topology)


def local_endpoints(found: Sequence[Candidate]) -> tuple[Sequence[Candidate], bool]:
    """This node's endpoints for traffic under the policy Local, and whether only draining ones are left."""
    ready = [c for c in found if c.local and c.ready]
    if ready:
        return ready, False
    draining = [c for c in found if c.local and c.serving and c.terminating]
    return draining, bool(draining)


def honoured_hints(ready: Sequence[Candidate], node_name: str, zone: str) -> Topology:
    """Whose hints count: a kind does if every ready endpoint has one and one of them is for this place."""
    if not ready or (ready[0].nodes is None and ready[0].zones is None):
        return Topology.NONE
    if all(c.nodes for c in ready) and any(c.nodes and node_name in c.nodes for c in ready):
        return Topology.SAME_NODE
    if all(c.zones for c in ready) and any(c.zones and zone in c.zones for c in ready):
        return Topology.SAME_ZONE
    return Topology.NONE
