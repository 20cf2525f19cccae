"""What the API server allocates for a new Service: IP families, cluster IPs, node ports (1.37).

All of it happens before the object is validated, and the first step that finds a fault ends the request, so
that its errors stand alone. Addresses and ports that the server would choose are marked ``"*"``.
"""

from __future__ import annotations

from typing import Any

from rulegen.load.api.addresses import CIDR, IP, family_of, parse_cidr, parse_ip
from rulegen.load.api.answers import Errors, FieldError, Server, invalid, invalid_json, quoted, required
from rulegen.load.api.names import path_segment
from rulegen.load.api.services import ALLOCATED, check_cluster_ips, needs_health_check


def allocate(service: dict[str, Any], name: str, server: Server) -> Errors:
    """Fill in what the server would allocate, or say why it cannot."""
    spec = service["spec"]
    networks = _networks(server)
    if spec["type"] != "ExternalName":
        errors = _init_families(spec, networks) or _allocate_ips(service, name, networks, server)
        if errors:
            return errors
    return _allocate_ports(spec, server)


def _networks(server: Server) -> dict[str, list[CIDR]]:
    """Service CIDRs by family, the default family first."""
    networks: dict[str, list[CIDR]] = {}
    for text in server.service_cidrs:
        cidr = parse_cidr(text)
        if cidr is not None:
            networks.setdefault(cidr.ip.family, []).append(cidr)
    return networks


def primary_family(server: Server) -> str:
    """The family of Services that ask for none."""
    return next(iter(_networks(server)), "IPv4")


def _init_families(spec: dict[str, Any], networks: dict[str, list[CIDR]]) -> Errors:
    """ipFamilyPolicy and ipFamilies, from each other, from the addresses asked for, from the cluster."""
    selectorless = spec.get("clusterIP") == "None" and not spec.get("selector")
    if "ipFamilyPolicy" not in spec:
        spec["ipFamilyPolicy"] = "RequireDualStack" if selectorless else "SingleStack"
    policy = spec["ipFamilyPolicy"]
    errors = check_cluster_ips(spec, strict=True)
    if errors:
        return errors
    families: list[str] = spec.get("ipFamilies", [])
    ips: list[str] = spec.get("clusterIPs", [])
    if policy == "SingleStack":
        detail = "must be 'RequireDualStack' or 'PreferDualStack' when multiple {} are specified"
        if len(ips) == 2:
            errors.append(invalid_json("spec.ipFamilyPolicy", policy, detail.format("cluster IPs")))
        if len(families) == 2:
            errors.append(invalid_json("spec.ipFamilyPolicy", policy, detail.format("IP families")))
    for i, ip in enumerate(ips):
        if ip == "None":
            break
        if i >= len(families):
            family = family_of(ip)
            if family in networks:
                families.append(family)
            else:
                detail = f"{family} is not configured on this cluster"
                errors.append(invalid_json(f"spec.clusterIPs[{i}]", ips, detail))
    if errors:
        return errors
    primary = next(iter(networks), "IPv4")
    if not selectorless:
        if policy == "RequireDualStack" and len(networks) < 2:
            detail = "this cluster is not configured for dual-stack services"
            errors.append(invalid_json("spec.ipFamilyPolicy", policy, detail))
        for i, family in enumerate(families):
            if family not in networks:
                detail = "not configured on this cluster"
                errors.append(invalid_json(f"spec.ipFamilies[{i}]", family, detail))
        if errors:
            return errors
    families = families or [primary]
    if len(families) == 1 and policy != "SingleStack" and (selectorless or len(networks) == 2):
        families.append("IPv6" if families[0] == "IPv4" else "IPv4")
    spec["ipFamilies"] = families
    return []


