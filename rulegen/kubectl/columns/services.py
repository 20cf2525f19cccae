"""Services, and where they lead: Endpoints, EndpointSlices; where their addresses come from."""

from __future__ import annotations

from datetime import datetime

from rulegen.kubectl.columns.base import Cell, Columns, column, created, shortened
from rulegen.kubectl.plain import Object, at, fields, items, name_of, number, text
from rulegen.kubectl.selectors import show_labels


def _service(item: Object, now: datetime) -> tuple[Cell, ...]:
    addresses = items(item, "spec", "clusterIPs")
    return (
        name_of(item),
        text(item, "spec", "type"),
        addresses[0] if addresses else "<none>",
        _external(item),
        ",".join(_port(port) for port in items(item, "spec", "ports")) or "<none>",
        created(item, now),
        show_labels(fields(item, "spec", "selector")),
    )


def _external(item: Object) -> str:
    kind = text(item, "spec", "type")
    external = items(item, "spec", "externalIPs")
    if kind in ("ClusterIP", "NodePort"):
        return ",".join(external) or "<none>"
    if kind == "LoadBalancer":
        return ",".join([*balancers(item), *external]) or "<pending>"
    return text(item, "spec", "externalName") if kind == "ExternalName" else "<unknown>"


def balancers(item: Object) -> list[str]:
    """The addresses and names of a Service's load balancers, each once, sorted."""
    ingress = items(item, "status", "loadBalancer", "ingress")
    found = {text(each, "ip") or text(each, "hostname") for each in ingress}
    return sorted(found - {""})


def _port(port: Object) -> str:
    node_port = number(port, "nodePort")
    shown = f"{number(port, 'port')}:{node_port}" if node_port > 0 else str(number(port, "port"))
    return f"{shown}/{text(port, 'protocol')}"


SERVICES = Columns(
    column("TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE", wide=("SELECTOR",)), _service
)


def host_port(address: str, port: object) -> str:
    """``10.0.0.1:80``, ``[fd00::1]:80``."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _endpoints(item: Object, now: datetime) -> tuple[Cell, ...]:
    return name_of(item), _addresses(item), created(item, now)


def _addresses(item: Object) -> str:
    subsets = items(item, "subsets")
    if not subsets:
        return "<none>"
    found: list[str] = []
    for subset in subsets:
        addresses = [text(each, "ip") for each in items(subset, "addresses")]
        ports = items(subset, "ports")
        if not ports:
            found += addresses
        for port in ports:
            found += [host_port(address, number(port, "port")) for address in addresses]
    return shortened(found, len(found))


ENDPOINTS = Columns(column("ENDPOINTS", "AGE"), _endpoints)


def _slice(item: Object, now: datetime) -> tuple[Cell, ...]:
    ports = [_slice_port(port) for port in items(item, "ports")]
    addresses = [address for each in items(item, "endpoints") for address in items(each, "addresses")]
    return (
        name_of(item),
        text(item, "addressType"),
        shortened(ports, len(ports)) or "<unset>",
        shortened(addresses, len(addresses)) or "<unset>",
        created(item, now),
    )


def _slice_port(port: Object) -> str:
    if at(port, "port") is not None:
        return str(port["port"])
    # The server gives a port without a name the empty one; "*" is for one that has none all the same.
    name = at(port, "name")
    return "*" if name is None else str(name)


ENDPOINT_SLICES = Columns(column("ADDRESSTYPE", "PORTS", "ENDPOINTS", "AGE"), _slice)


def _cidr(item: Object, now: datetime) -> tuple[Cell, ...]:
    return name_of(item), ",".join(items(item, "spec", "cidrs")), created(item, now)


SERVICE_CIDRS = Columns(column("CIDRS", "AGE"), _cidr)


def _ip_address(item: Object, now: datetime) -> tuple[Cell, ...]:
    return name_of(item), parent_of(item), created(item, now)


def parent_of(item: Object) -> str:
    """What an IPAddress belongs to: ``services/NAMESPACE/NAME``."""
    parent = at(item, "spec", "parentRef")
    if parent is None:
        return "<none>"
    group = text(parent, "group")
    kind = text(parent, "resource") + (f".{group}" if group else "")
    namespace = text(parent, "namespace")
    return "/".join([kind.lower(), *([namespace] if namespace else []), text(parent, "name")])


IP_ADDRESSES = Columns(column("PARENTREF", "AGE"), _ip_address)
