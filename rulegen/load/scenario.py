"""Recorded cases: a node, a configuration and objects in one piece of plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from rulegen.load.config import proxy_config
from rulegen.load.defaults import fill_service, fill_slice
from rulegen.model import Cluster, EndpointSlice, Family, Mode, Node, ProxyConfig, Service


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded case, ready for a compiler.

    ``service_cidrs`` maps a family to the cluster's Service CIDRs (nftables only); ``proxy_ports`` maps a
    family and ``NAMESPACE/NAME[:PORT]`` to the port on which the userspace proxy listens.
    """

    name: str
    version: str
    mode: Mode
    families: tuple[Family, ...]
    cluster: Cluster
    node: Node
    config: ProxyConfig
    service_cidrs: Mapping[Family, tuple[str, ...]] = {}
    proxy_ports: Mapping[Family, Mapping[str, int]] = {}


def from_scenario(scenario: Mapping[str, Any]) -> Scenario:
    """Read a recorded case (its form: ``fixtures/conformance/README.md``).

    Its objects are valid as they are, only their API defaults are still to be filled in. Raises
    ``msgspec.ValidationError`` where a value is of a wrong type or a field is unknown, KeyError where a part
    of the case is missing.
    """
    mode: Mode = scenario["mode"]
    return Scenario(
        name=scenario["name"],
        version=scenario["version"],
        mode=mode,
        families=tuple(scenario["families"]),
        cluster=Cluster(
            services=_services(scenario.get("services") or ()),
            slices=_slices(scenario.get("slices") or ()),
            proxy_configuration=scenario.get("config"),
        ),
        node=node_of(scenario["node"]),
        config=proxy_config(scenario.get("config"), mode),
        service_cidrs={
            family: tuple(cidrs) for family, cidrs in (scenario.get("serviceCIDRs") or {}).items()
        },
        proxy_ports=scenario.get("proxyPorts") or {},
    )


def node_of(data: Mapping[str, Any]) -> Node:
    """A node from plain data in the form that recorded cases and node files have.

    Keys: ``name``, ``labels``, ``ips``, ``podCIDRs``, ``interfaces`` (device -> addresses with prefix
    length), ``conntrackTCPBeLiberal``, ``nfacct``; each may be missing or null.
    """
    return Node(
        name=data.get("name") or "",
        labels=dict(data.get("labels") or {}),
        ips=tuple(data.get("ips") or ()),
        pod_cidrs=tuple(data.get("podCIDRs") or ()),
        interfaces={device: tuple(addresses) for device, addresses in (data.get("interfaces") or {}).items()},
        conntrack_tcp_be_liberal=bool(data.get("conntrackTCPBeLiberal")),
        nfacct=bool(data.get("nfacct")),
    )


def _services(objects: Iterable[Mapping[str, Any]]) -> tuple[Service, ...]:
    return tuple(fill_service(msgspec.convert(item, Service)) for item in objects)


def _slices(objects: Iterable[Mapping[str, Any]]) -> tuple[EndpointSlice, ...]:
    return tuple(fill_slice(msgspec.convert(item, EndpointSlice)) for item in objects)
