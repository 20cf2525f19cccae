"""JSON into API types: what the server's decoder takes, and how it names what it does not."""

from __future__ import annotations

from typing import Any

import pytest

from rulegen.load.api import admit
from rulegen.load.api.schema import kinds
from tests.load.api.objects import configuration, endpoint_slice, faults, remarks, service, taken

FIELD = "json: cannot unmarshal {} into Go struct field {} of type {}"


def test_null_stands_for_a_field_that_was_left_out() -> None:
    written = service(selector=None, clusterIPs=None, externalName=None, ports=[{"port": 80, "name": None}])
    assert taken(written) == taken(service())


def test_empty_lists_and_maps_are_not_stored() -> None:
    assert taken(service(externalIPs=[], selector={}, metadata={"labels": {}})) == taken(service())


def test_a_slice_without_endpoints_prints_null_for_them() -> None:
    stored = taken(endpoint_slice())
    assert (stored["endpoints"], stored["ports"]) == (None, None)


def test_an_endpoint_always_has_conditions() -> None:
    assert taken(endpoint_slice({"addresses": ["10.0.0.1"]}))["endpoints"][0]["conditions"] == {}


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("port", 80.0, FIELD.format("number 80.0", "ServicePort.spec.ports.port", "int32")),
        ("port", 2**31, FIELD.format("number 2147483648", "ServicePort.spec.ports.port", "int32")),
        ("port", True, FIELD.format("bool", "ServicePort.spec.ports.port", "int32")),
        ("protocol", 6, FIELD.format("number", "ServicePort.spec.ports.protocol", "v1.Protocol")),
        ("name", ["http"], FIELD.format("array", "ServicePort.spec.ports.name", "string")),
        ("targetPort", {}, FIELD.format("object", "ServicePort.spec.ports.targetPort", "int32")),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_its_place(field: str, value: Any, said: str) -> None:
    port = {"port": 80, field: value}
    assert faults(service(ports=[port])) == [f"spec.ports[0].{field}: {said}"]


def test_every_wrong_type_is_listed_at_once() -> None:
    wrong = service(clusterIP=1, type=[], ports=[{"port": "80"}, {"port": 80, "nodePort": "x"}])
    assert [error.field for error in admit(wrong).errors] == [
        "spec.ports[0].port",
        "spec.ports[1].nodePort",
        "spec.clusterIP",
        "spec.type",
    ]


def test_a_label_that_is_a_number_is_told_by_its_key() -> None:
    said = FIELD.format("number", "ObjectMeta.metadata.labels", "string")
    wrong = service(metadata={"labels": {"app": "web", "version": 2}})
    assert faults(wrong) == [f'metadata.labels: {said} (the value of "version")']


def test_names_of_fields_are_told_apart_by_case() -> None:
    assert faults(service(ports=[{"port": 80, "nodeport": 30080}])) == [
        'spec.ports[0].nodeport: unknown field "spec.ports[0].nodeport"'
    ]


def test_unknown_fields_are_remarks_unless_asked_to_be_errors() -> None:
    written = service(prots=[], metadata={"lables": {}})
    assert remarks(written, strict=False) == [
        'metadata.lables: unknown field "metadata.lables"',
        'spec.prots: unknown field "spec.prots"',
    ]
    assert taken(written, strict=False) == taken(service())


def test_an_unknown_field_below_an_unknown_field_is_not_listed() -> None:
    assert faults(service(prots=[{"prot": 80}])) == ['spec.prots: unknown field "spec.prots"']


def test_a_time_and_a_duration_must_be_written_as_such() -> None:
    assert faults(service(metadata={"creationTimestamp": "yesterday"})) == [
        'metadata.creationTimestamp: Invalid value: "yesterday": '
        "must be a time as of RFC 3339, such as 2006-01-02T15:04:05Z"
    ]
    assert faults(configuration(iptables={"syncPeriod": "30"})) == [
        'iptables.syncPeriod: time: missing unit in duration "30"'
    ]


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    assert taken(service(metadata={"annotations": {"a": "x\ud800"}}))["metadata"]["annotations"] == {
        "a": "x\ufffd"
    }


@pytest.mark.parametrize(
    ("obj", "said"),
    [
        ({}, "kind: Required value"),
        ({"kind": "Service"}, "apiVersion: Required value"),
        ({"kind": 1, "apiVersion": "v1"}, "kind: Required value"),
        (
            {"kind": "Service", "apiVersion": "v2"},
            'kind: no matches for kind "Service" in version "v2"',
        ),
    ],
)
def test_an_object_of_no_known_kind_is_refused(obj: dict[str, Any], said: str) -> None:
    assert faults(obj) == [said]


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_an_object_of_any_kind_may_have_every_field_null(kind: str) -> None:
    version, name = kind.split()
    wrong = admit(
        {"apiVersion": version, "kind": name, "metadata": {"nope": 1}, "spec": None, "status": None}
    )
    assert all("unknown field" in error.message for error in wrong.errors)
    assert wrong.errors
