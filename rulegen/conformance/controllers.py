"""Endpoints and EndpointSlices in the form in which those of real controllers were recorded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from rulegen import controllers
from rulegen.controllers import names
from rulegen.load.defaults import fill_service
from rulegen.model import Cluster, Endpoints, EndpointSlice, KubeNode, Pod, Service

_Kind = TypeVar("_Kind")


def slices(objects: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The EndpointSlices that the controllers make of ``objects`` (Node, Pod, Service, Endpoints).

    As recorded: no name but ``metadata.namePrefix``, no owners and uids, endpoints sorted by address, and
    null for a list without members.
    """
    return [_recorded_slice(each) for each in controllers.endpoint_slices(cluster_of(objects))]


def endpoints(objects: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The Endpoints that the endpoints controller makes of ``objects``, without uids."""
    return [_recorded_endpoints(each) for each in controllers.endpoints(cluster_of(objects))]


def slice_groups(made: Iterable[Mapping[str, Any]]) -> dict[tuple[str, ...], tuple[int, list[str]]]:
    """Two sets of slices are equal where these are.

    Per Service, address type, ports, labels and annotations: the number of slices, and all their endpoints;
    which endpoint lands in which slice is random upstream.
    """
    groups: dict[tuple[str, ...], list[list[Any]]] = {}
    for each in made:
        parts = (each["metadata"], each["addressType"], each["ports"], each["kind"], each["apiVersion"])
        groups.setdefault(tuple(map(_text, parts)), []).append(each["endpoints"] or [])
    return {key: (len(lists), sorted(_text(e) for es in lists for e in es)) for key, lists in groups.items()}


def unordered(made: Iterable[Mapping[str, Any]]) -> list[str]:
    """Two sets of Endpoints are equal where these are.

    Subsets are ordered by a hash over uids, which recorded cases leave out.
    """
    told: list[str] = []
    for each in json.loads(json.dumps(list(made))):
        for subset in each.get("subsets", []):
            for addresses in ("addresses", "notReadyAddresses"):
                subset.get(addresses, []).sort(key=_text)
        each.get("subsets", []).sort(key=_text)
        told.append(_text(each))
    return sorted(told)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def cluster_of(objects: Iterable[Mapping[str, Any]]) -> Cluster:
    """Recorded objects, which are valid as they are, as a cluster; Services get their API defaults."""
    listed = list(objects)

    def of(kind: type[_Kind]) -> tuple[_Kind, ...]:
        wanted = "Node" if kind is KubeNode else kind.__name__
        return tuple(msgspec.convert(each, kind) for each in listed if each.get("kind") == wanted)

    return Cluster(
        services=tuple(map(fill_service, of(Service))),
        slices=of(EndpointSlice),
        endpoints=of(Endpoints),
        pods=of(Pod),
        nodes=of(KubeNode),
        others=tuple(each for each in listed if each.get("kind") == "Namespace"),
    )


def _recorded_slice(endpoint_slice: EndpointSlice) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(endpoint_slice)
    data |= {"apiVersion": endpoint_slice.api_version, "kind": endpoint_slice.kind}
    metadata = data["metadata"]
    metadata["namePrefix"] = names.base(metadata.pop("generateName"))
    del metadata["name"], metadata["ownerReferences"]
    data["ports"] = data.get("ports") or None
    data["endpoints"] = sorted(data.get("endpoints") or (), key=lambda each: each["addresses"]) or None
    for each in data["endpoints"] or ():
        each.get("targetRef", {}).pop("uid", None)
    return data


def _recorded_endpoints(made: Endpoints) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(made)
    data |= {"apiVersion": made.api_version, "kind": made.kind}
    for server_made in ("uid", "resourceVersion"):
        data["metadata"].pop(server_made, None)
    for subset in data.get("subsets") or ():
        for port in subset.get("ports") or ():
            port.setdefault("protocol", "TCP")
        for each in (*subset.get("addresses", ()), *subset.get("notReadyAddresses", ())):
            each.get("targetRef", {}).pop("uid", None)
    return data
