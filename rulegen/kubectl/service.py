"""Services as kubectl writes them: plain data, fields in the order of the Go structs (core/v1, 1.37)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rulegen.kubectl.errors import KubectlError
from rulegen.load.api.schema import Problems, decode

_ORDER: Mapping[str, tuple[str, ...]] = {
    "": ("kind", "apiVersion", "metadata", "spec", "status"),
    "metadata": (
        "name",
        "generateName",
        "namespace",
        "selfLink",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "labels",
        "annotations",
        "ownerReferences",
        "finalizers",
        "managedFields",
    ),
    "metadata.ownerReferences": ("apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"),
    "spec": (
        "ports",
        "selector",
        "clusterIP",
        "clusterIPs",
        "type",
        "externalIPs",
        "sessionAffinity",
        "loadBalancerIP",
        "loadBalancerSourceRanges",
        "externalName",
        "externalTrafficPolicy",
        "healthCheckNodePort",
        "publishNotReadyAddresses",
        "sessionAffinityConfig",
        "ipFamilies",
        "ipFamilyPolicy",
        "allocateLoadBalancerNodePorts",
        "loadBalancerClass",
        "internalTrafficPolicy",
        "trafficDistribution",
    ),
    "spec.ports": ("name", "protocol", "appProtocol", "port", "targetPort", "nodePort"),
    "status": ("loadBalancer", "conditions"),
    "status.loadBalancer.ingress": ("ip", "hostname", "ipMode", "ports"),
    "status.loadBalancer.ingress.ports": ("port", "protocol", "error"),
    "status.conditions": (
        "type",
        "status",
        "observedGeneration",
        "lastTransitionTime",
        "reason",
        "message",
    ),
}


def service_of(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """A new Service without empty fields, ordered."""
    return typed(
        {
            "kind": "Service",
            "apiVersion": "v1",
            "metadata": {key: value for key, value in metadata.items() if value},
            "spec": {key: value for key, value in spec.items() if value},
            "status": {"loadBalancer": {}},
        }
    )


def typed(service: Mapping[str, Any]) -> dict[str, Any]:
    """The Service with its fields as Go prints them, read leniently: unknown fields are dropped.

    :class:`KubectlError`, in the decoder's words, for a value of the wrong type.
    """
    problems = Problems()
    decoded = decode("v1 Service", service, problems)
    if problems.wrong:
        raise KubectlError(problems.wrong[0].message)
    ordered: dict[str, Any] = _ordered(decoded, "")
    return ordered


def _ordered(value: Any, path: str) -> Any:
    if isinstance(value, list):
        return [_ordered(each, path) for each in value]
    if not isinstance(value, Mapping):
        return value
    known = _ORDER.get(path, ())
    # What is no struct is a map, which Go prints by key; so are the structs with one field only.
    keys = [key for key in known if key in value]
    keys += sorted([key for key in value if key not in known])
    return {key: _ordered(value[key], f"{path}.{key}".lstrip(".")) for key in keys}
