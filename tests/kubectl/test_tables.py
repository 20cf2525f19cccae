"""Tables: alignment, long ones, cells that could break out of theirs."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rulegen.kubectl import Outcome, run
from rulegen.kubectl.age import moment
from rulegen.kubectl.tabwriter import TabWriter

STEADY = settings(derandomize=True, deadline=None)

NOW = moment("2026-11-23T12:00:00Z")


def pod(name: str, status: str = "Running", **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "creationTimestamp": "2026-11-23T11:00:00Z",
            "labels": labels,
        },
        "spec": {"containers": [{"name": "c"}]},
        "status": {"phase": "Running", "reason": status},
    }


def get(*objects: dict[str, Any], line: str = "get pods") -> Outcome:
    return run(objects, line.split(), NOW)


def test_a_narrow_column_is_six_wide_and_others_three_wider_than_their_widest_cell() -> None:
    told = get(pod("a"), pod("b"), line="get pods").stdout
    assert told == "NAME   READY   STATUS    RESTARTS   AGE\na      0/1     Running   0          60m\n" + (
        "b      0/1     Running   0          60m\n"
    )


def test_a_row_far_below_widens_the_whole_table_while_it_is_of_one_piece() -> None:
    pods = [pod(f"p{i:03}") for i in range(300)] + [pod("q" * 30)]
    lines = get(*pods).stdout.splitlines()
    assert {line.index("0/1") for line in lines[1:]} == {33}


def test_a_later_chunk_of_the_list_no_longer_widens_what_was_printed() -> None:
    pods = [pod(f"p{i:03}") for i in range(600)] + [pod("q" * 30)]
    lines = get(*pods).stdout.splitlines()
    assert lines[1].index("0/1") == 7
    assert lines[-1].index("0/1") == 33
    in_one = get(*pods, line="get pods --chunk-size=0").stdout.splitlines()
    assert in_one[1].index("0/1") == 33


def test_rows_are_in_the_order_of_the_servers_keys() -> None:
    first, second = pod("b"), pod("a")
    first["metadata"]["namespace"], second["metadata"]["namespace"] = "team-x", "team"
    told = get(second, first, line="get pods -A --no-headers").stdout
    assert [line.split()[0] for line in told.splitlines()] == ["team-x", "team"]


def test_a_cell_is_cut_where_its_line_ends() -> None:
    told = get(pod("a", "Weird\nreason"), pod("b", "red \x1b[31m")).stdout
    assert "Weird...   " in told
    assert "red ^[[31m" in told
    assert "\x1b" not in told


def test_titles_leave_room_for_bytes_where_rows_need_less() -> None:
    told = get(pod("a", "Übergang")).stdout.splitlines()
    assert told[0].index("RESTARTS") == told[1].index("0   ")
    assert told[0].index("RESTARTS") - told[0].index("STATUS") == len("Übergang".encode()) + 3


def test_labels_are_shown_in_columns_of_their_own_or_all_at_once() -> None:
    told = get(
        pod("a", **{"app": "web", "example.com/team": "x"}),
        pod("b"),
        line="get pods -L app,example.com/team --show-labels",
    ).stdout.splitlines()
    assert told[0].split()[-3:] == ["APP", "TEAM", "LABELS"]
    assert told[1].split()[-3:] == ["web", "x", "app=web,example.com/team=x"]
    assert told[2].split()[-1] == "<none>"


def test_a_type_without_columns_says_what_can_be_printed_instead() -> None:
    item = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "default"}}
    told = get(item, line="get secrets")
    assert (told.code, told.stdout) == (1, "")
    assert told.stderr == "error: rulegen has no columns for secrets: use -o name, yaml or json\n"
    assert get(item, line="get secrets -o name").stdout == "secret/s\n"
    assert get(line="get secrets").stderr == "No resources found in default namespace.\n"


def test_a_field_that_none_has_prints_nothing_as_in_kubectl_but_is_told() -> None:
    told = get(pod("a"), pod("b"), line="get pods --sort-by=.spec.rank")
    assert (told.code, told.stdout) == (0, "")
    assert told.stderr == (
        "note: nothing was sorted, nor printed: couldn't find any field with path"
        ' "{.spec.rank}" in the list of objects\nNo resources found in default namespace.\n'
    )


def test_more_than_twelve_rows_are_sorted_and_equal_ones_stay_in_order() -> None:
    pods = [pod(f"p{i:02}", rank="ba"[i % 2]) for i in range(20)]
    lines = get(*pods, line="get pods --sort-by=.metadata.labels.rank -o name").stdout.split()
    assert lines == [f"pod/p{i:02}" for i in [*range(1, 20, 2), *range(0, 20, 2)]]


def test_quantities_are_sorted_by_what_they_mean() -> None:
    pods = [pod("a", rank="10m"), pod("b", rank="2"), pod("c", rank="1Ki"), pod("d")]
    lines = get(*pods, line="get pods --sort-by=metadata.labels.rank -o name").stdout.split()
    assert lines == ["pod/d", "pod/a", "pod/b", "pod/c"]


def test_what_cannot_be_compared_is_an_error() -> None:
    told = get(pod("a"), pod("b"), line="get pods --sort-by=.metadata.labels")
    assert (told.code, told.stdout) == (1, "")
    assert told.stderr == "error: Field {.metadata.labels} is an unsortable type: map[string]interface {}\n"


CELLS = st.text(st.characters(blacklist_characters="\t\v\n\f"), max_size=12)


@STEADY
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=20))
def test_columns_begin_at_the_same_place_in_every_row(rows: list[tuple[str, str, str]]) -> None:
    out = TabWriter(min_width=6, padding=3)
    for row in rows:
        out.write("\t".join(row) + "\n")
    widths = [max(6, *(len(row[i]) + 3 for row in rows)) for i in (0, 1)]
    expected = [f"{a.ljust(widths[0])}{b.ljust(widths[1])}{c}\n" for a, b, c in rows]
    assert out.text() == "".join(expected)


@pytest.mark.parametrize("end", ["\n", "\f"])
def test_a_line_of_one_cell_ends_all_columns(end: str) -> None:
    out = TabWriter(min_width=0, padding=1)
    out.write(f"wide cell\tx\nalone{end}a\tb\n")
    assert out.text() == "wide cell x\nalone\na b\n"


def test_remembered_widths_never_shrink_until_they_are_forgotten() -> None:
    out = TabWriter(min_width=0, padding=1, remember=True)
    out.write("wide\tx\n")
    out.flush()
    out.write("a\tb\n")
    out.flush()
    out.forget()
    out.write("a\tb\n")
    assert out.text() == "wide x\na    b\na b\n"


def row(kind: str, api_version: str = "v1", namespace: str = "default", **content: Any) -> list[str]:
    metadata = {"name": "x", "creationTimestamp": "2026-11-23T11:00:00Z"}
    if namespace:
        metadata["namespace"] = namespace
    item = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}
    return get(item, line=f"get {kind.lower()} --no-headers -o wide").stdout.split()


def test_where_addresses_of_services_come_from() -> None:
    networking = {"api_version": "networking.k8s.io/v1", "namespace": ""}
    cidrs = {"cidrs": ["10.96.0.0/12", "fd00:10:96::/112"]}
    assert row("ServiceCIDR", **networking, spec=cidrs) == ["x", "10.96.0.0/12,fd00:10:96::/112", "60m"]
    parent = {"resource": "Services", "namespace": "default", "name": "web"}
    assert row("IPAddress", **networking, spec={"parentRef": parent})[1] == "services/default/web"
    of_group = {"group": "gateway.x", "resource": "gateways", "name": "g"}
    assert row("IPAddress", **networking, spec={"parentRef": of_group})[1] == "gateways.gateway.x/g"
    assert row("IPAddress", **networking, spec={})[1] == "<none>"


def test_config_maps_count_what_they_hold() -> None:
    assert row("ConfigMap", data={"a": "1", "b": "2"}, binaryData={"c": ""})[1] == "3"


def test_a_selector_with_an_unknown_operator_is_shown_as_a_fault() -> None:
    spec = {"replicas": 1, "selector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}}
    assert row("ReplicaSet", "apps/v1", spec=spec)[-1] == "<error>"
    assert row("Deployment", "apps/v1", spec=spec)[-1] == "<invalid>"
