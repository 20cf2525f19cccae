"""The kinds of objects: which ones rules are made from, which API serves them, which have a namespace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from rulegen.load.defaults import fill_service, fill_slice
from rulegen.load.glance import node_is_plain, pod_is_plain
from rulegen.model import Endpoints, EndpointSlice, KubeNode, Pod, Service, ServiceCIDR

Typed: TypeAlias = Service | EndpointSlice | Endpoints | Pod | KubeNode | ServiceCIDR


def _as_it_is(value: Any) -> Any:
    return value


def _never(value: Any, stored: bool) -> bool:
    return False


class Kind(msgspec.Struct, frozen=True):
    """A kind that is read into typed objects.

    ``versions`` are the API versions in which Kubernetes 1.37 serves it, the preferred one first; ``fill``
    applies the API's defaults to a decoded object. ``plainly_right`` says at a glance that the API server
    would take the decoded object as it is; what it is not sure of goes the exact way.
    """

    name: str
    versions: tuple[str, ...]
    type: type[Any]
    namespaced: bool
    plainly_right: Callable[[Any, bool], bool] = _never
    fill: Callable[[Any], Any] = _as_it_is


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("Service", ("v1",), Service, True, fill=fill_service),
        Kind("EndpointSlice", ("discovery.k8s.io/v1",), EndpointSlice, True, fill=fill_slice),
        Kind("Endpoints", ("v1",), Endpoints, True),
        Kind("Pod", ("v1",), Pod, True, pod_is_plain),
        Kind("Node", ("v1",), KubeNode, False, node_is_plain),
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


_BY_SPELLING = {
    spelling: kind
    for kind in (*KINDS, PROXY_CONFIGURATION)
    for spelling in (kind.lower(), f"{kind.lower()}s")
} | {"endpoint": "Endpoints"}


def meant_by(kind: str) -> str | None:
    """The kind that another spelling of its name means (``service``, ``Services``), if any."""
    return _BY_SPELLING.get(kind.lower())


def group_of(api_version: str) -> str:
    """``discovery.k8s.io`` of ``discovery.k8s.io/v1``, empty for the core API's ``v1``."""
    return api_version.rpartition("/")[0]


def is_builtin(group: str) -> bool:
    """Whether the group is one of Kubernetes itself, where a name of ours means our kind."""
    return "." not in group or group.endswith(".k8s.io")
