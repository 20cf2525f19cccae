"""The kinds of objects: which ones rules are made from, which API serves them, which have a namespace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from rulegen.load.api import Server
from rulegen.load.api.quick import default_service, default_slice, service_is_plain, slice_is_plain
from rulegen.load.glance import node_is_plain, pod_is_plain
from rulegen.model import Endpoints, EndpointSlice, KubeNode, Pod, Service, ServiceCIDR

Typed: TypeAlias = Service | EndpointSlice | Endpoints | Pod | KubeNode | ServiceCIDR


def _as_it_is(value: Any, server: Server) -> Any:
    return value


def _never(value: Any, server: Server) -> bool:
    return False


class Kind(msgspec.Struct, frozen=True):
    """A kind that is read into typed objects.

    ``versions`` are the API versions in which Kubernetes 1.37 serves it, the preferred one first.
    ``is_plain`` says at a glance that the API server would take the decoded object as it is, so that it only
    needs ``complete``, which applies the API's defaults in place; any other object goes the exact way.
    """

    name: str
    versions: tuple[str, ...]
    type: type[Any]
    namespaced: bool
    is_plain: Callable[[Any, Server], bool] = _never
    complete: Callable[[Any, Server], Any] = _as_it_is


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("Service", ("v1",), Service, True, service_is_plain, default_service),
        Kind(
            "EndpointSlice",
            ("discovery.k8s.io/v1",),
            EndpointSlice,
            True,
            lambda value, _: slice_is_plain(value),
            lambda value, _: default_slice(value),
        ),
        Kind("Endpoints", ("v1",), Endpoints, True),
        Kind("Pod", ("v1",), Pod, True, lambda value, _: pod_is_plain(value)),
        Kind("Node", ("v1",), KubeNode, False, lambda value, _: node_is_plain(value)),
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
