"""Nodes, ServiceCIDRs, Namespaces and ConfigMaps: defaults and checks (core/v1, networking/v1, 1.37)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rulegen.load.api.addresses import check_canonical_cidr, check_cidr, check_ip, parse_cidr
from rulegen.load.api.answers import Errors, invalid_json, required
from rulegen.load.api.metadata import check_metadata
from rulegen.load.api.names import dns_label, dns_subdomain

_IP_ADDRESSES = ("InternalIP", "ExternalIP")


def default_node(node: dict[str, Any]) -> None:
    spec, status = node["spec"], node["status"]
    cidr, cidrs = spec.get("podCIDR"), spec.get("podCIDRs")
    if cidr and (not cidrs or cidrs[0] != cidr):
        # The single field wins, as it is the one that an old client knows.
        spec["podCIDRs"] = [cidr]
    elif cidrs and not cidr:
        spec["podCIDR"] = cidrs[0]
    if "capacity" in status:
        status.setdefault("allocatable", dict(status["capacity"]))


def validate_node(node: Mapping[str, Any], *, stored: bool) -> Errors:
    """The errors of a Node. Addresses of its status are checked too, since rules are made for them."""
    errors = check_metadata(node["metadata"], dns_subdomain, namespaced=False)
    cidrs = node["spec"].get("podCIDRs", [])
    for i, cidr in enumerate(cidrs):
        errors += check_cidr(f"spec.podCIDRs[{i}]", cidr, strict=not stored)
    if len(cidrs) > 2 or (len(cidrs) == 2 and _families(cidrs) != {"IPv4", "IPv6"}):
        detail = "may specify no more than one CIDR for each IP family"
        errors.append(invalid_json("spec.podCIDRs", cidrs, detail))
    for i, address in enumerate(node["status"].get("addresses", ())):
        if address["type"] in _IP_ADDRESSES:
            errors += check_ip(f"status.addresses[{i}].address", address["address"], strict=not stored)
    return errors


def _families(cidrs: list[str]) -> set[str]:
    parsed = [parse_cidr(cidr) for cidr in cidrs]
    return {"" if cidr is None else cidr.ip.family for cidr in parsed}


def validate_service_cidr(service_cidr: Mapping[str, Any], *, stored: bool) -> Errors:
    """The errors of a ServiceCIDR: one or two networks in canonical form, at most one a family."""
    errors = check_metadata(service_cidr["metadata"], dns_subdomain, namespaced=False)
    field = "spec.cidrs"
    cidrs = service_cidr["spec"].get("cidrs", [])
    if not cidrs:
        errors.append(required(field, "at least one CIDR required"))
    elif len(cidrs) > 2:
        errors.append(invalid_json(field, {"CIDRs": cidrs}, "may only hold up to 2 values"))
    else:
        for i, cidr in enumerate(cidrs):
            place = f"{field}[{i}]"
            errors += check_cidr(place, cidr, strict=False) if stored else check_canonical_cidr(place, cidr)
        if len(cidrs) == 2 and len(_families(cidrs)) == 1 and _families(cidrs) != {""}:
            detail = (
                "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
            )
            errors.append(invalid_json(field, cidrs, detail))
    return errors


def default_namespace(namespace: dict[str, Any]) -> None:
    name = namespace["metadata"].get("name")
    if name:
        namespace["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name
    namespace["status"].setdefault("phase", "Active")


def validate_namespace(namespace: Mapping[str, Any], *, stored: bool) -> Errors:
    return check_metadata(namespace["metadata"], dns_label, namespaced=False)


def validate_config_map(config_map: Mapping[str, Any], *, stored: bool) -> Errors:
    return check_metadata(config_map["metadata"], dns_subdomain)
