"""Names in the table ``kube-proxy``: its chains, sets and maps, and those of a service port.

A chain of a service port is named ``KIND-HASH-namespace/service/protocol/port``, one of an endpoint goes on
with ``__ip/port``, colons of IPv6 written as dots. HASH is eight characters of base32 of SHA-256 of all that
follows it; a name that nft would not take is cut (pkg/proxy/nftables/proxier.go, 1.37).
"""

from __future__ import annotations

from collections.abc import Iterable

from rulegen.iptables.names import hashes
from rulegen.plan import Candidate, ServicePort

TABLE = "kube-proxy"

CLUSTER = "service-"
LOCAL = "local-"
EXTERNAL = "external-"
FIREWALL = "firewall-"
ENDPOINT = "endpoint-"
AFFINITY = "affinity-"

CLUSTER_IPS = "cluster-ips"
NODE_PORT_IPS = "nodeport-ips"
HAIRPIN = "hairpin-connections"
SERVICE_IPS = "service-ips"
SERVICE_NODE_PORTS = "service-nodeports"
FIREWALL_IPS = "firewall-ips"
NO_ENDPOINT_SERVICES = "no-endpoint-services"
NO_ENDPOINT_NODE_PORTS = "no-endpoint-nodeports"
LOCALHOST_REJECTS = "localhost-nodeport-reject-ports"

REJECT_CHAIN = "reject-chain"
SERVICES_CHAIN = "services"
MASQUERADING_CHAIN = "masquerading"
FIREWALL_CHECK = "firewall-check"
SERVICE_ENDPOINTS_CHECK = "service-endpoints-check"
NODE_PORT_ENDPOINTS_CHECK = "nodeport-endpoints-check"
CLUSTER_IPS_CHECK = "cluster-ips-check"
LOCALHOST_REJECT_CHAIN = "localhost-nodeport-reject-"
LOCALHOST_COUNTER = "localhost-nodeport-rejected-"

_LONGEST = 240  # 256 that nft takes, less 16 that kube-proxy keeps for the kind


def port_text(port: ServicePort) -> str:
    """What stands for a service port in the names of its chains."""
    return f"{port.namespace}/{port.service}/{port.protocol.lower()}/{port.port_name}"


def endpoint_text(prefix: str, candidate: Candidate) -> str:
    """What stands for an endpoint of the service port ``prefix``."""
    ip = candidate.ip
    port = candidate.address.rpartition(":")[2]
    return f"{prefix}__{ip.replace(':', '.')}/{port}" if ":" in ip else f"{prefix}__{ip}/{port}"


def hashed(texts: Iterable[str]) -> list[str]:
    """Each text with its hash in front, as it follows the kind in a name."""
    known = list(texts)
    names = [f"{own[:8]}-{text}" for own, text in zip(hashes(known), known, strict=True)]
    return [name if len(name) <= _LONGEST else name[: _LONGEST - 3] + "..." for name in names]
