"""Services: defaults, what a read of an old object fills in, validation and warnings (core/v1, 1.37)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rulegen.load.api.addresses import (
    check_cidr,
    check_endpoint_ip,
    check_ip,
    cidr_warnings,
    family_of,
    ip_warnings,
)
from rulegen.load.api.answers import (
    Errors,
    FieldError,
    duplicate,
    duplicate_json,
    forbidden,
    invalid,
    invalid_json,
    required,
    unsupported,
)
from rulegen.load.api.metadata import check_labels, check_metadata
from rulegen.load.api.names import dns_label, dns_subdomain, port_name, port_number, qualified_name

ALLOCATED = "*"
"""Stands for an address or a port that the server would choose."""

PROTOCOLS = ("SCTP", "TCP", "UDP")

_HINTS = "service.kubernetes.io/topology-aware-hints"
_MODE = "service.kubernetes.io/topology-mode"
_SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROXIED = ("ClusterIP", "LoadBalancer", "NodePort")
_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
_POLICIES = ("Cluster", "Local")
_FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_AFFINITY_SECONDS = 10800
_MOST_AFFINITY_SECONDS = 86400
_BALANCER_ONLY = "may only be used when `type` is 'LoadBalancer'"
# What Go's strings.TrimSpace trims; Python's strip would take the separators 0x1c-0x1f as well.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def default_service(service: dict[str, Any]) -> None:
    """Fill in what every Service gets, created or read."""
    spec = service["spec"]
    affinity = spec.setdefault("sessionAffinity", "None")
    if affinity == "None":
        spec.pop("sessionAffinityConfig", None)
    elif affinity == "ClientIP":
        config = spec.get("sessionAffinityConfig") or {}
        if (config.get("clientIP") or {}).get("timeoutSeconds") is None:
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": _AFFINITY_SECONDS}}
    kind = spec.setdefault("type", "ClusterIP")
    for port in spec.get("ports", ()):
        port.setdefault("protocol", "TCP")
        if port["targetPort"] in (0, ""):
            port["targetPort"] = port["port"]
    if externally_accessible(spec):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind in _PROXIED:
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
        for ingress in service.get("status", {}).get("loadBalancer", {}).get("ingress", ()):
            if ingress.get("ip"):
                ingress.setdefault("ipMode", "VIP")


def normalize_cluster_ips(spec: dict[str, Any]) -> None:
    """A single clusterIP stands for a list of one; a list alone stands for nothing."""
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]


def default_on_read(spec: dict[str, Any], primary: str) -> None:
    """What reading fills in where an object is older than its fields; ``primary`` is the default family."""
    normalize_cluster_ips(spec)
    if spec.get("type") == "ExternalName":
        spec.pop("internalTrafficPolicy", None)
        return
    if spec.get("ipFamilies"):
        return
    if spec.get("clusterIP") == "None":
        other = "IPv6" if primary == "IPv4" else "IPv4"
        selects = bool(spec.get("selector"))
        spec["ipFamilies"] = [primary] if selects else [primary, other]
        spec["ipFamilyPolicy"] = "SingleStack" if selects else "RequireDualStack"
        return
    families = ["IPv6" if family_of(ip) == "IPv6" else "IPv4" for ip in spec.get("clusterIPs", ())]
    if families:
        spec["ipFamilies"] = families
    if len(families) in (1, 2):
        spec["ipFamilyPolicy"] = "SingleStack" if len(families) == 1 else "RequireDualStack"


def externally_accessible(spec: Mapping[str, Any]) -> bool:
    kind = spec.get("type")
    return kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def needs_health_check(spec: Mapping[str, Any]) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def is_headless(spec: Mapping[str, Any]) -> bool:
    return bool(spec.get("clusterIPs") == ["None"])


def validate_service(service: Mapping[str, Any], *, stored: bool) -> Errors:
    """The errors of a Service that has its defaults and what was allocated for it.

    ``stored`` takes addresses in their legacy forms, and does not ask for what allocation would have given.
    Otherwise cluster IPs have been checked already, before they were allocated.
    """
    errors = check_metadata(service["metadata"], dns_label)
    errors += _check_topology(service["metadata"].get("annotations", {}))
    spec = service["spec"]
    ports = spec.get("ports", [])
    kind = spec["type"]
    if not ports and not is_headless(spec) and kind != "ExternalName":
        errors.append(required("spec.ports"))
    errors += _check_type(spec, kind)
    errors += _check_ports(ports)
    if "selector" in spec:
        errors += check_labels("spec.selector", spec["selector"])
    errors += _check_affinity(spec)
    if stored:
        errors += check_cluster_ips(spec, strict=False)
    for i, ip in enumerate(spec.get("externalIPs", ())):
        field = f"spec.externalIPs[{i}]"
        errors += check_ip(field, ip, strict=not stored) or check_endpoint_ip(field, ip)
    if kind not in _TYPES:
        errors.append(unsupported("spec.type", kind, _TYPES))
    errors += _check_duplicates(ports, kind)
    errors += _check_source_ranges(service["metadata"].get("annotations", {}), spec, stored=stored)
    if "allocateLoadBalancerNodePorts" in spec and kind != "LoadBalancer":
        errors.append(forbidden("spec.allocateLoadBalancerNodePorts", _BALANCER_ONLY))
    if "loadBalancerClass" in spec:
        name, field = spec["loadBalancerClass"], "spec.loadBalancerClass"
        if kind == "LoadBalancer":
            errors += [invalid(field, name, fault) for fault in qualified_name(name)]
        else:
            errors.append(forbidden(field, _BALANCER_ONLY))
    errors += _check_policies(spec, stored=stored)
    if "status" in service:
        errors += _check_ingress(service["status"].get("loadBalancer", {}).get("ingress", []), kind, stored)
    return errors


def _check_topology(annotations: Mapping[str, str]) -> Errors:
    if _MODE in annotations and _HINTS in annotations and annotations[_MODE] != annotations[_HINTS]:
        detail = f"must match annotations[{_HINTS}] when both are specified"
        return [invalid(f"metadata.annotations[{_MODE}]", annotations[_MODE], detail)]
    return []


def _check_type(spec: Mapping[str, Any], kind: str) -> Errors:
    if kind in ("LoadBalancer", "NodePort") and is_headless(spec):
        return [invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services")]
    if kind != "ExternalName":
        return []
    errors = [
        forbidden(f"spec.{field}", "may not be set for ExternalName services")
        for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy")
        if field in spec
    ]
    name = spec.get("externalName", "").removesuffix(".")
    if name:
        errors += [invalid("spec.externalName", name, fault) for fault in dns_subdomain(name)]
    else:
        errors.append(required("spec.externalName"))
    return errors


def _check_ports(ports: list[Mapping[str, Any]]) -> Errors:
    errors: Errors = []
    names = set()
    for i, port in enumerate(ports):
        field = f"spec.ports[{i}]"
        name = port.get("name", "")
        if name:
            errors += [invalid(f"{field}.name", name, fault) for fault in dns_label(name)]
            if name in names:
                errors.append(duplicate(f"{field}.name", name))
            names.add(name)
        elif len(ports) > 1:
            errors.append(required(f"{field}.name"))
        number = port["port"]
        errors += [invalid(f"{field}.port", number, fault) for fault in port_number(number)]
        if port["protocol"] not in PROTOCOLS:
            errors.append(unsupported(f"{field}.protocol", port["protocol"], PROTOCOLS))
        target = port["targetPort"]
        faults = port_name(target) if isinstance(target, str) else port_number(target)
        errors += [invalid(f"{field}.targetPort", target, fault) for fault in faults]
        if "appProtocol" in port:
            protocol = port["appProtocol"]
            errors += [invalid(f"{field}.appProtocol", protocol, fault) for fault in qualified_name(protocol)]
    return errors


def _check_affinity(spec: Mapping[str, Any]) -> Errors:
    affinity = spec["sessionAffinity"]
    if affinity not in ("ClientIP", "None"):
        return [unsupported("spec.sessionAffinity", affinity, ("ClientIP", "None"))]
    if affinity == "ClientIP":
        seconds = spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"]
        if not 0 < seconds <= _MOST_AFFINITY_SECONDS:
            detail = f"must be greater than 0 and less than {_MOST_AFFINITY_SECONDS}"
            return [invalid("spec.sessionAffinityConfig.clientIP.timeoutSeconds", seconds, detail)]
    return []


def check_cluster_ips(spec: Mapping[str, Any], *, strict: bool) -> Errors:
    """clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy against each other.

    The server asks this before it allocates, and again of the whole object, where nothing new can come out.
    """
    if spec["type"] == "ExternalName":
        return []
    errors: Errors = []
    field = "spec.clusterIPs"
    ip, ips = spec.get("clusterIP", ""), spec.get("clusterIPs", [])
    families = spec.get("ipFamilies", [])
    if ip:
        if not ips:
            errors.append(required(field))
        elif ips[0] != ip:
            errors.append(invalid_json(field, ips, "first value must match `clusterIP`"))
    elif ips:
        errors.append(invalid_json(field, ips, "must be empty when `clusterIP` is not specified"))
    for i, family in enumerate(families):
        if family not in ("IPv4", "IPv6"):
            errors.append(unsupported(f"spec.ipFamilies[{i}]", family, ("IPv4", "IPv6")))
        if family in families[:i]:
            errors.append(duplicate_json(f"spec.ipFamilies[{i}]", family))
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in _FAMILY_POLICIES:
        errors.append(unsupported("spec.ipFamilyPolicy", policy, _FAMILY_POLICIES))
    bad = False
    for i, each in enumerate(ips):
        if i == 0 and each == "None":
            if len(ips) > 1:
                bad = True
                errors.append(invalid_json(field, ips, "'None' must be the first and only value"))
        else:
            faults = check_ip(f"{field}[{i}]", each, strict=strict)
            bad = bad or bool(faults)
            errors += faults
    if len(ips) > 2:
        errors.append(invalid_json(field, ips, "may only hold up to 2 values"))
    if bad:
        return errors
    return errors + _check_families(ips, families)


def _check_families(ips: list[str], families: list[str]) -> Errors:
    """Addresses that are well formed: at most one a family, and each of the family asked for."""
    errors: Errors = []
    if ips == ["None"]:
        return errors
    if len(ips) > 1 and {family_of(ip) for ip in ips} != {"IPv4", "IPv6"}:
        detail = "may specify no more than one IP for each IP family"
        errors.append(invalid_json("spec.clusterIPs", ips, detail))
    for i, (ip, family) in enumerate(zip(ips, families, strict=False)):
        if family in ("IPv4", "IPv6") and family != family_of(ip):
            detail = f"expected an {family} value as indicated by `ipFamilies[{i}]`"
            errors.append(invalid(f"spec.clusterIPs[{i}]", ip, detail))
    return errors


def _check_duplicates(ports: list[Mapping[str, Any]], kind: str) -> Errors:
    errors: Errors = []
    seen = set()
    if kind == "ClusterIP":
        for i, port in enumerate(ports):
            if "nodePort" in port:
                detail = "may not be used when `type` is 'ClusterIP'"
                errors.append(forbidden(f"spec.ports[{i}].nodePort", detail))
    for i, port in enumerate(ports):
        node_port = port.get("nodePort")
        if node_port is None:
            continue
        # Ports of one number share the node port that is allocated, be their protocols the same or not.
        key = (port["protocol"], node_port, port["port"] if node_port == ALLOCATED else 0)
        if key in seen:
            errors.append(FieldError(f"spec.ports[{i}].nodePort", f"Duplicate value: {node_port}"))
        seen.add(key)
    numbers = set()
    for i, port in enumerate(ports):
        number = (port["protocol"], port["port"])
        if number in numbers:
            # The server prints the Go struct that it looks ports up with.
            shown = {
                "Name": "",
                "Protocol": port["protocol"],
                "AppProtocol": None,
                "Port": port["port"],
                "TargetPort": 0,
                "NodePort": 0,
            }
            errors.append(duplicate(f"spec.ports[{i}]", shown))
        numbers.add(number)
    return errors


def _check_source_ranges(annotations: Mapping[str, str], spec: Mapping[str, Any], *, stored: bool) -> Errors:
    """The field, or, where it is empty, the annotation that came before it; blanks around are allowed."""
    if "loadBalancerSourceRanges" in spec:
        field = "spec.LoadBalancerSourceRanges"
        ranges = [(f"{field}[{i}]", each) for i, each in enumerate(spec["loadBalancerSourceRanges"])]
    elif _SOURCE_RANGES in annotations:
        field = f"metadata.annotations[{_SOURCE_RANGES}]"
        text = annotations[_SOURCE_RANGES].strip(_SPACE)
        ranges = [(field, each) for each in text.split(",")] if text else []
    else:
        return []
    errors: Errors = []
    if spec["type"] != "LoadBalancer":
        errors.append(forbidden(field, _BALANCER_ONLY))
    for place, each in ranges:
        errors += check_cidr(place, each.strip(_SPACE), strict=not stored)
    return errors


def _check_policies(spec: Mapping[str, Any], *, stored: bool) -> Errors:
    errors: Errors = []
    external = spec.get("externalTrafficPolicy")
    if external is not None and not externally_accessible(spec):
        detail = "may only be set for externally-accessible services"
        errors.append(invalid_json("spec.externalTrafficPolicy", external, detail))
    elif external is not None and external not in _POLICIES:
        errors.append(unsupported("spec.externalTrafficPolicy", external, _POLICIES))
    port, field = spec.get("healthCheckNodePort", 0), "spec.healthCheckNodePort"
    if not needs_health_check(spec):
        if port:
            detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
            errors.append(invalid(field, port, detail))
    elif port != ALLOCATED and (port or not stored):
        errors += [required(field)] if not port else [invalid(field, port, f) for f in port_number(port)]
    internal = spec.get("internalTrafficPolicy")
    if internal is not None and internal not in _POLICIES:
        errors.append(unsupported("spec.internalTrafficPolicy", internal, _POLICIES))
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in _DISTRIBUTIONS:
        field = "spec.trafficDistribution"
        errors.append(unsupported(field, distribution, _DISTRIBUTIONS, plain=True))
    return errors


def _check_ingress(ingress: list[Mapping[str, Any]], kind: str, stored: bool) -> Errors:
    """The addresses that a load balancer has given, as an update of the status checks them."""
    field = "status.loadBalancer.ingress"
    if ingress and kind != "LoadBalancer":
        return [forbidden(field, "may only be used when `spec.type` is 'LoadBalancer'")]
    errors: Errors = []
    for i, each in enumerate(ingress):
        place = f"{field}[{i}]"
        ip, mode, name = each.get("ip"), each.get("ipMode"), each.get("hostname")
        if ip:
            errors += check_ip(f"{place}.ip", ip, strict=not stored)
            if mode not in ("Proxy", "VIP"):
                errors.append(unsupported(f"{place}.ipMode", mode, ("Proxy", "VIP")))
        elif mode is not None:
            errors.append(forbidden(f"{place}.ipMode", "may not be specified when `ip` is not set"))
        if name:
            errors += [invalid(f"{place}.hostname", name, fault) for fault in dns_subdomain(name)]
            if family_of(name):
                errors.append(invalid(f"{place}.hostname", name, "must be a DNS name, not an IP address"))
    return errors


def service_warnings(service: Mapping[str, Any]) -> list[FieldError]:
    """What the server warns about a Service that it takes."""
    spec = service["spec"]
    kind = spec["type"]
    headless = kind == "ClusterIP" and spec.get("clusterIP") == "None"
    warnings = []
    if _HINTS in service["metadata"].get("annotations", {}):
        detail = f"annotation is deprecated, please use {_MODE} instead"
        warnings.append(FieldError(f"metadata.annotations[{_HINTS}]", detail))
    if spec.get("clusterIP") not in (None, "", "None"):
        for i, ip in enumerate(spec.get("clusterIPs", ())):
            warnings += ip_warnings(f"spec.clusterIPs[{i}]", ip)
    external_ips = spec.get("externalIPs", [])
    if headless:
        ignored = "is ignored for headless services"
        if "loadBalancerIP" in spec:
            warnings.append(FieldError("spec.loadBalancerIP", ignored))
        if external_ips:
            warnings.append(FieldError("spec.externalIPs", ignored))
        if spec["sessionAffinity"] != "None":
            warnings.append(FieldError("spec.sessionAffinity", ignored))
    for i, ip in enumerate(external_ips):
        warnings += ip_warnings(f"spec.externalIPs[{i}]", ip)
    if external_ips and not headless and kind != "ExternalName":
        detail = "is deprecated and may no longer be implemented in some clusters"
        warnings.append(FieldError("spec.externalIPs", detail))
    if "loadBalancerIP" in spec:
        warnings += ip_warnings("spec.loadBalancerIP", spec["loadBalancerIP"])
    for i, cidr in enumerate(spec.get("loadBalancerSourceRanges", ())):
        warnings += cidr_warnings(f"spec.loadBalancerSourceRanges[{i}]", cidr)
    if kind == "ExternalName" and external_ips:
        warnings.append(FieldError("spec.externalIPs", 'is ignored when spec.type is "ExternalName"'))
    if kind != "ExternalName" and "externalName" in spec:
        warnings.append(FieldError("spec.externalName", 'is ignored when spec.type is not "ExternalName"'))
    if spec.get("trafficDistribution") == "PreferClose":
        detail = '"PreferClose" is deprecated; use "PreferSameZone"'
        warnings.append(FieldError("spec.trafficDistribution", detail))
    return warnings
