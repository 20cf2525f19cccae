"""Pods and what makes them: the defaults and checks that endpoints, names and tables depend on (1.37).

Fields are all decoded strictly; of the values, those are checked that rulegen reads. These objects describe
what runs, so their status is kept where the API server would drop it on create.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rulegen.load.api.addresses import check_ip, family_of
from rulegen.load.api.answers import (
    Errors,
    FieldError,
    duplicate,
    forbidden,
    invalid,
    invalid_json,
    required,
    unsupported,
)
from rulegen.load.api.metadata import check_labels, check_metadata
from rulegen.load.api.names import (
    dns_label,
    dns_subdomain,
    label_value,
    port_name,
    port_number,
    qualified_name,
)
from rulegen.load.api.services import PROTOCOLS

_RESTART_POLICIES = ("Always", "OnFailure", "Never")
# What the server says of a ReplicaSet is what it says of a Deployment.
_SELECTOR_OWNER = {
    "DaemonSet": "daemonset",
    "Deployment": "deployment",
    "ReplicaSet": "deployment",
    "StatefulSet": "statefulset",
}


def default_pod(pod: dict[str, Any]) -> None:
    default_pod_spec(pod["spec"])
    if pod["spec"].get("hostNetwork"):
        for container in _containers(pod["spec"]):
            for port in container.get("ports", ()):
                port.setdefault("hostPort", port["containerPort"])
    status = pod["status"]
    ip, ips = status.get("podIP"), status.get("podIPs")
    if ip and (not ips or ips[0].get("ip") != ip):
        # The single field wins, as it is the one that an old kubelet knows.
        status["podIPs"] = [{"ip": ip}]
    elif ips and not ip and ips[0].get("ip"):
        status["podIP"] = ips[0]["ip"]


def default_pod_spec(spec: dict[str, Any]) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("dnsPolicy", "ClusterFirst")
    for container in _containers(spec):
        for port in container.get("ports", ()):
            port.setdefault("protocol", "TCP")


def _containers(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [*(spec["containers"] or ()), *spec.get("initContainers", ())]


def validate_pod(pod: Mapping[str, Any], *, stored: bool) -> Errors:
    """The errors of a Pod; ``stored`` takes addresses in their legacy forms."""
    errors = check_metadata(pod["metadata"], dns_subdomain)
    errors += check_pod_spec("spec", pod["spec"])
    ips = [each.get("ip", "") for each in pod["status"].get("podIPs", ())]
    for i, ip in enumerate(ips):
        errors += check_ip(f"status.podIPs[{i}]", ip, strict=not stored)
    if len(ips) > 2 or (len(ips) == 2 and {family_of(ip) for ip in ips} != {"IPv4", "IPv6"}):
        # The server prints its own struct, whose field is IP.
        shown = [{"IP": ip} for ip in ips]
        detail = "may specify no more than one IP for each IP family"
        errors.append(invalid_json("status.podIPs", shown, detail))
    for i, each in enumerate(pod["status"].get("hostIPs", ())):
        errors += check_ip(f"status.hostIPs[{i}]", each.get("ip", ""), strict=not stored)
    return errors


def check_pod_spec(field: str, spec: Mapping[str, Any]) -> Errors:
    errors: Errors = []
    names: set[str] = set()
    for part in ("containers", "initContainers"):
        for i, container in enumerate(spec.get(part) or ()):
            place = f"{field}.{part}[{i}]"
            name = container["name"]
            if not name:
                errors.append(required(f"{place}.name"))
            else:
                errors += [invalid(f"{place}.name", name, fault) for fault in dns_label(name)]
                if name in names:
                    errors.append(duplicate(f"{place}.name", name))
                names.add(name)
            errors += _check_container_ports(f"{place}.ports", container.get("ports", []))
    for i, gate in enumerate(spec.get("readinessGates", ())):
        kind = gate["conditionType"]
        place = f"{field}.readinessGates[{i}].conditionType"
        errors += [invalid(place, kind, fault) for fault in qualified_name(kind)]
    for part, check in (("nodeName", dns_subdomain), ("hostname", dns_label), ("subdomain", dns_label)):
        if part in spec:
            errors += [invalid(f"{field}.{part}", spec[part], fault) for fault in check(spec[part])]
    if spec["restartPolicy"] not in _RESTART_POLICIES:
        errors.append(unsupported(f"{field}.restartPolicy", spec["restartPolicy"], _RESTART_POLICIES))
    return errors


def _check_container_ports(field: str, ports: list[Mapping[str, Any]]) -> Errors:
    errors: Errors = []
    names: set[str] = set()
    for i, port in enumerate(ports):
        place = f"{field}[{i}]"
        name = port.get("name")
        if name:
            faults = port_name(name)
            errors += [invalid(f"{place}.name", name, fault) for fault in faults]
            if name in names:
                errors.append(duplicate(f"{place}.name", name))
            elif not faults:
                names.add(name)
        number = port["containerPort"]
        if not number:
            errors.append(required(f"{place}.containerPort"))
        else:
            errors += [invalid(f"{place}.containerPort", number, fault) for fault in port_number(number)]
        if "hostPort" in port:
            number = port["hostPort"]
            errors += [invalid(f"{place}.hostPort", number, fault) for fault in port_number(number)]
        if port["protocol"] not in PROTOCOLS:
            errors.append(unsupported(f"{place}.protocol", port["protocol"], PROTOCOLS))
    return errors


def default_workload(workload: dict[str, Any]) -> None:
    """A Deployment, ReplicaSet, StatefulSet or DaemonSet: one replica, and a template like a Pod's."""
    spec = workload["spec"]
    if workload["kind"] != "DaemonSet":
        spec.setdefault("replicas", 1)
    template = spec.get("template")
    if template is not None:
        default_pod_spec(template["spec"])


