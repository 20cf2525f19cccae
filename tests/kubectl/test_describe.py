"""Stories about describe that the transcripts do not tell."""

from typing import Any

import pytest

from rulegen.kubectl import Outcome, run
from rulegen.kubectl.age import moment

NOW = moment("2026-11-23T12:00:00Z")


def service(name: str = "web", **spec: Any) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"},
        "spec": {"type": "ClusterIP", "clusterIP": "10.96.0.9", "ports": ports, **spec},
        "status": {},
    }


def slice_of(slice_name: str, endpoints: list[tuple[str, bool | None]], **port: Any) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": slice_name,
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "web"},
        },
        "addressType": "IPv4",
        "endpoints": [
            {"addresses": [address], "conditions": {} if ready is None else {"ready": ready}}
            for address, ready in endpoints
        ],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP", **port}] if port != {"none": 1} else [],
    }


def describe(*objects: dict[str, Any], line: str = "describe svc web") -> Outcome:
    return run(objects, line.split(), NOW)


def endpoints(*slices: dict[str, Any]) -> str:
    lines = describe(service(), *slices).stdout.splitlines()
    return next(line for line in lines if line.startswith("Endpoints:")).partition(":")[2].strip()


def test_endpoints_come_from_all_slices_of_the_service_in_order_of_their_names() -> None:
    second, first = slice_of("web-b", [("10.0.0.1", True)]), slice_of("web-a", [("10.0.0.2", None)])
    assert endpoints(second, first) == "10.0.0.2:8080,10.0.0.1:8080"


def test_no_slices_are_none_and_slices_without_ready_endpoints_are_empty() -> None:
    assert endpoints() == "<none>"
    assert endpoints(slice_of("web-a", [("10.0.0.1", False)])) == ""


def test_three_endpoints_are_shown_and_the_others_counted() -> None:
    five: list[tuple[str, bool | None]] = [(f"10.0.0.{i}", True) for i in range(1, 6)]
    assert endpoints(slice_of("web-a", five)) == "10.0.0.1:8080,10.0.0.2:8080,10.0.0.3:8080 + 2 more..."


def test_after_three_ready_ones_an_endpoint_that_is_not_ready_counts_as_no_more() -> None:
    four: list[tuple[str, bool | None]] = [(f"10.0.0.{i}", i < 4) for i in range(1, 5)]
    assert endpoints(slice_of("web-a", four)) == "10.0.0.1:8080,10.0.0.2:8080,10.0.0.3:8080 + 0 more..."


def test_a_slice_without_ports_gives_addresses_and_one_of_another_port_nothing() -> None:
    assert endpoints(slice_of("web-a", [("10.0.0.1", True)], none=1)) == "10.0.0.1"
    assert endpoints(slice_of("web-a", [("10.0.0.1", True)], name="metrics")) == ""


def test_where_kubectl_panics_the_endpoint_is_shown_and_the_reader_told() -> None:
    told = describe(service(), slice_of("web-a", [("10.0.0.1", True)], port=None))
    assert "Endpoints:         10.0.0.1:*\n" in told.stdout
    assert told.stderr == (
        "note: EndpointSlice web-a has a port without a number, over which kubectl 1.37 panics\n"
    )


def test_long_annotations_stand_below_their_key_and_what_apply_keeps_is_left_out() -> None:
    item = service()
    item["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "long": "x" * 150,
        "lines": "a\nb\n",
        "short": "s\n",
    }
    told = describe(item).stdout.splitlines()
    at = next(i for i, line in enumerate(told) if line.startswith("Annotations:"))
    assert [line[len("Annotations:") :].strip() for line in told[at : at + 1]] == ["lines:"]
    assert [line.strip() for line in told[at + 1 : at + 6]] == [
        "a",
        "b",
        "long:",
        "x" * 138 + "...",
        "short: s",
    ]


def test_text_that_would_move_the_cursor_is_shown_harmlessly() -> None:
    item = service()
    item["metadata"]["annotations"] = {"a": "\x1b[31mred\rover"}
    told = describe(item).stdout
    assert "^[[31mred\\rover" in told
    assert "\x1b" not in told


def event(name: str, **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": "default"},
        "involvedObject": {"kind": "Service", "name": "web", "namespace": "default", "uid": "uid-web"},
        "type": "Normal",
        "reason": name.capitalize(),
        "message": f" {name} \n",
        "source": {"component": "c"},
        "firstTimestamp": "2026-11-23T11:00:00Z",
        "lastTimestamp": "2026-11-23T11:59:00Z",
        **more,
    }


def test_events_of_one_object_are_told_the_latest_last() -> None:
    told = describe(
        service(),
        event("late", lastTimestamp="2026-11-23T11:59:59Z", count=2),
        event("early", lastTimestamp="2026-11-23T11:00:00Z"),
        event("other", involvedObject={"kind": "Service", "name": "web", "namespace": "default", "uid": "x"}),
        event("series", series={"count": 5, "lastObservedTime": "2026-11-23T11:59:30.000000Z"}),
    ).stdout
    rows = told[told.index("Events:") :].splitlines()
    assert [row.split()[:4] for row in rows[1:3]] == [
        ["Type", "Reason", "Age", "From"],
        ["----", "------", "----", "----"],
    ]
    assert [" ".join(row.split()) for row in rows[3:]] == [
        "Normal Early 60m c early",
        "Normal Series 30s (x5 over 60m) c series",
        "Normal Late 1s (x2 over 60m) c late",
    ]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("describe svc web", True),
        ("describe svc web --show-events=false", False),
        ("describe svc", False),
        ("describe svc --show-events", True),
        ("describe svc we", False),
    ],
)
def test_events_are_for_one_object_alone_unless_asked_for(line: str, shown: bool) -> None:
    assert ("Events:" in describe(service(), service("other"), line=line).stdout) is shown


def test_a_type_that_is_not_described_here_is_said() -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}
    told = describe(node, line="describe node n1")
    assert told.stderr == "error: rulegen describes services, endpoints and endpointslices, no nodes\n"
