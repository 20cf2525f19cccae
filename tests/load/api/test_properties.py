"""What holds for admission whatever it is given."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rulegen.load.api import admit
from rulegen.load.api.schema import kinds, schema
from tests.load.api.objects import STEADY
from tests.recorded import cases

NAMES = sorted({field for fields in schema().structs.values() for field in fields})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner, max_size=4)
    ),
    max_leaves=20,
)


@st.composite
def objects(draw: st.DrawFn) -> dict[str, Any]:
    """Objects of known kinds with fields that exist and anything in them."""
    version, kind = draw(st.sampled_from(sorted(kinds()))).split()
    fields = sorted(schema().structs[schema().kinds[f"{version} {kind}"]])
    rest = draw(st.dictionaries(st.sampled_from(fields) | st.text(), JSON, max_size=4))
    return {**rest, "apiVersion": version, "kind": kind}


@st.composite
def shaped(draw: st.DrawFn) -> dict[str, Any]:
    """Objects with values of the right types, whatever they say."""
    version, kind = draw(
        st.sampled_from(
            ["v1 Service", "v1 Endpoints", "discovery.k8s.io/v1 EndpointSlice", "v1 Pod", "v1 Node"]
        )
    ).split()
    value = draw(of_type(schema().kinds[f"{version} {kind}"], 5))
    return {**value, "apiVersion": version, "kind": kind}


@cache
def of_type(name: str, depth: int) -> st.SearchStrategy[Any]:
    types = schema()
    if depth == 0:
        return st.none()
    if name in types.structs:
        fields = {field: of_type(text.rstrip("!?"), depth - 1) for field, text in types.structs[name].items()}
        chosen = st.sets(st.sampled_from(sorted(fields)), max_size=5)
        return chosen.flatmap(lambda names: st.fixed_dictionaries({field: fields[field] for field in names}))
    if name.startswith("*"):
        return of_type(name[1:], depth)
    if name.startswith("[]"):
        return st.lists(of_type(name[2:], depth - 1), max_size=3)
    if name.startswith("map["):
        return st.dictionaries(st.text(max_size=5), of_type(name.partition("]")[2], depth - 1), max_size=2)
    underlying = types.named.get(name, name)
    if underlying.startswith(("[]", "map[")):
        return of_type(underlying, depth)
    if underlying == "bool":
        return st.booleans()
    if underlying.startswith("int"):
        return st.integers(-2, 70000)
    if name == "util/intstr.IntOrString":
        return st.integers(-2, 70000) | st.text(max_size=5)
    texts = [
        "ClusterIP",
        "NodePort",
        "LoadBalancer",
        "ExternalName",
        "None",
        "ClientIP",
        "IPv4",
        "IPv6",
        "Local",
    ]
    return st.sampled_from([*texts, "10.96.0.9", "fd00:10:96::9", "TCP", "RequireDualStack", "a"]) | st.text(
        max_size=5
    )


@settings(STEADY, max_examples=150)
@given(objects() | shaped(), st.booleans(), st.booleans(), st.booleans())
def test_admission_answers_whatever_it_is_given(
    obj: dict[str, Any], strict: bool, stored: bool, kept: bool
) -> None:
    admission = admit(obj, strict=strict, stored=stored, placeholders=kept, keep_status=kept)
    assert (admission.result is None) == bool(admission.errors)
    for field, message in (*admission.errors, *admission.warnings):
        assert isinstance(field, str)
        assert message
        assert "\n" not in message


@STEADY
@given(JSON)
def test_the_kind_may_be_anything(value: Any) -> None:
    assert admit({"apiVersion": value, "kind": value}).errors


@pytest.mark.parametrize("case", [case for case in cases("api-1.37") if case["code"] == 201])
def test_what_was_taken_is_taken_again_and_stays_the_same(case: dict[str, Any]) -> None:
    stored = admit(case["object"]).result
    assert stored is not None
    assert admit(stored).result == stored
    assert json.loads(json.dumps(stored)) == stored


@pytest.mark.parametrize("case", [case for case in cases("api-1.37") if case["code"] == 201])
def test_what_was_taken_is_taken_from_a_cluster_too(case: dict[str, Any]) -> None:
    created = admit(case["object"]).result
    assert created is not None
    created["metadata"]["uid"] = "0c7e"
    assert admit(created, stored=True).result == created
    assert admit(created, stored=True).warnings == admit(case["object"]).warnings


def test_the_object_that_is_given_is_left_as_it_is() -> None:
    for case in cases("api-1.37"):
        before = json.dumps(case["object"])
        admit(case["object"], placeholders=True)
        assert json.dumps(case["object"]) == before
