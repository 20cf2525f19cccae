"""YAML as Kubernetes reads it (sigs.k8s.io/yaml over goyaml.v2), which is neither 1.1 nor 1.2."""

from __future__ import annotations

import io
from typing import Any

import pytest

from rulegen.load import LoadError, load
from rulegen.load.yamltext import YamlError, documents


def read(text: str) -> Any:
    (document,) = documents(text)
    return document.data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("Off", False),
        ("y", True),
        ("n", False),
        ("yEs", "yEs"),
        ("~", None),
        ("", None),
        ("Null", None),
        ("'yes'", "yes"),
        ('"~"', "~"),
        ("080", 80),
        ("0777", 511),
        ("0o17", 15),
        ("0x1F", 31),
        ("-0x1f", -31),
        ("0b101", 5),
        ("1_000", 1000),
        ("+12", 12),
        ("9223372036854775808", 2**63),
        ("18446744073709551616", 18446744073709551616),
        ("80.0", 80),
        ("1e3", 1000),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e999", "1e999"),
        ("12:30:45", "12:30:45"),
        ("2001-12-14", "2001-12-14"),
        ("10.0.0.1", "10.0.0.1"),
        ("1.2.3", "1.2.3"),
        ("0x", "0x"),
        (".", "."),
        ("!!str 80", "80"),
        ("!!int '80'", 80),
        ("!!float 80", 80),
        ("!!binary aGk=", "hi"),
        ("!mine 80", "80"),
        ("!!timestamp 2001-12-14", "2001-12-14"),
    ],
)
def test_a_scalar_means_what_it_means_to_kubernetes(text: str, value: Any) -> None:
    found = read(f"a: {text}\n")["a"]
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("on: 1", ["true"]),
        ("80: 1", ["80"]),
        ("1.5: 1", ["1.5"]),
        ("0x10: 1", ["16"]),
        ("2001-01-01: 1", ["2001-01-01"]),
        ("? a\n: 1", ["a"]),
        ("x: &a b\n*a : 1", ["x", "b"]),
    ],
)
def test_a_key_becomes_a_string(text: str, keys: list[str]) -> None:
    assert list(read(text)) == keys


def test_a_merged_mapping_fills_in_and_what_follows_wins() -> None:
    text = """\
base: &base {port: 80, protocol: TCP}
more: &more {port: 81, name: http}
one:
  <<: *base
  port: 8080
several:
  <<: [*base, *more]
quoted:
  '<<': *base
"""
    value = read(text)
    assert value["one"] == {"port": 8080, "protocol": "TCP"}
    assert value["several"] == {"port": 80, "name": "http", "protocol": "TCP"}
    assert value["quoted"] == {"<<": {"port": 80, "protocol": "TCP"}}


def test_a_key_that_comes_twice_is_told_and_the_last_one_counts() -> None:
    text = """\
apiVersion: v1
kind: Service
metadata:
  name: web
  labels: {app: a, app: b}
spec:
  clusterIP: None
  clusterIP: 10.96.0.10
  ports:
  - port: 80
    port: 81
"""
    loaded = load(io.StringIO(text))
    assert loaded.cluster.services[0].spec.cluster_ip == "10.96.0.10"
    assert [str(warning) for warning in loaded.warnings] == [
        '<stream 1>:5: Service default/web: duplicate field "metadata.labels.app"',
        '<stream 1>:8: Service default/web: duplicate field "spec.clusterIP"',
        '<stream 1>:11: Service default/web: duplicate field "spec.ports[0].port"',
    ]
    with pytest.raises(LoadError) as failure:
        load(io.StringIO(text), strict=True)
    assert failure.value.problems == loaded.warnings


def test_json_tells_of_repeated_keys_too() -> None:
    text = """\
{"apiVersion": "v1", "kind": "Service",
 "metadata": {"name": "web"},
 "spec": {"clusterIP": "None",
   "ports": [{"port": 80},
             {"port": 81,
              "name": "b", "name": "c"}],
   "clusterIP": "10.96.0.10"}}
"""
    with pytest.raises(LoadError) as failure:
        load(io.StringIO(text), strict=True)
    assert [str(problem) for problem in failure.value.problems] == [
        '<stream 1>:6: Service default/web: duplicate field "spec.ports[1].name"',
        '<stream 1>:7: Service default/web: duplicate field "spec.clusterIP"',
    ]


def test_json_with_a_trailing_comma_is_yaml_to_kubectl() -> None:
    text = '{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"},}'
    assert load(io.StringIO(text)).passed_over == {"Secret": 1}


def test_a_bad_document_does_not_hide_the_next_one() -> None:
    text = "kind: [\n---\na: {b\n---\nkind: Secret\napiVersion: v1\n--- # end\n- x\n"
    with pytest.raises(LoadError) as failure:
        load(io.StringIO(text))
    assert [problem.line for problem in failure.value.problems] == [1, 3, 8]


def test_aliases_in_a_mapping_share_their_lines() -> None:
    text = """\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
  metadata: {name: a}
  spec: &spec
    ports:
    - port: 0
      targetPort: 80
- apiVersion: v1
  kind: Service
  metadata: {name: b}
  spec:
    <<: *spec
"""
    with pytest.raises(LoadError) as failure:
        load(io.StringIO(text))
    assert [(problem.line, problem.object) for problem in failure.value.problems] == [
        (9, "Service default/a"),
        (9, "Service default/b"),
    ]


@pytest.mark.parametrize("depth", [210, 600, 900, 990, 5000])
@pytest.mark.parametrize("field", ['"spec"', '"kind": "Service", "spec"', '"kind": "Secret", "data"'])
def test_json_may_be_no_deeper_than_yaml(depth: int, field: str) -> None:
    nested = "[" * depth + "]" * depth
    text = f'{{"apiVersion": "v1", "kind": "Service", "metadata": {{"name": "a"}},\n{field}: {nested}}}'
    with pytest.raises(LoadError, match=r"nested (more than 200|too) deep"):
        load(io.StringIO(text))


def test_how_deep_a_document_may_be() -> None:
    assert read("[" * 200 + "]" * 200) is not None
    with pytest.raises(YamlError, match="nested more than 200 deep"):
        read("[" * 201 + "]" * 201)


def test_json_values_in_a_row_are_cut_where_one_ends() -> None:
    values = [
        '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"}{\\""}}',
        "[]",
        '{"kind":"Secret",\n"a":[{}]}',
    ]
    with pytest.raises(LoadError) as failure:
        load(io.StringIO("\n ".join(values) + values[0] + "\n7"))
    assert [str(problem) for problem in failure.value.problems] == [
        "<stream 1>:3: Secret: apiVersion: Required value",
        "<stream 1>:5: no Kubernetes object: an object is a mapping with apiVersion and kind",
    ]
