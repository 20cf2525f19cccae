"""Endpoints and EndpointSlices described."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rulegen.kubectl.describe.text import Description
from rulegen.kubectl.plain import Object, at, fields, items, name_of, namespace_of, number, text


def _begin(item: Object) -> Description:
    out = Description()
    out.field("Name", name_of(item))
    out.field("Namespace", namespace_of(item))
    out.labels(fields(item, "metadata", "labels"))
    out.annotations(fields(item, "metadata", "annotations"))
    return out


def describe_endpoints(item: Object, events: Sequence[Object] | None, now: datetime) -> str:
    """The description of an Endpoints object; ``events`` are left out if None."""
    out = _begin(item)
    out.line("Subsets:")
    for subset in items(item, "subsets"):
        for title, key in (("Addresses", "addresses"), ("NotReadyAddresses", "notReadyAddresses")):
            listed = ",".join(text(each, "ip") for each in items(subset, key))
            out.field(title, listed or "<none>", 1)
        ports = items(subset, "ports")
        if ports:
            out.line("Ports:", 1)
            out.line("Name\tPort\tProtocol", 2)
            out.line("----\t----\t--------", 2)
            for port in ports:
                name = text(port, "name") or "<unset>"
                out.line(f"{name}\t{number(port, 'port')}\t{text(port, 'protocol')}", 2)
        out.line("")
    if events is not None:
        out.events(events, now)
    return out.text()


def describe_slice(item: Object, events: Sequence[Object] | None, now: datetime) -> str:
    """The description of an EndpointSlice; ``events`` are left out if None."""
    out = _begin(item)
    out.field("AddressType", text(item, "addressType"))
    ports = items(item, "ports")
    if not ports:
        out.line("Ports: <unset>")
    else:
        out.line("Ports:")
        out.line("Name\tPort\tProtocol", 1)
        out.line("----\t----\t--------", 1)
        for port in ports:
            number_shown = at(port, "port")
            cells = [
                text(port, "name") or "<unset>",
                "<unset>" if number_shown is None else str(number_shown),
                text(port, "protocol"),
            ]
            out.line("\t".join(cells), 1)
    endpoints = items(item, "endpoints")
    out.line("Endpoints:" if endpoints else "Endpoints: <none>")
    for endpoint in endpoints:
        out.field("- Addresses", ", ".join(items(endpoint, "addresses")) or "<none>", 1)
        ready = at(endpoint, "conditions", "ready")
        out.line("Conditions:", 2)
        out.field("Ready", "<unset>" if ready is None else str(ready).lower(), 3)
        out.field("Hostname", _or_unset(endpoint, "hostname"), 2)
        target = at(endpoint, "targetRef")
        if target is not None:
            out.field("TargetRef", f"{text(target, 'kind')}/{text(target, 'name')}", 2)
        out.field("NodeName", _or_unset(endpoint, "nodeName"), 2)
        out.field("Zone", _or_unset(endpoint, "zone"), 2)
    if events is not None:
        out.events(events, now)
    return out.text()


def _or_unset(item: Object, field: str) -> str:
    value = at(item, field)
    return "<unset>" if value is None else str(value)
