"""Plain objects with the values that their typed forms were allocated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rulegen.model import Service


def with_allocated(
    objects: Iterable[Mapping[str, Any]], services: Iterable[Service]
) -> Iterator[Mapping[str, Any]]:
    """Plain objects in their order, each Service among them with what the one of its name has."""
    typed = {(service.metadata.namespace, service.metadata.name): service for service in services}
    for item in objects:
        if item.get("kind") == "Service" and item.get("apiVersion") == "v1":
            metadata = item["metadata"]
            yield _filled(item, typed[metadata["namespace"], metadata["name"]])
        else:
            yield item


def _filled(item: Mapping[str, Any], service: Service) -> dict[str, Any]:
    spec = service.spec
    given = {
        "clusterIP": spec.cluster_ip,
        "clusterIPs": spec.cluster_ips,
        "ipFamilies": spec.ip_families,
        "ipFamilyPolicy": spec.ip_family_policy,
        "healthCheckNodePort": spec.health_check_node_port,
    }
    changed = item["spec"] | {field: value for field, value in given.items() if value}
    ports = [
        {**port, "nodePort": typed.node_port} if typed.node_port else port
        for port, typed in zip(item["spec"].get("ports") or (), spec.ports or (), strict=True)
    ]
    if ports:
        changed["ports"] = ports
    return {"apiVersion": "v1", "kind": "Service", **item, "spec": changed}
