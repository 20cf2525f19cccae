"""Small objects as a cluster holds them, for the stories in this folder."""

from typing import Any

import msgspec

from rulegen.model import Cluster, Endpoints, EndpointSlice, KubeNode, Pod, Service

HTTP = {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}


def service(name: str = "web", *, selector: dict[str, str] | None = None, **spec: Any) -> Service:
    """A ClusterIP Service that selects app=web, unless ``selector`` says otherwise ({} for none)."""
    metadata = {"name": name, "namespace": "shop", **spec.pop("metadata", {})}
    chosen = {"app": "web"} if selector is None else selector
    filled = {"ports": [HTTP], "clusterIP": "10.96.0.10", "ipFamilies": ["IPv4"], **spec}
    if chosen:
        filled["selector"] = chosen
    return msgspec.convert({"metadata": metadata, "spec": filled}, Service)


def pod(
    name: str,
    *ips: str,
    ready: bool = True,
    node: str = "n1",
    phase: str = "Running",
    containers: list[dict[str, Any]] | None = None,
    deleted: bool = False,
    **other: Any,
) -> Pod:
    """A Pod of application web on node n1, ready and running."""
    metadata: dict[str, Any] = {"name": name, "namespace": "shop", "labels": {"app": "web"}}
    metadata |= other.pop("metadata", {})
    if deleted:
        metadata |= {"deletionTimestamp": "2026-01-01T00:00:30Z", "deletionGracePeriodSeconds": 30}
    spec = {"nodeName": node, "containers": containers or [{"name": "main"}], **other}
    status: dict[str, Any] = {
        "phase": phase,
        "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
    }
    if ips:
        status |= {"podIP": ips[0], "podIPs": [{"ip": ip} for ip in ips]}
    return msgspec.convert({"metadata": metadata, "spec": spec, "status": status}, Pod)


def node(name: str, zone: str | None = None, cpu: str | None = None, **labels: str) -> KubeNode:
    """A ready Node; ``cpu`` is what it can allocate."""
    if zone is not None:
        labels["topology.kubernetes.io/zone"] = zone
    status: dict[str, Any] = {"conditions": [{"type": "Ready", "status": "True"}]}
    if cpu is not None:
        status["allocatable"] = {"cpu": cpu}
    return msgspec.convert({"metadata": {"name": name, "labels": labels}, "status": status}, KubeNode)


def hand_made(name: str, *subsets: dict[str, Any], **metadata: Any) -> Endpoints:
    """Endpoints as a user writes them."""
    data = {"metadata": {"name": name, "namespace": "shop", **metadata}, "subsets": list(subsets)}
    return msgspec.convert(data, Endpoints)


def subset(
    *ips: str, not_ready: tuple[str, ...] = (), ports: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """A subset that serves port 80, or the ports given."""
    listed: dict[str, Any] = {"ports": [{"port": 80}] if ports is None else ports}
    if ips:
        listed["addresses"] = [{"ip": ip} for ip in ips]
    if not_ready:
        listed["notReadyAddresses"] = [{"ip": ip} for ip in not_ready]
    return listed


def cluster(*objects: Any) -> Cluster:
    """A cluster of these objects."""

    def of(kind: type) -> tuple[Any, ...]:
        return tuple(each for each in objects if isinstance(each, kind))

    return Cluster(
        services=of(Service),
        slices=of(EndpointSlice),
        endpoints=of(Endpoints),
        pods=of(Pod),
        nodes=of(KubeNode),
    )


def addresses(endpoint_slice: EndpointSlice) -> list[str]:
    """All addresses of a slice, in its order."""
    return [address for endpoint in endpoint_slice.endpoints or () for address in endpoint.addresses]
