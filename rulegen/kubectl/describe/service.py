"""A Service described, with the endpoints that its EndpointSlices name."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rulegen.kubectl.columns.services import host_port
from rulegen.kubectl.describe.text import Description
from rulegen.kubectl.plain import Object, at, fields, items, name_of, namespace_of, number, text
from rulegen.kubectl.selectors import show_labels


def describe_service(
    service: Object, slices: Sequence[Object], events: Sequence[Object] | None, now: datetime
) -> str:
    """The description of a Service.

    ``slices`` are those labelled ``kubernetes.io/service-name`` with its name, in the server's order;
    ``events`` are left out if None.
    """
    out = Description()
    spec = fields(service, "spec")
    out.field("Name", name_of(service))
    out.field("Namespace", namespace_of(service))
    out.labels(fields(service, "metadata", "labels"))
    out.annotations(fields(service, "metadata", "annotations"))
    out.field("Selector", show_labels(fields(spec, "selector")))
    out.field("Type", text(spec, "type"))
    if at(spec, "ipFamilyPolicy") is not None:
        out.field("IP Family Policy", spec["ipFamilyPolicy"])
    out.field("IP Families", ",".join(items(spec, "ipFamilies")) or "<none>")
    out.field("IP", text(spec, "clusterIP"))
    out.field("IPs", ",".join(items(spec, "clusterIPs")) if items(spec, "clusterIPs") else "<none>")
    for title, value in (
        ("External IPs", ",".join(items(spec, "externalIPs"))),
        ("Desired LoadBalancer IP", text(spec, "loadBalancerIP")),
        ("External Name", text(spec, "externalName")),
        (
            "LoadBalancer Ingress",
            ", ".join(map(_ingress, items(service, "status", "loadBalancer", "ingress"))),
        ),
    ):
        if value:
            out.field(title, value)
    for port in items(spec, "ports"):
        _port(out, port, slices)
    out.field("Session Affinity", text(spec, "sessionAffinity"))
    if text(spec, "externalTrafficPolicy"):
        out.field("External Traffic Policy", text(spec, "externalTrafficPolicy"))
    if at(spec, "internalTrafficPolicy") is not None:
        out.field("Internal Traffic Policy", spec["internalTrafficPolicy"])
    if number(spec, "healthCheckNodePort"):
        out.field("HealthCheck NodePort", number(spec, "healthCheckNodePort"))
    if items(spec, "loadBalancerSourceRanges"):
        out.field("LoadBalancer Source Ranges", ",".join(items(spec, "loadBalancerSourceRanges")))
    if at(spec, "trafficDistribution") is not None:
        out.field("Traffic Distribution", spec["trafficDistribution"])
    if events is not None:
        out.events(events, now)
    return out.text()


def _ingress(ingress: Object) -> str:
    address = text(ingress, "ip")
    if not address:
        return text(ingress, "hostname")
    mode = at(ingress, "ipMode")
    return address if mode is None else f"{address} ({mode})"


def _port(out: Description, port: Object, slices: Sequence[Object]) -> None:
    name = text(port, "name") or "<unset>"
    protocol = text(port, "protocol")
    target = at(port, "targetPort")
    out.field("Port", f"{name}\t{number(port, 'port')}/{protocol}")
    out.field("TargetPort", f"{0 if target is None else target}/{protocol}")
    if at(port, "appProtocol") is not None:
        out.field("AppProtocol", port["appProtocol"])
    if number(port, "nodePort"):
        out.field("NodePort", f"{name}\t{number(port, 'nodePort')}/{protocol}")
    out.field("Endpoints", ready_endpoints(slices, text(port, "name")))


def ready_endpoints(slices: Sequence[Object], port: str) -> str:
    """The first three ready endpoints of a named port over all slices, and how many more there are.

    ``<none>`` where there are no slices at all, empty where none of them has a ready endpoint. A port that
    has no number in a slice, over which kubectl itself stumbles, is shown as ``*``.
    """
    if not slices:
        return "<none>"
    found: list[str] = []
    more = False
    for each in slices:
        ports = items(each, "ports")
        numbers = [at(own, "port") for own in ports if text(own, "name") == port]
        for own_number in numbers if ports else [None]:
            for endpoint in items(each, "endpoints"):
                # An endpoint that is not ready is left out, and yet makes three others look incomplete.
                more = more or len(found) >= 3
                addresses = items(endpoint, "addresses")
                if at(endpoint, "conditions", "ready") is False or not addresses:
                    continue
                address = addresses[0]
                if ports:
                    address = host_port(address, "*" if own_number is None else own_number)
                found.append(address)
    listed = ",".join(found[:3])
    return f"{listed} + {len(found) - 3} more..." if more else listed


def ports_without_number(slices: Sequence[Object]) -> list[str]:
    """The names of slices that kubectl 1.37 cannot describe a Service with: it panics."""
    return [name_of(each) for each in slices if any(at(own, "port") is None for own in items(each, "ports"))]
