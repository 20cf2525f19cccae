"""EndpointSlices and Endpoints: defaults, validation and warnings (discovery/v1 and core/v1, 1.37)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rulegen.load.api.addresses import (
    check_canonical_ip,
    check_endpoint_ip,
    check_ip,
    family_of,
    ip_warnings,
)
from rulegen.load.api.answers import (
    Errors,
    FieldError,
    duplicate,
    duplicate_json,
    invalid,
    required,
    too_many,
    unsupported,
)
from rulegen.load.api.metadata import check_metadata
from rulegen.load.api.names import (
    dns_label,
    dns_subdomain,
    domain_name,
    label_value,
    port_number,
    qualified_name,
)
from rulegen.load.api.services import PROTOCOLS

_ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
_MOST_ADDRESSES = 100
_MOST_PORTS = 20000
_MOST_ENDPOINTS = 1000
_MOST_HINTS = 8
_MANAGED_BY_SLICE = "endpointslice.kubernetes.io/managed-by"
_SLICE_CONTROLLERS = ("endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io")
_MANAGED_BY_ENDPOINTS = "endpoints.kubernetes.io/managed-by"
_ENDPOINTS_CONTROLLER = "endpoint-controller"


def default_slice(endpoint_slice: dict[str, Any]) -> None:
    """A port without a name has the empty one; one without a protocol is TCP (an empty protocol is not)."""
    for port in endpoint_slice["ports"] or ():
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


def prepare_slice(endpoint_slice: dict[str, Any]) -> None:
    """What a create through discovery.k8s.io/v1 drops: topology is a field of v1beta1 only."""
    endpoint_slice["metadata"].pop("generation", None)
    for endpoint in endpoint_slice["endpoints"] or ():
        endpoint.pop("deprecatedTopology", None)


def validate_slice(endpoint_slice: Mapping[str, Any], *, stored: bool) -> Errors:
    """The errors of an EndpointSlice; ``stored`` takes legacy addresses and the sizes of other releases."""
    errors = check_metadata(endpoint_slice["metadata"], dns_subdomain)
    kind = endpoint_slice["addressType"]
    if not kind:
        errors.append(required("addressType"))
    elif kind not in _ADDRESS_TYPES:
        errors.append(unsupported("addressType", kind, _ADDRESS_TYPES))
    ports = endpoint_slice["ports"] or []
    if len(ports) > _MOST_PORTS and not stored:
        errors.append(too_many("ports", len(ports), _MOST_PORTS))
    else:
        errors += _check_slice_ports(ports)
    endpoints = endpoint_slice["endpoints"] or []
    # These two are declared on the types, and checked even where there are too many endpoints.
    for i, endpoint in enumerate(endpoints):
        addresses = endpoint["addresses"] or []
        if not addresses:
            errors.append(required(f"endpoints[{i}].addresses"))
        elif len(addresses) > _MOST_ADDRESSES and not stored:
            errors.append(too_many(f"endpoints[{i}].addresses", len(addresses), _MOST_ADDRESSES))
    if len(endpoints) > _MOST_ENDPOINTS and not stored:
        errors.append(too_many("endpoints", len(endpoints), _MOST_ENDPOINTS))
        return errors
    for i, endpoint in enumerate(endpoints):
        errors += _check_endpoint(f"endpoints[{i}]", endpoint, kind, stored=stored)
    return errors


def _check_slice_ports(ports: list[Mapping[str, Any]]) -> Errors:
    errors: Errors = []
    names = set()
    for i, port in enumerate(ports):
        field = f"ports[{i}]"
        name = port["name"]
        if name:
            errors += [invalid(f"{field}.name", name, fault) for fault in dns_label(name)]
        if name in names:
            errors.append(duplicate_json(f"{field}.name", name))
        names.add(name)
        if port["protocol"] not in PROTOCOLS:
            errors.append(unsupported(f"{field}.protocol", port["protocol"], PROTOCOLS))
        if "appProtocol" in port:
            protocol = port["appProtocol"]
            errors += [invalid(f"{field}.appProtocol", protocol, fault) for fault in qualified_name(protocol)]
    return errors


def _check_endpoint(field: str, endpoint: Mapping[str, Any], kind: str, *, stored: bool) -> Errors:
    errors: Errors = []
    for i, address in enumerate(endpoint["addresses"] or ()):
        errors += _check_address(f"{field}.addresses", i, address, kind, stored=stored)
    if "nodeName" in endpoint:
        name = endpoint["nodeName"]
        errors += [invalid(f"{field}.nodeName", name, fault) for fault in dns_subdomain(name)]
    if "hostname" in endpoint:
        name = endpoint["hostname"]
        errors += [invalid(f"{field}.hostname", name, fault) for fault in dns_label(name)]
    if "hints" in endpoint:
        errors += _check_hints(f"{field}.hints", endpoint["hints"])
    return errors


def _check_address(field: str, i: int, address: str, kind: str, *, stored: bool) -> Errors:
    """One address. One of the other family is reported at the list, not at its place in it."""
    place = f"{field}[{i}]"
    if kind == "FQDN":
        if not address:
            return [required(place)]
        return [invalid(place, shown, fault) for shown, fault in domain_name(address)]
    if kind not in ("IPv4", "IPv6"):
        return []
    if kind == "IPv4" or stored:
        errors = check_ip(place, address, strict=not stored)
    else:
        errors = check_canonical_ip(place, address)
    if errors:
        return errors
    if family_of(address) != kind:
        errors.append(invalid(field, address, f"must be an {kind} address"))
    return errors + check_endpoint_ip(place, address)


def _check_hints(field: str, hints: Mapping[str, Any]) -> Errors:
    errors: Errors = []
    for part, check in (("forZones", label_value), ("forNodes", dns_subdomain)):
        hinted = hints.get(part, [])
        if len(hinted) > _MOST_HINTS:
            errors.append(too_many(f"{field}.{part}", len(hinted), _MOST_HINTS))
            return errors
        names = set()
        for i, each in enumerate(hinted):
            place, name = f"{field}.{part}[{i}].name", each["name"]
            if name in names:
                errors.append(duplicate(place, name))
            names.add(name)
            errors += [invalid(place, name, fault) for fault in check(name)]
    return errors


def slice_warnings(endpoint_slice: Mapping[str, Any]) -> list[FieldError]:
    """What the server warns about an EndpointSlice that it takes; those of controllers are not looked at."""
    warnings = []
    if endpoint_slice["addressType"] == "FQDN":
        warnings.append(FieldError("addressType", "FQDN endpoints are deprecated"))
    if endpoint_slice["metadata"].get("labels", {}).get(_MANAGED_BY_SLICE) not in _SLICE_CONTROLLERS:
        for i, endpoint in enumerate(endpoint_slice["endpoints"] or ()):
            for j, address in enumerate(endpoint["addresses"]):
                warnings += ip_warnings(f"endpoints[{i}].addresses[{j}]", address)
    return warnings


def default_endpoints(endpoints: dict[str, Any]) -> None:
    """A port without a protocol is TCP."""
    for subset in endpoints.get("subsets", ()):
        for port in subset.get("ports", ()):
            port.setdefault("protocol", "TCP")


def validate_endpoints(endpoints: Mapping[str, Any], *, stored: bool) -> Errors:
    """The errors of an Endpoints object; ``stored`` takes addresses in their legacy forms."""
    errors = check_metadata(endpoints["metadata"], dns_subdomain)
    for i, subset in enumerate(endpoints.get("subsets", ())):
        field = f"subsets[{i}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            errors.append(required(field, "must specify `addresses` or `notReadyAddresses`"))
        for part in ("addresses", "notReadyAddresses"):
            for j, address in enumerate(subset.get(part, ())):
                errors += _check_subset_address(f"{field}.{part}[{j}]", address, stored=stored)
        ports = subset.get("ports", [])
        for j, port in enumerate(ports):
            errors += _check_subset_port(f"{field}.ports[{j}]", port, named=len(ports) > 1)
    return errors


def _check_subset_address(field: str, address: Mapping[str, Any], *, stored: bool) -> Errors:
    ip = address["ip"]
    errors = check_ip(f"{field}.ip", ip, strict=not stored)
    if "hostname" in address:
        name = address["hostname"]
        errors += [invalid(f"{field}.hostname", name, fault) for fault in dns_label(name)]
    if "nodeName" in address:
        name = address["nodeName"]
        errors += [invalid(f"{field}.nodeName", name, fault) for fault in dns_subdomain(name)]
    return errors + check_endpoint_ip(f"{field}.ip", ip)


def _check_subset_port(field: str, port: Mapping[str, Any], *, named: bool) -> Errors:
    errors: Errors = []
    if "name" in port:
        errors += [invalid(f"{field}.name", port["name"], fault) for fault in dns_label(port["name"])]
    elif named:
        errors.append(required(f"{field}.name"))
    errors += [invalid(f"{field}.port", port["port"], fault) for fault in port_number(port["port"])]
    if port["protocol"] not in PROTOCOLS:
        errors.append(unsupported(f"{field}.protocol", port["protocol"], PROTOCOLS))
    if "appProtocol" in port:
        protocol = port["appProtocol"]
        errors += [invalid(f"{field}.appProtocol", protocol, fault) for fault in qualified_name(protocol)]
    return errors


def endpoints_warnings(endpoints: Mapping[str, Any]) -> list[FieldError]:
    """What the server warns about an Endpoints object that it takes."""
    if endpoints["metadata"].get("labels", {}).get(_MANAGED_BY_ENDPOINTS) == _ENDPOINTS_CONTROLLER:
        return []
    warnings = []
    for i, subset in enumerate(endpoints.get("subsets", ())):
        for part in ("addresses", "notReadyAddresses"):
            for j, address in enumerate(subset.get(part, ())):
                warnings += ip_warnings(f"subsets[{i}].{part}[{j}].ip", address["ip"])
    return warnings
