"""The kinds of objects: which ones rules are made from, which API serves them, which have a namespace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from rulegen.load.defaults import fill_service, fill_slice
from rulegen.model import Endpoints, EndpointSlice, KubeNode, Pod, Service, ServiceCIDR

Typed: TypeAlias = Service | EndpointSlice | Endpoints | Pod | KubeNode | ServiceCIDR


def _as_it_is(value: Any) -> Any:
    return value


class Kind(msgspec.Struct, frozen=True):
    """A kind that is read into typed objects.

    ``versions`` are the API versions in which Kubernetes 1.37 serves it, the preferred one first; ``fill``
    applies the API's defaults to a decoded object. ``complete`` says that the type lists every field, so
    that decoding alone finds an unknown one.
    """

    name: str
    versions: tuple[str, ...]
    type: type[Any]
    namespaced: bool
    complete: bool = False
    fill: Callable[[Any], Any] = _as_it_is


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("Service", ("v1",), Service, True, True, fill_service),
        Kind("EndpointSlice", ("discovery.k8s.io/v1",), EndpointSlice, True, True, fill_slice),
        Kind("Endpoints", ("v1",), Endpoints, True, True),
        Kind("Pod", ("v1",), Pod, True),
        Kind("Node", ("v1",), KubeNode, False),
        Kind("ServiceCIDR", ("networking.k8s.io/v1", "networking.k8s.io/v1beta1"), ServiceCIDR, False),
    )
}

PROXY_CONFIGURATION = "KubeProxyConfiguration"
PROXY_CONFIGURATION_VERSION = "kubeproxy.config.k8s.io/v1alpha1"

_NAMESPACED_OTHERS = (
    "ConfigMap",
    "ControllerRevision",
    "CronJob",
    "CSIStorageCapacity",
    "DaemonSet",
    "Deployment",
    "Event",
    "HorizontalPodAutoscaler",
    "Ingress",
    "Job",
    "Lease",
    "LimitRange",
    "LocalSubjectAccessReview",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
    "PodTemplate",
    "ReplicaSet",
    "ReplicationController",
    "ResourceClaim",
    "ResourceClaimTemplate",
    "ResourceQuota",
    "Role",
    "RoleBinding",
    "Secret",
    "ServiceAccount",
    "StatefulSet",
)

NAMESPACED = frozenset(_NAMESPACED_OTHERS) | {kind.name for kind in KINDS.values() if kind.namespaced}
"""Kinds of Kubernetes' own APIs that live in a namespace."""


def group_of(api_version: str) -> str:
    """``discovery.k8s.io`` of ``discovery.k8s.io/v1``, empty for the core API's ``v1``."""
    return api_version.rpartition("/")[0]


def is_builtin(group: str) -> bool:
    """Whether the group is one of Kubernetes itself, where a name of ours means our kind."""
    return "." not in group or group.endswith(".k8s.io")
