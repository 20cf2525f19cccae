"""Everything that was read: the objects of a cluster, or of the part of it that the user gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from rulegen.model.objects import Endpoints, EndpointSlice, KubeNode, Pod, Service, ServiceCIDR


class Origin(msgspec.Struct, frozen=True):
    """Where an object was read from: a file name (``-`` for standard input) and its first line, from 1."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """Kubernetes objects with API defaults applied, validated, in the order in which they were read.

    ``proxy_configuration`` is a KubeProxyConfiguration as it was written (plain data), or None. ``others``
    holds the objects of kinds that no rule depends on as plain data (Deployments, Namespaces, ...).
    ``origins`` maps ``(kind, namespace, name)`` to the place where the object stands.
    """

    services: tuple[Service, ...] = ()
    slices: tuple[EndpointSlice, ...] = ()
    endpoints: tuple[Endpoints, ...] = ()
    pods: tuple[Pod, ...] = ()
    nodes: tuple[KubeNode, ...] = ()
    service_cidrs: tuple[ServiceCIDR, ...] = ()
    proxy_configuration: Mapping[str, Any] | None = None
    others: tuple[Mapping[str, Any], ...] = ()
    origins: Mapping[tuple[str, str, str], Origin] = {}
