"""Where the endpoints of each Service come from, and the slices that the input lacks.

Rules are made from EndpointSlices. Manifests seldom have any, and a dump of a cluster may hold only some
kinds; :func:`complete` adds what the cluster's controllers would make of the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Literal, TypeAlias

import msgspec

from rulegen.controllers import hints, mirroring
from rulegen.controllers.endpoints import endpoints_of, is_own_work
from rulegen.controllers.selector import PodIndex
from rulegen.controllers.slices import SERVICE_NAME_LABEL, Made, Surroundings, is_managed, slices_of
from rulegen.model import Cluster, Endpoints, EndpointSlice, Origin, Pod, Service

Source: TypeAlias = Literal["slices", "endpoints", "pods", "none"]

NO_PODS = "no Pod that its selector matches was given"
"""The note about a Service that has a selector, where nothing gives it endpoints."""

_Key: TypeAlias = tuple[str, str]


class EndpointSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where one Service's endpoints came from.

    ``slices``: EndpointSlices that were given; ``endpoints``: given Endpoints, turned into slices; ``pods``:
    given Pods; ``none``: nothing gives it endpoints. ``note`` says what a reader should know about that,
    empty where there is nothing to say. ``slices`` names the slices that were made.
    """

    namespace: str
    name: str
    source: Source
    note: str = ""
    slices: tuple[str, ...] = ()


class Completion(msgspec.Struct, frozen=True):
    """A cluster with every slice that can be known, and the source of each Service, in their order."""

    cluster: Cluster
    sources: tuple[EndpointSource, ...]


def endpoint_slices(cluster: Cluster, *, require_nodes: bool = True) -> list[EndpointSlice]:
    """The slices that the controllers of a running cluster make of ``cluster``; given slices do not count.

    Those of Services with a selector come from Pods, those of Services without one from Endpoints. A Pod on a
    Node that is not in ``cluster`` is left out, as in a cluster, unless ``require_nodes`` is false.
    """
    surroundings = Surroundings(cluster.nodes, require_nodes=require_nodes)
    index = PodIndex(cluster.pods)
    by_key = {_key(endpoints): endpoints for endpoints in cluster.endpoints}
    made: list[EndpointSlice] = []
    for service in _ordered(cluster.services):
        endpoints = by_key.get(_key(service))
        if is_managed(service):
            made += slices_of(service, index.selected(service), surroundings).slices
        elif endpoints is not None and mirroring.objection(endpoints, service) is None:
            made += mirroring.mirror(endpoints).slices
    return made


def endpoints(cluster: Cluster, *, require_nodes: bool = True) -> list[Endpoints]:
    """The Endpoints that the endpoints controller makes: one object per Service with a selector.

    A Service that selects a Pod on no Node has none, as in a cluster, unless ``require_nodes`` is false.
    """
    index = PodIndex(cluster.pods)
    by_key = {_key(given): given for given in cluster.endpoints}
    found = (
        endpoints_of(service, index.selected(service), by_key.get(_key(service)), require_nodes=require_nodes)
        for service in _ordered(cluster.services)
        if is_managed(service)
    )
    return [each for each in found if each is not None]


def complete(cluster: Cluster) -> Completion:
    """``cluster`` with slices for every Service that has none but whose endpoints can be known.

    A Service keeps the slices that were given. Else its Endpoints count: mirrored where it has no selector,
    and with a selector where they were made by hand or no given Pod matches. Else its Pods do. Nodes need
    not be given; the zone of a Pod on another Node is then unknown.
    """
    return _Completer(cluster).run()


class _Completer:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._endpoints = {_key(endpoints): endpoints for endpoints in cluster.endpoints}
        self._served = {
            (given.metadata.namespace, labels[SERVICE_NAME_LABEL])
            for given in cluster.slices
            if (labels := given.metadata.labels) and SERVICE_NAME_LABEL in labels
        }
        self._made: list[EndpointSlice] = []
        self._origins: dict[tuple[str, str, str], Origin] = {}

    @cached_property
    def _index(self) -> PodIndex:
        return PodIndex(self._cluster.pods)

    @cached_property
    def _surroundings(self) -> Surroundings:
        return Surroundings(self._cluster.nodes, require_nodes=False)

    def run(self) -> Completion:
        sources = tuple(map(self._source, self._cluster.services))
        if not self._made:
            return Completion(self._cluster, sources)
        cluster = msgspec.structs.replace(
            self._cluster,
            slices=(*self._cluster.slices, *sorted(self._made, key=_key)),
            origins={**self._cluster.origins, **self._origins},
        )
        return Completion(cluster, sources)

    def _source(self, service: Service) -> EndpointSource:
        key = _key(service)
        if key in self._served:
            return self._found(service, "slices")
        given = self._endpoints.get(key)
        if service.spec.selector and service.spec.type != "ExternalName":
            return self._of_selector(service, given)
        if given is None:
            return self._found(service, "none", note=_without_anything(service))
        if key == ("default", "kubernetes"):
            return self._found(service, "endpoints", given, Made([mirroring.api_server_slice(given)], []))
        objection = mirroring.objection(given, service)
        if objection is not None:
            return self._found(service, "none", note=f"its Endpoints are not mirrored: {objection}")
        return self._found(service, "endpoints", given, mirroring.mirror(given))

    def _of_selector(self, service: Service, given: Endpoints | None) -> EndpointSource:
        pods = self._index.selected(service)
        if given is not None and not (pods and is_own_work(given)):
            note = (
                f"{NO_PODS}, so its Endpoints are taken as they are"
                if not pods
                else "its Endpoints were made by hand and are taken as they are; as it has a selector, a"
                " cluster would replace them by what the Pods give"
            )
            return self._found(service, "endpoints", given, mirroring.mirror(given), note)
        note = self._unknown_places(service, pods) if pods else NO_PODS
        return self._found(service, "pods", service, slices_of(service, pods, self._surroundings), note)

    def _unknown_places(self, service: Service, pods: Iterable[Pod]) -> str:
        """What hints lack where the Nodes of Pods were not given."""
        if not hints.wanted(service):
            return ""
        known = self._surroundings.nodes
        names = sorted({pod.spec.node_name for pod in pods if pod.spec.node_name not in known} - {""})
        if not names:
            return ""
        listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        return f"hints of Pods on Node {listed} are missing, as the Node was not given"

    def _found(
        self,
        service: Service,
        source: Source,
        maker: Service | Endpoints | None = None,
        made: Made | None = None,
        note: str = "",
    ) -> EndpointSource:
        slices = made.slices if made is not None else []
        self._made += slices
        if maker is not None:
            origin = self._cluster.origins.get((maker.kind, *_key(maker)))
            if origin is not None:
                self._origins.update({("EndpointSlice", *_key(each)): origin for each in slices})
        namespace, name = _key(service)
        return EndpointSource(
            namespace=namespace,
            name=name,
            source=source,
            note="; ".join([*([note] if note else []), *(made.remarks if made is not None else [])]),
            slices=tuple(each.metadata.name for each in slices),
        )


def _without_anything(service: Service) -> str:
    if service.spec.type == "ExternalName":
        return ""
    return "it has no selector, and neither EndpointSlices nor Endpoints were given"


def _key(item: Service | Endpoints | EndpointSlice) -> _Key:
    return item.metadata.namespace, item.metadata.name


def _ordered(services: Iterable[Service]) -> Iterator[Service]:
    return iter(sorted(services, key=_key))
