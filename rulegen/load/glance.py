"""Which Pods and Nodes of a cluster are plainly right: everything of them that reaches rules or answers.

A listing of a whole cluster has many of them, and the API server has checked them once. What does not look
as usual here goes the exact way, which says what is wrong with it.
"""

from __future__ import annotations

import re

from rulegen.load.api.addresses import parse_cidr, parse_ip
from rulegen.model import KubeNode, Pod
from rulegen.model.objects import Metadata

_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_label = re.compile(_LABEL).fullmatch
_subdomain = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*").fullmatch
_port_name = re.compile(r"(?=.*[a-z])[a-z0-9](?:[-a-z0-9]{0,13}[a-z0-9])?").fullmatch
_PROTOCOLS = frozenset({"TCP", "UDP", "SCTP"})


def pod_is_plain(pod: Pod) -> bool:
    """Whether a Pod comes from a cluster, and its names, addresses and ports are in their usual form."""
    metadata, spec, status = pod.metadata, pod.spec, pod.status
    if not (_is_stored(metadata) and _subdomain(metadata.name) and _label(metadata.namespace)):
        return False
    if spec.node_name and not _subdomain(spec.node_name):
        return False
    if any(name and not _label(name) for name in (spec.hostname, spec.subdomain)):
        return False
    addresses = [address.ip for address in status.pod_ips or ()]
    if status.pod_ip and (not addresses or status.pod_ip != addresses[0]):
        return False
    if len(addresses) > 2 or not all(_is_address(address) for address in addresses):
        return False
    containers = (*(spec.containers or ()), *(spec.init_containers or ()))
    if not containers:
        return False
    for container in containers:
        if not _label(container.name):
            return False
        for port in container.ports or ():
            if port.protocol not in _PROTOCOLS or not 1 <= port.container_port <= 65535:
                return False
            if port.name and not _port_name(port.name):
                return False
    return True


def node_is_plain(node: KubeNode) -> bool:
    """Whether a Node comes from a cluster, and its name and addresses are in their usual form."""
    if not (_is_stored(node.metadata) and _subdomain(node.metadata.name)) or node.metadata.namespace:
        return False
    addresses = node.status.addresses or ()
    cidrs = node.spec.pod_cidrs or []
    return (
        all(_is_address(each.address) for each in addresses if each.type in ("InternalIP", "ExternalIP"))
        and len(cidrs) <= 2
        and node.spec.pod_cidr == (cidrs[0] if cidrs else "")
        and all(parse_cidr(cidr) is not None for cidr in cidrs)
    )


def _is_stored(metadata: Metadata) -> bool:
    return bool(metadata.uid or metadata.resource_version)


def _is_address(text: str) -> bool:
    return parse_ip(text) is not None