def _allocate_ips(
    service: dict[str, Any], name: str, networks: dict[str, list[CIDR]], server: Server
) -> Errors:
    spec = service["spec"]
    ips: list[str] = spec.get("clusterIPs", [])
    if ips[:1] == ["None"]:
        return []
    families: list[str] = spec["ipFamilies"]
    # Missing addresses are empty in what errors print.
    ips += [""] * (len(families) - len(ips))
    refused = _check_parent(service["metadata"].get("namespace", ""), name)
    # The server goes through its families in random order; ours is that of ipFamilies.
    for ip, family in zip(ips, families, strict=False):
        parsed = parse_ip(ip) if ip else None
        fault = _unavailable(parsed, networks.get(family, []), server) if parsed is not None else ""
        if not fault and refused:
            address = str(parsed) if parsed is not None else ALLOCATED
            fault = f"IPAddress.networking.k8s.io {quoted(address)} is invalid: {refused}"
        if fault:
            what = f"failed to allocate IP {ip}" if ip else "failed to allocate IP"
            return [invalid_json("spec.clusterIPs", ips, f"{what}: {fault}")]
    spec["clusterIPs"] = [ip or ALLOCATED for ip in ips]
    spec["clusterIP"] = spec["clusterIPs"][0]
    return []


def _unavailable(ip: IP, networks: list[CIDR], server: Server) -> str:
    """Why an address cannot be had, if so. The first of a network, and the last of IPv4, are no one's."""
    number = int.from_bytes(ip.packed, "big")
    for network in networks:
        first = int.from_bytes(network.network, "big")
        last = first + (1 << (network.bits - network.length)) - 1
        if first < number < last or (number == last and first != last and ip.family == "IPv6"):
            return "provided IP is already allocated" if str(ip) in server.cluster_ips else ""
    return "the provided network does not match the current range"


def _check_parent(namespace: str, name: str) -> str:
    """What the server finds wrong with the IPAddress object that refers to the Service.

    That is how a Service without a name fails: it is not validated yet when its address is taken.
    """
    errors = [] if name else [required("spec.parentRef.name")]
    errors += [invalid("spec.parentRef.name", name, fault) for fault in path_segment(name)]
    errors += [invalid("spec.parentRef.namespace", namespace, fault) for fault in path_segment(namespace)]
    shown = [str(error) for error in errors]
    return f"[{', '.join(shown)}]" if len(shown) > 1 else "".join(shown)


def _allocate_ports(spec: dict[str, Any], server: Server) -> Errors:
    taken: set[int] = set()
    if spec["type"] in ("NodePort", "LoadBalancer"):
        errors = _allocate_node_ports(spec, taken, server)
        if errors:
            return errors
    if needs_health_check(spec):
        port = spec.get("healthCheckNodePort", 0)
        if not port:
            spec["healthCheckNodePort"] = ALLOCATED
        else:
            fault = _take(port, taken, server)
            if fault:
                # The server answers this one with an internal error (500).
                detail = f"failed to allocate requested HealthCheck NodePort {port}: {fault}"
                return [FieldError("spec.healthCheckNodePort", f"Internal error occurred: {detail}")]
    return []


def _allocate_node_ports(spec: dict[str, Any], taken: set[int], server: Server) -> Errors:
    """Ports with the same number (of other protocols) share one node port, asked for or chosen."""
    chooses = spec["type"] == "NodePort" or spec["allocateLoadBalancerNodePorts"]
    ports: list[dict[str, Any]] = spec.get("ports", [])
    shared: dict[int, Any] = {}
    for i, port in enumerate(ports):
        node_port = port.get("nodePort", 0)
        if not node_port and not chooses:
            continue
        number = port["port"]
        if number not in shared:
            wanted = (each["nodePort"] for each in ports if each["port"] == number and "nodePort" in each)
            node_port = next(wanted, ALLOCATED)
            shared[number] = port["nodePort"] = node_port
        elif not node_port:
            port["nodePort"] = shared[number]
            continue
        elif node_port == shared[number]:
            continue
        fault = _take(node_port, taken, server) if node_port != ALLOCATED else ""
        if fault:
            return [invalid(f"spec.ports[{i}].nodePort", node_port, fault)]
    return []


def _take(port: int, taken: set[int], server: Server) -> str:
    first, last = server.node_ports
    if not first <= port <= last:
        return f"provided port is not in the valid range. The range of valid ports is {first}-{last}"
    if port in taken or port in server.used_node_ports:
        return "provided port is already allocated"
    taken.add(port)
    return ""
