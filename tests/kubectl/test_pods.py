"""The STATUS, READY and RESTARTS of Pods, for all that can happen to one."""

import re
from typing import Any

import pytest

from rulegen.kubectl import run
from rulegen.kubectl.age import moment

NOW = moment("2026-11-23T12:00:00Z")
EARLIER = "2026-11-23T11:00:00Z"

RUNNING = {"running": {"startedAt": EARLIER}}
COMPLETED = {"terminated": {"exitCode": 0, "reason": "Completed"}}


def container(
    state: dict[str, Any], *, ready: bool = False, restarts: int = 0, **more: Any
) -> dict[str, Any]:
    return {"name": "c", "state": state, "ready": ready, "restartCount": restarts, **more}


def pod(**status: Any) -> dict[str, Any]:
    """A Pod with a container for each status; ``inits`` are (status, sidecar) of init containers."""
    inits: list[tuple[dict[str, Any], bool]] = status.pop("inits", [])
    metadata = status.pop("metadata", {})
    spec = status.pop("spec", {})
    containers = status.setdefault("containerStatuses", [])
    status["initContainerStatuses"] = [{**each, "name": f"i{i}"} for i, (each, _) in enumerate(inits)]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "default", "creationTimestamp": EARLIER, **metadata},
        "spec": {
            "containers": [{"name": "c"} for _ in containers or [None]],
            "initContainers": [
                {"name": f"i{i}", **({"restartPolicy": "Always"} if sidecar else {})}
                for i, (_, sidecar) in enumerate(inits)
            ],
            **spec,
        },
        "status": {"phase": "Running", **status},
    }


def row(item: dict[str, Any], *arguments: str) -> list[str]:
    told = run([item], ["get", "pods", "--no-headers", *arguments], NOW)
    return re.split(" {3,}", told.stdout.rstrip("\n"))


@pytest.mark.parametrize(
    ("item", "ready", "status", "restarts"),
    [
        (pod(phase="Pending"), "0/1", "Pending", "0"),
        (pod(containerStatuses=[container(RUNNING, ready=True)]), "1/1", "Running", "0"),
        (
            pod(containerStatuses=[container({"waiting": {"reason": "ErrImagePull"}})]),
            "0/1",
            "ErrImagePull",
            "0",
        ),
        (pod(containerStatuses=[container({"waiting": {}})]), "0/1", "Running", "0"),
        (pod(phase="Failed", reason="Evicted"), "0/1", "Evicted", "0"),
        (pod(phase="Succeeded", containerStatuses=[container(COMPLETED)]), "0/1", "Completed", "0"),
        (pod(containerStatuses=[container({"terminated": {"exitCode": 3}})]), "0/1", "ExitCode:3", "0"),
        (
            pod(containerStatuses=[container({"terminated": {"exitCode": 137, "signal": 9}})]),
            "0/1",
            "Signal:9",
            "0",
        ),
        (pod(metadata={"deletionTimestamp": EARLIER}), "0/1", "Terminating", "0"),
        (pod(phase="Succeeded", metadata={"deletionTimestamp": EARLIER}), "0/1", "Succeeded", "0"),
        (pod(reason="NodeLost", metadata={"deletionTimestamp": EARLIER}), "0/1", "Unknown", "0"),
        (
            pod(phase="Pending", conditions=[{"type": "PodScheduled", "reason": "SchedulingGated"}]),
            "0/1",
            "SchedulingGated",
            "0",
        ),
    ],
)
def test_what_a_pod_does_is_one_word(item: dict[str, Any], ready: str, status: str, restarts: str) -> None:
    assert row(item)[1:4] == [ready, status, restarts]


def test_one_container_done_and_one_running_is_running_only_if_the_pod_is_ready() -> None:
    both = [container(COMPLETED), container(RUNNING, ready=True)]
    assert row(pod(containerStatuses=both))[1:3] == ["1/2", "NotReady"]
    ready = [{"type": "Ready", "status": "True"}]
    assert row(pod(containerStatuses=both, conditions=ready))[1:3] == ["1/2", "Running"]


def test_a_failure_is_told_rather_than_that_another_container_completed() -> None:
    statuses = [container(COMPLETED), container({"terminated": {"exitCode": 1, "reason": "Error"}})]
    assert row(pod(phase="Failed", containerStatuses=statuses))[2] == "Error"


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ({"waiting": {"reason": "PodInitializing"}}, "Init:0/1"),
        ({"waiting": {"reason": "CrashLoopBackOff"}}, "Init:CrashLoopBackOff"),
        ({"terminated": {"exitCode": 2}}, "Init:ExitCode:2"),
        ({"terminated": {"exitCode": 2, "signal": 15}}, "Init:Signal:15"),
        ({"terminated": {"exitCode": 2, "reason": "Error"}}, "Init:Error"),
        (RUNNING, "Init:0/1"),
    ],
)
def test_an_init_container_holds_up_the_others(state: dict[str, Any], status: str) -> None:
    assert row(pod(phase="Pending", inits=[(container(state), False)]))[2] == status


def test_a_started_sidecar_counts_as_a_container_and_lets_the_next_one_begin() -> None:
    sidecar = container(RUNNING, ready=True, started=True)
    waiting = container({"waiting": {"reason": "PodInitializing"}})
    item = pod(phase="Pending", inits=[(sidecar, True), (waiting, False)])
    assert row(item)[1:3] == ["1/2", "Init:1/2"]


def test_restarts_tell_when_the_last_one_was() -> None:
    died = {"terminated": {"exitCode": 1, "finishedAt": "2026-11-23T11:58:00Z"}}
    died_before = {"terminated": {"exitCode": 1, "finishedAt": "2026-11-23T11:40:00Z"}}
    statuses = [
        container(RUNNING, ready=True, restarts=2, lastState=died),
        container(RUNNING, ready=True, restarts=3, lastState=died_before),
    ]
    assert row(pod(containerStatuses=statuses))[3] == "5 (2m ago)"
    assert row(pod(containerStatuses=[container(RUNNING, restarts=4)]))[3] == "4"


def test_restarts_of_init_containers_count_only_while_they_run() -> None:
    done = container(COMPLETED, restarts=7)
    assert row(pod(inits=[(done, False)], containerStatuses=[container(RUNNING, ready=True)]))[3] == "0"
    failing = container({"waiting": {"reason": "CrashLoopBackOff"}}, restarts=7)
    assert row(pod(phase="Pending", inits=[(failing, False)]))[3] == "7"


def test_wide_rows_tell_the_node_and_the_gates_that_are_open() -> None:
    item = pod(
        podIPs=[{"ip": "10.0.0.5"}, {"ip": "fd00::5"}],
        nominatedNodeName="n2",
        conditions=[{"type": "example.com/lb", "status": "True"}],
        spec={
            "nodeName": "n1",
            "readinessGates": [{"conditionType": "example.com/lb"}, {"conditionType": "example.com/dns"}],
        },
    )
    assert row(item, "-o", "wide")[5:] == ["10.0.0.5", "n1", "n2", "1/2"]
