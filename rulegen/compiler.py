"""A compiled state that follows changes of the cluster: what did not change is never looked at again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from rulegen.api import as_config, as_node, check_cluster
from rulegen.backend import PortKey, Transaction, following
from rulegen.collector import paused
from rulegen.model import Cluster, EndpointSlice, Family, Node, ProxyConfig, Service
from rulegen.model.objects import Metadata
from rulegen.plan import Plan, PlannedPort, candidates, choose, plan, service_ports, slices_by_service
from rulegen.plan.endpoints import SERVICE_NAME_LABEL
from rulegen.versions import DEFAULT_VERSION

ServiceKey: TypeAlias = tuple[str, str]
"""Namespace and name of a Service."""
ObjectKey: TypeAlias = tuple[str, str, str]
"""Kind (``Service`` or ``EndpointSlice``), namespace and name."""


class Compiler:
    """The rules of one node and one family, kept up to date (kube-proxy 1.37).

    It begins with what :func:`rulegen.compile` makes of the same arguments; a node with both families needs
    two. An update costs what the changed Services cost, however large the cluster is. One thing does not:
    when the number of endpoints crosses 1,000, kube-proxy in iptables mode drops or restores the comments of
    every rule, and so does this. Raises ValueError for an unknown family, and for a mode or version without
    rules that can be followed::

        before = rulegen.load("manifests/")
        compiler = rulegen.Compiler(before, {"name": "n1", "ips": ["192.168.10.1"]}, mode="iptables")
        print(rulegen.text(compiler.ruleset, "restore-with-jumps"))  # the start, for iptables-restore
        after = rulegen.load("manifests/")                            # all of them: slices depend on Services
        found = rulegen.changes(before, after)
        print(compiler.update(found.changed, found.removed).text)     # for iptables-restore --noflush

    """

    def __init__(
        self,
        cluster: Cluster,
        node: Node | Mapping[str, Any] | None = None,
        config: ProxyConfig | Mapping[str, Any] | None = None,
        mode: str | None = None,
        version: str = DEFAULT_VERSION,
        family: Family = "IPv4",
    ) -> None:
        check_cluster(cluster)
        self.family = family
        self._config = as_config(config, cluster, mode)
        empty = msgspec.structs.replace(cluster, services=(), slices=())
        self._plan: Plan = plan(empty, as_node(node), self._config, family, version)
        self._room = following(self._plan)
        self._services: dict[ServiceKey, Service] = {}
        self._slices: dict[ServiceKey, dict[str, EndpointSlice]] = {}
        self._owners: dict[ServiceKey, ServiceKey] = {}
        self._planned: dict[ServiceKey, dict[PortKey, PlannedPort]] = {}
        self._endpoints = 0
        with paused():
            for service in cluster.services:
                self._services[service.metadata.namespace, service.metadata.name] = service
            for piece in cluster.slices:
                self._take_slice(piece)
            for key in self._services:
                self._replan(key)
            self._room.resized(self._endpoints)
            self._fragments: dict[PortKey, Any] = self._compiled(self._planned)
            self._room.start(self._fragments)

    @property
    def ruleset(self) -> Any:
        """The whole state as it is now, in its fixed order; costs what the cluster's size costs.

        Its type is the mode's own, as that of :func:`rulegen.compile`.
        """
        return self._room.ruleset({key: self._fragments[key] for key in sorted(self._fragments)})

    def update(
        self, changed: Iterable[Service | EndpointSlice] = (), removed: Iterable[ObjectKey] = ()
    ) -> Transaction:
        """Take in new, changed and removed objects (defaults applied, validated, as ``load`` gives them).

        What is removed is named by kind, namespace and name; what is in both is removed. Returns what makes
        the kernel follow, its ``text`` for ``iptables-restore --noflush``, ``nft -f``, or (ipvs) a shell;
        empty where no rule changes. Raises ValueError for an object that cannot be in rules; the state is
        then as it was.
        """
        changed, removed = list(changed), list(removed)
        for item in changed:
            try:
                self._check(item)
            except (TypeError, AttributeError) as error:
                # A field of another type than the object's own says: nothing that load gives.
                raise ValueError(f"{_title(item)}: {error}") from None
        for key in removed:
            _check_key(key)
        affected: set[ServiceKey] = set()
        for item in changed:
            affected |= self._take(item)
        for kind, namespace, name in removed:
            affected |= self._drop(kind, namespace, name)
        return self._follow(affected)

    def _check(self, item: Service | EndpointSlice) -> None:
        """Refuse an object before it is taken in: what passes here cannot fail later."""
        if isinstance(item, Service):
            service_ports([item], self.family, self._config.feature_gates)
            for own in item.spec.ports or ():
                _check_number(item, own.port)
                _check_number(item, own.node_port, least=0)
            return
        if not isinstance(item, EndpointSlice):
            raise ValueError(
                f"{type(item).__name__} is no Service or EndpointSlice: rulegen.load makes them of plain data"
            )
        if item.address_type == self.family:
            for port in item.ports or ():
                _check_number(item, port.port or 0, least=0)
                candidates([item], port.name or "", port.protocol or "TCP", "")

    def _take(self, item: Service | EndpointSlice) -> set[ServiceKey]:
        if isinstance(item, Service):
            key = (item.metadata.namespace, item.metadata.name)
            self._services[key] = item
            return {key}
        return self._take_slice(item)

    def _take_slice(self, piece: EndpointSlice) -> set[ServiceKey]:
        name = (piece.metadata.namespace, piece.metadata.name)
        affected = self._forget_slice(name)
        owner = (piece.metadata.namespace, (piece.metadata.labels or {}).get(SERVICE_NAME_LABEL, ""))
        self._slices.setdefault(owner, {})[piece.metadata.name] = piece
        self._owners[name] = owner
        return affected | {owner}

    def _forget_slice(self, name: ServiceKey) -> set[ServiceKey]:
        owner = self._owners.pop(name, None)
        if owner is None:
            return set()
        self._slices[owner].pop(name[1], None)
        return {owner}

    def _drop(self, kind: str, namespace: str, name: str) -> set[ServiceKey]:
        if kind == "Service":
            self._services.pop((namespace, name), None)
            return {(namespace, name)}
        return self._forget_slice((namespace, name))

    def _replan(self, key: ServiceKey) -> None:
        """Plan one Service anew, and count its endpoints."""
        for planned in self._planned.pop(key, {}).values():
            self._endpoints -= len(planned.found)
        service = self._services.get(key)
        if service is None:
            return
        own = slices_by_service(self._slices.get(key, {}).values(), self.family).get(key, [])
        node_name, zone = self._plan.machine.node_name, self._plan.machine.zone
        ports: dict[PortKey, PlannedPort] = {}
        for port in service_ports([service], self.family, self._config.feature_gates):
            found = candidates(
                own, port.port_name, port.protocol, node_name, node_hints=self._plan.features.node_hints
            )
            ports[port.key] = PlannedPort(port, found, choose(port, found, node_name, zone))
            self._endpoints += len(found)
        if ports:
            self._planned[key] = ports

    def _compiled(self, planned: Mapping[ServiceKey, Mapping[PortKey, PlannedPort]]) -> dict[PortKey, Any]:
        return self._room.compile([port for of_service in planned.values() for port in of_service.values()])

    def _follow(self, affected: set[ServiceKey]) -> Transaction:
        stale = {key: self._fragments.get(key) for owner in affected for key in self._planned.get(owner, {})}
        for owner in affected:
            self._replan(owner)
        if self._room.resized(self._endpoints):
            affected = set(self._planned)
            stale |= self._fragments
        fresh = self._compiled({owner: self._planned[owner] for owner in affected if owner in self._planned})
        keys = sorted(stale.keys() | fresh.keys())
        steps = [(key, stale.get(key), fresh.get(key)) for key in keys if stale.get(key) != fresh.get(key)]
        for key in stale:
            self._fragments.pop(key, None)
        self._fragments.update(fresh)
        return self._room.transition(steps)


def _check_number(item: Service | EndpointSlice, number: int, *, least: int = 1) -> None:
    if not least <= number <= 65535:
        raise ValueError(f"{_title(item)}: port {number}: must be between 1 and 65535")


def _title(item: Service | EndpointSlice) -> str:
    """How an object is called, be it that it has no name."""
    metadata: Metadata | None = item.metadata
    return f"{type(item).__name__} {metadata.namespace}/{metadata.name}" if metadata else type(item).__name__


def _check_key(key: object) -> None:
    """Refuse what does not name an object that rules are made from."""
    if not isinstance(key, tuple) or len(key) != 3:
        told = key if isinstance(key, str) else type(key).__name__
        raise ValueError(f"{told}: what is removed is named by kind, namespace and name")
    kind, namespace, name = key
    if kind not in ("Service", "EndpointSlice"):
        raise ValueError(f"{kind} {namespace}/{name}: no rule is made from this kind")
