"""Nodes, Namespaces and ConfigMaps."""

from __future__ import annotations

from datetime import datetime

from rulegen.kubectl.columns.base import Cell, Columns, column, created
from rulegen.kubectl.plain import Object, at, fields, items, name_of, text

_ROLE = "node-role.kubernetes.io/"


def _node(node: Object, now: datetime) -> tuple[Cell, ...]:
    info = fields(node, "status", "nodeInfo")
    architecture = text(info, "architecture")
    kernel = text(info, "kernelVersion") or "<unknown>"
    return (
        name_of(node),
        _status(node),
        ",".join(_roles(node)) or "<none>",
        created(node, now),
        text(info, "kubeletVersion"),
        _address(node, "InternalIP"),
        _address(node, "ExternalIP"),
        text(info, "osImage") or "<unknown>",
        f"{kernel} ({architecture})" if architecture else kernel,
        text(info, "containerRuntimeVersion") or "<unknown>",
    )


def _status(node: Object) -> str:
    ready = [each for each in items(node, "status", "conditions") if each.get("type") == "Ready"]
    if not ready:
        status = "Unknown"
    else:
        status = "Ready" if ready[-1].get("status") == "True" else "NotReady"
    return f"{status},SchedulingDisabled" if at(node, "spec", "unschedulable") else status


def _roles(node: Object) -> list[str]:
    labels = fields(node, "metadata", "labels")
    roles = {key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE)}
    roles.add(labels.get("kubernetes.io/role", ""))
    return sorted(roles - {""})


def _address(node: Object, kind: str) -> str:
    addresses = items(node, "status", "addresses")
    return next((text(each, "address") for each in addresses if each.get("type") == kind), "<none>")


NODES = Columns(
    column(
        "STATUS",
        "ROLES",
        "AGE",
        "VERSION",
        wide=("INTERNAL-IP", "EXTERNAL-IP", "OS-IMAGE", "KERNEL-VERSION", "CONTAINER-RUNTIME"),
    ),
    _node,
)


def _namespace(item: Object, now: datetime) -> tuple[Cell, ...]:
    return name_of(item), text(item, "status", "phase"), created(item, now)


NAMESPACES = Columns(column("STATUS", "AGE"), _namespace)


def _config_map(item: Object, now: datetime) -> tuple[Cell, ...]:
    count = len(fields(item, "data")) + len(fields(item, "binaryData"))
    return name_of(item), count, created(item, now)


CONFIG_MAPS = Columns(column("DATA", "AGE"), _config_map)
