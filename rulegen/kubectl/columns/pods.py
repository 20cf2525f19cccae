"""Pods, with the STATUS that sums up what their containers do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from rulegen.kubectl.age import age, moment
from rulegen.kubectl.columns.base import Cell, Columns, column, created
from rulegen.kubectl.plain import Object, at, items, name_of, number, text


class _Restarts(msgspec.Struct):
    """How often containers were restarted, and when the last one had finished before."""

    count: int = 0
    last: str = ""

    def add(self, status: Mapping[str, Any]) -> None:
        self.count += number(status, "restartCount")
        finished = text(status, "lastState", "terminated", "finishedAt")
        if finished and (not self.last or moment(self.last) < moment(finished)):
            self.last = finished


class _State(msgspec.Struct):
    reason: str
    ready: int = 0


def _pod(pod: Object, now: datetime) -> tuple[Cell, ...]:
    state = _State(text(pod, "status", "reason") or text(pod, "status", "phase"))
    if any(
        each.get("type") == "PodScheduled" and each.get("reason") == "SchedulingGated"
        for each in items(pod, "status", "conditions")
    ):
        state.reason = "SchedulingGated"
    sidecars = {
        text(each, "name")
        for each in items(pod, "spec", "initContainers")
        if each.get("restartPolicy") == "Always"
    }
    restarts, of_sidecars = _Restarts(), _Restarts()
    initializing = _initializing(pod, sidecars, state, restarts, of_sidecars)
    if not initializing or _condition(pod, "Initialized"):
        restarts = of_sidecars
        _running(pod, state, restarts)
    if at(pod, "metadata", "deletionTimestamp"):
        if text(pod, "status", "reason") == "NodeLost":
            state.reason = "Unknown"
        elif text(pod, "status", "phase") not in ("Succeeded", "Failed"):
            state.reason = "Terminating"
    restarted = str(restarts.count)
    if restarts.count and restarts.last:
        restarted = f"{restarts.count} ({age(restarts.last, now)} ago)"
    containers = len(items(pod, "spec", "containers")) + len(sidecars)
    addresses = items(pod, "status", "podIPs")
    return (
        name_of(pod),
        f"{state.ready}/{containers}",
        state.reason,
        restarted,
        created(pod, now),
        (text(addresses[0], "ip") if addresses else "") or "<none>",
        text(pod, "spec", "nodeName") or "<none>",
        text(pod, "status", "nominatedNodeName") or "<none>",
        _gates(pod),
    )


def _initializing(
    pod: Object, sidecars: set[str], state: _State, restarts: _Restarts, of_sidecars: _Restarts
) -> bool:
    """Whether an init container is not done yet; it gives the reason."""
    for i, status in enumerate(items(pod, "status", "initContainerStatuses")):
        restarts.add(status)
        sidecar = status.get("name") in sidecars
        if sidecar:
            of_sidecars.add(status)
        terminated = at(status, "state", "terminated")
        waiting = text(status, "state", "waiting", "reason")
        if terminated is not None and not number(terminated, "exitCode"):
            continue
        if sidecar and status.get("started"):
            state.ready += bool(status.get("ready"))
            continue
        if terminated is not None:
            state.reason = f"Init:{_ended(terminated)}"
        elif waiting and waiting != "PodInitializing":
            state.reason = f"Init:{waiting}"
        else:
            state.reason = f"Init:{i}/{len(items(pod, 'spec', 'initContainers'))}"
        return True
    return False


def _running(pod: Object, state: _State, restarts: _Restarts) -> None:
    """The reason from the first container that has something to say, and how many are ready."""
    running = False
    failure = ""
    for status in reversed(items(pod, "status", "containerStatuses")):
        restarts.add(status)
        waiting = text(status, "state", "waiting", "reason")
        terminated = at(status, "state", "terminated")
        if waiting:
            state.reason = waiting
        elif terminated is not None:
            state.reason = _ended(terminated)
            if number(terminated, "exitCode"):
                failure = state.reason
        elif status.get("ready") and at(status, "state", "running") is not None:
            running = True
            state.ready += 1
    if state.reason == "Completed":
        if running and _condition(pod, "Ready"):
            state.reason = "Running"
        elif failure:
            state.reason = failure
        elif running:
            state.reason = "NotReady"


def _ended(terminated: Mapping[str, Any]) -> str:
    reason = text(terminated, "reason")
    if reason:
        return reason
    signal = number(terminated, "signal")
    return f"Signal:{signal}" if signal else f"ExitCode:{number(terminated, 'exitCode')}"


def _condition(pod: Object, kind: str) -> bool:
    """Whether a condition is True; of several of one type, Initialized is the first, Ready any."""
    found = [
        each.get("status") == "True"
        for each in items(pod, "status", "conditions")
        if each.get("type") == kind
    ]
    return any(found[:1] if kind == "Initialized" else found)


def _gates(pod: Object) -> str:
    gates = items(pod, "spec", "readinessGates")
    if not gates:
        return "<none>"
    status = {each.get("type"): each.get("status") for each in reversed(items(pod, "status", "conditions"))}
    passed = sum(status.get(gate.get("conditionType")) == "True" for gate in gates)
    return f"{passed}/{len(gates)}"


PODS = Columns(
    column("READY", "STATUS", "RESTARTS", "AGE", wide=("IP", "NODE", "NOMINATED NODE", "READINESS GATES")),
    _pod,
)
