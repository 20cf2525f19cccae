"""Checks of what reaches rules from objects that the exact way does not look into.

Names and addresses of Pods, Nodes and ServiceCIDRs, and the addresses that a load balancer reports. The words
are those of the API server (``k8s.io/kubernetes/pkg/apis/core/validation``, 1.37).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rulegen.load.api import FieldError
from rulegen.load.api.addresses import check_canonical_cidr, check_cidr, check_ip, parse_ip
from rulegen.load.api.answers import as_json, forbidden, invalid, quoted, required, unsupported
from rulegen.load.api.names import dns_label, dns_subdomain
from rulegen.model import KubeNode, Pod, Service, ServiceCIDR

_device = re.compile(r"[^\s/:,=\"'\\]{1,15}").fullmatch

Check = Callable[[Any, bool], Iterator[FieldError]]


def check_service(service: Service, stored: bool) -> Iterator[FieldError]:
    """``status.loadBalancer``, which a create leaves out and a manifest for offline use may have."""
    balancer = service.status.load_balancer if service.status else None
    ingress = (balancer.ingress if balancer else None) or ()
    field = "status.loadBalancer.ingress"
    if ingress and service.spec.type != "LoadBalancer" and not stored:
        yield forbidden(field, "may only be used when `spec.type` is 'LoadBalancer'")
        return
    for index, entry in enumerate(ingress):
        below = f"{field}[{index}]"
        if entry.ip:
            yield from check_ip(f"{below}.ip", entry.ip, strict=not stored)
        elif entry.ip_mode is not None and not stored:
            yield forbidden(f"{below}.ipMode", "may not be specified when `ip` is not set")
        if entry.ip and entry.ip_mode not in (None, "Proxy", "VIP"):
            yield unsupported(f"{below}.ipMode", entry.ip_mode, ("Proxy", "VIP"))
        if entry.hostname and not stored:
            for fault in dns_subdomain(entry.hostname):
                yield invalid(f"{below}.hostname", entry.hostname, fault)
            if parse_ip(entry.hostname) is not None:
                detail = "must be a DNS name, not an IP address"
                yield invalid(f"{below}.hostname", entry.hostname, detail)


def check_pod(pod: Pod, stored: bool) -> Iterator[FieldError]:
    yield from _names(pod.metadata.name, pod.metadata.namespace)
    for index, address in enumerate(pod.status.pod_ips or ()):
        yield from check_ip(f"status.podIPs[{index}].ip", address.ip, strict=False)
    if pod.status.pod_ip:
        yield from check_ip("status.podIP", pod.status.pod_ip, strict=False)
    if pod.spec.node_name:
        for fault in dns_subdomain(pod.spec.node_name):
            yield invalid("spec.nodeName", pod.spec.node_name, fault)
    if pod.spec.hostname:
        for fault in dns_label(pod.spec.hostname):
            yield invalid("spec.hostname", pod.spec.hostname, fault)


def check_node(node: KubeNode, stored: bool) -> Iterator[FieldError]:
    yield from _names(node.metadata.name, None)
    for index, cidr in enumerate(node.spec.pod_cidrs or ()):
        yield from check_cidr(f"spec.podCIDRs[{index}]", cidr, strict=False)
    if node.spec.pod_cidr:
        yield from check_cidr("spec.podCIDR", node.spec.pod_cidr, strict=False)


def check_service_cidr(service_cidr: ServiceCIDR, stored: bool) -> Iterator[FieldError]:
    yield from _names(service_cidr.metadata.name, None)
    if not service_cidr.spec.cidrs:
        yield required("spec.cidrs", "at least one CIDR required")
    for index, cidr in enumerate(service_cidr.spec.cidrs or ()):
        yield from check_canonical_cidr(f"spec.cidrs[{index}]", cidr)


def check_device(name: object) -> str:
    """What is wrong with the name of a network interface, or the beginning of one; empty if nothing is."""
    if not isinstance(name, str) or not _device(name) or not name.isprintable() or name in (".", ".."):
        shown = quoted(name) if isinstance(name, str) else as_json(name)
        return f"Invalid value: {shown}: must be the name of a network interface (at most 15 characters)"
    return ""


def _names(name: str, namespace: str | None) -> Iterator[FieldError]:
    if not name:
        yield required("metadata.name", "name or generateName is required")
    for fault in dns_subdomain(name) if name else ():
        yield invalid("metadata.name", name, fault)
    for fault in dns_label(namespace) if namespace is not None else ():
        yield invalid("metadata.namespace", namespace, fault)


CHECKS: Mapping[str, Check] = {
    "Service": check_service,
    "Pod": check_pod,
    "Node": check_node,
    "ServiceCIDR": check_service_cidr,
}
