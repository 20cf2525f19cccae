"""All objects as a cluster would hold them: what kubectl's commands look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from rulegen.allocation import with_allocated
from rulegen.cli.objects import Known, read_cluster
from rulegen.controllers import endpoints, synthesis
from rulegen.controllers.written import as_object
from rulegen.model import Cluster


class Stored(msgspec.Struct, frozen=True):
    """Plain objects of all kinds, and the same as typed ones."""

    objects: tuple[Mapping[str, Any], ...]
    cluster: Cluster


def read_stored(files: Any, **options: Any) -> Stored:
    """Read objects as :func:`rulegen.cli.objects.read_cluster` does, and add what controllers would.

    These are Pods made up, where they were asked for, and the EndpointSlices and Endpoints of Services whose
    Pods are known. Raises LoadError, ValueError.
    """
    known = read_cluster(files, keep_plain=True, all_kinds=True, **options)
    return Stored((*_given(known), *_made(known)), known.cluster)


def _given(known: Known) -> Iterator[Mapping[str, Any]]:
    """What was given but for Pods that a workload scaled down has no more."""
    pods = {(pod.metadata.namespace, pod.metadata.name) for pod in known.cluster.pods}
    for item in with_allocated(known.plain, known.cluster.services):
        if item.get("kind") == "Pod" and item.get("apiVersion") == "v1":
            metadata = item["metadata"]
            if (metadata["namespace"], metadata["name"]) not in pods:
                continue
        yield item


def _made(known: Known) -> Iterator[Mapping[str, Any]]:
    given = {_key(item) for item in known.plain}
    cluster = known.cluster
    for pod in cluster.pods:
        if ("Pod", pod.metadata.namespace, pod.metadata.name) not in given:
            yield synthesis.as_object(pod)
    for piece in cluster.slices:
        if (piece.kind, piece.metadata.namespace, piece.metadata.name) not in given:
            yield as_object(piece)
    of_pods = {(each.namespace, each.name) for each in known.sources if each.source == "pods"}
    for each in endpoints(cluster, require_nodes=False):
        key = each.metadata.namespace, each.metadata.name
        if key in of_pods and (each.kind, *key) not in given:
            yield as_object(each)


def _key(item: Mapping[str, Any]) -> tuple[str, str, str]:
    metadata = item.get("metadata") or {}
    return str(item.get("kind")), metadata.get("namespace") or "", metadata.get("name") or ""
