"""What makes Pods: Deployments, ReplicaSets, StatefulSets, DaemonSets, ReplicationControllers."""

from __future__ import annotations

from datetime import datetime

from rulegen.kubectl.columns.base import Cell, Columns, column, created
from rulegen.kubectl.plain import Object, at, fields, items, name_of, number
from rulegen.kubectl.selectors import from_label_selector, show_labels

_CONTAINERS = ("CONTAINERS", "IMAGES", "SELECTOR")


def _containers(item: Object) -> tuple[str, str]:
    """The names and images of the containers of the Pods it makes."""
    found = items(item, "spec", "template", "spec", "containers")
    return ",".join(each.get("name", "") for each in found), ",".join(each.get("image", "") for each in found)


def _selector(item: Object, *, none: str, invalid: str) -> str:
    try:
        selector = from_label_selector(at(item, "spec", "selector"))
    except ValueError:
        return invalid
    return ",".join(map(str, selector or ())) or none


def _deployment(item: Object, now: datetime) -> tuple[Cell, ...]:
    return (
        name_of(item),
        f"{number(item, 'status', 'readyReplicas')}/{number(item, 'spec', 'replicas')}",
        number(item, "status", "updatedReplicas"),
        number(item, "status", "availableReplicas"),
        created(item, now),
        *_containers(item),
        _selector(item, none="", invalid="<invalid>"),
    )


DEPLOYMENTS = Columns(column("READY", "UP-TO-DATE", "AVAILABLE", "AGE", wide=_CONTAINERS), _deployment)


def _replica_set(item: Object, now: datetime) -> tuple[Cell, ...]:
    return (*_replicas(item, now), _selector(item, none="<none>", invalid="<error>"))


def _replicas(item: Object, now: datetime) -> tuple[Cell, ...]:
    return (
        name_of(item),
        number(item, "spec", "replicas"),
        number(item, "status", "replicas"),
        number(item, "status", "readyReplicas"),
        created(item, now),
        *_containers(item),
    )


REPLICA_SETS = Columns(column("DESIRED", "CURRENT", "READY", "AGE", wide=_CONTAINERS), _replica_set)


def _replication_controller(item: Object, now: datetime) -> tuple[Cell, ...]:
    return (*_replicas(item, now), show_labels(fields(item, "spec", "selector")))


REPLICATION_CONTROLLERS = Columns(REPLICA_SETS.columns, _replication_controller)


def _stateful_set(item: Object, now: datetime) -> tuple[Cell, ...]:
    return (
        name_of(item),
        f"{number(item, 'status', 'readyReplicas')}/{number(item, 'spec', 'replicas')}",
        created(item, now),
        *_containers(item),
    )


STATEFUL_SETS = Columns(column("READY", "AGE", wide=("CONTAINERS", "IMAGES")), _stateful_set)


def _daemon_set(item: Object, now: datetime) -> tuple[Cell, ...]:
    return (
        name_of(item),
        number(item, "status", "desiredNumberScheduled"),
        number(item, "status", "currentNumberScheduled"),
        number(item, "status", "numberReady"),
        number(item, "status", "updatedNumberScheduled"),
        number(item, "status", "numberAvailable"),
        show_labels(fields(item, "spec", "template", "spec", "nodeSelector")),
        created(item, now),
        *_containers(item),
        _selector(item, none="<none>", invalid="<error>"),
    )


DAEMON_SETS = Columns(
    column(
        "DESIRED", "CURRENT", "READY", "UP-TO-DATE", "AVAILABLE", "NODE SELECTOR", "AGE", wide=_CONTAINERS
    ),
    _daemon_set,
)