def validate_workload(workload: Mapping[str, Any], *, stored: bool) -> Errors:
    """The errors of a workload: its name, its selector, the labels that must match it, its template."""
    kind, spec = workload["kind"], workload["spec"]
    # Pods of a StatefulSet bear its name with a number, and have it as their host name.
    errors = check_metadata(workload["metadata"], dns_label if kind == "StatefulSet" else dns_subdomain)
    if spec.get("replicas", 0) < 0:
        errors.append(invalid("spec.replicas", spec["replicas"], "must be greater than or equal to 0"))
    selector = spec.get("selector")
    template = spec.get("template") or {"metadata": {}, "spec": {"containers": None}}
    labels = template["metadata"].get("labels", {})
    if selector is None:
        if kind != "DaemonSet":
            errors.append(required("spec.selector"))
        errors.append(_mismatch(labels))
    else:
        faults = check_label_selector("spec.selector", selector)
        errors += faults
        if not selector:
            detail = f"empty selector is invalid for {_SELECTOR_OWNER[kind]}"
            errors.append(invalid_json("spec.selector", {}, detail))
        if faults and kind != "DaemonSet":
            # What cannot be read as a selector has no template to go with it.
            return [*errors, invalid_json("spec.selector", selector, "invalid label selector")]
        if not faults and not selects(selector, labels):
            errors.append(_mismatch(labels))
    errors += check_labels("spec.template.labels", labels)
    pod_spec = template["spec"]
    if kind == "StatefulSet":
        pod_spec = {key: value for key, value in pod_spec.items() if key not in ("hostname", "subdomain")}
    if "restartPolicy" in pod_spec:
        errors += check_pod_spec("spec.template.spec", pod_spec)
    return errors


def _mismatch(labels: Mapping[str, str]) -> FieldError:
    detail = "`selector` does not match template `labels`"
    return invalid_json("spec.template.metadata.labels", labels, detail)


def check_label_selector(field: str, selector: Mapping[str, Any]) -> Errors:
    """The errors of a LabelSelector (meta/v1)."""
    errors = check_labels(f"{field}.matchLabels", selector.get("matchLabels", {}))
    for i, each in enumerate(selector.get("matchExpressions", ())):
        place = f"{field}.matchExpressions[{i}]"
        operator, values = each["operator"], each.get("values", [])
        if operator in ("In", "NotIn"):
            if not values:
                detail = "must be specified when `operator` is 'In' or 'NotIn'"
                errors.append(required(f"{place}.values", detail))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                errors.append(forbidden(f"{place}.values", detail))
        else:
            errors.append(invalid_json(f"{place}.operator", operator, "not a valid selector operator"))
        errors += [invalid(f"{place}.key", each["key"], fault) for fault in qualified_name(each["key"])]
        for j, value in enumerate(values):
            errors += [invalid(f"{place}.values[{j}]", value, fault) for fault in label_value(value)]
    return errors


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector takes an object with these labels."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for each in selector.get("matchExpressions", ()):
        key, operator, values = each["key"], each["operator"], each.get("values", [])
        found = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not found.get(operator, True):
            return False
    return True
