"""Whatever a source holds, a load gives objects or says what is wrong; order and form do not matter."""

from __future__ import annotations

import io
import json
import tracemalloc
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rulegen.load import Loaded, LoadError, load
from rulegen.load.yamltext import YamlError, documents

SERVICE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
    "spec": {
        "type": "NodePort",
        "clusterIP": "10.96.0.10",
        "selector": {"app": "web"},
        "ports": [{"name": "http", "port": 80, "targetPort": "http", "nodePort": 30080}],
    },
}
SLICE: dict[str, Any] = {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "metadata": {"name": "web-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
    "addressType": "IPv4",
    "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    "endpoints": [{"addresses": ["10.180.0.5"], "nodeName": "n1", "conditions": {"ready": True}}],
}
CONFIGURATION = {
    "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
    "kind": "KubeProxyConfiguration",
    "mode": "ipvs",
    "ipvs": {"tcpTimeout": "5s"},
    "detectLocal": {"bridgeInterface": "cbr0"},
}
NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "n1", "uid": "1"},
    "spec": {"podCIDR": "10.180.0.0/24", "podCIDRs": ["10.180.0.0/24"]},
    "status": {"addresses": [{"type": "InternalIP", "address": "192.168.10.11"}]},
}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web-1", "namespace": "shop", "uid": "2"},
    "spec": {"containers": [{"name": "web", "ports": [{"name": "http", "containerPort": 8080}]}]},
    "status": {"podIP": "10.180.0.5", "podIPs": [{"ip": "10.180.0.5"}]},
}
OBJECTS = [SERVICE, SLICE, CONFIGURATION, NODE, POD]
PIECES = [
    "{",
    "}",
    "[",
    "]",
    ": ",
    "- ",
    "\n",
    "\t",
    '"',
    "'",
    "&a ",
    "*a",
    "<<: ",
    "!!int ",
    "--- x\n",
    "# ",
]
PIECES += [
    "---\n",
    "|\n",
    "> ",
    "\r",
    "\x00",
    "\x85",
    "\u2028",
    "? ",
    "\\ud800",
    "1e999",
    "%YAML 9\n",
    "...\n",
]

leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def attempt(content: bytes) -> Loaded | None:
    """Load it; whatever is said is one printable line for each problem."""
    try:
        loaded = load(io.BytesIO(content))
    except LoadError as error:
        assert error.problems
        assert all(str(problem).isprintable() for problem in (*error.problems, *error.warnings))
        return None
    assert all(str(warning).isprintable() for warning in loaded.warnings)
    return loaded


@given(st.binary(max_size=200))
@example(b"\xff\xfe\x00\xd8")
@example(b"\xef\xbb\xbf")
def test_any_bytes_are_objects_or_problems(content: bytes) -> None:
    attempt(content)


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=30).map("".join))
def test_any_text_that_looks_like_yaml_is_objects_or_problems(text: str) -> None:
    attempt(text.encode("utf-8", "surrogatepass"))


@given(st.sampled_from(OBJECTS), st.data())
def test_a_manifest_with_a_wrong_value_anywhere_is_objects_or_problems(
    manifest: dict[str, Any], data: st.DataObject
) -> None:
    changed = json.loads(json.dumps(manifest))
    places: list[tuple[Any, Any]] = []
    pending = [changed]
    while pending:
        value = pending.pop()
        keys = list(value) if isinstance(value, dict) else range(len(value))
        places.extend((value, key) for key in keys)
        pending.extend(value[key] for key in keys if isinstance(value[key], dict | list))
    container, key = data.draw(st.sampled_from(places), label="place")
    container[key] = data.draw(values, label="value")
    attempt(json.dumps(changed).encode())
    attempt(yaml.safe_dump(changed, allow_unicode=True).encode("utf-8", "surrogatepass"))


@settings(max_examples=60)
@given(
    st.sampled_from(OBJECTS), st.lists(st.tuples(st.integers(0, 600), st.sampled_from(PIECES)), max_size=4)
)
def test_a_manifest_with_stray_characters_is_objects_or_problems(
    manifest: dict[str, Any], edits: list[tuple[int, str]]
) -> None:
    for text in (yaml.safe_dump(manifest), json.dumps(manifest, indent=2)):
        for position, piece in edits:
            text = text[:position] + piece + text[position + 1 :]
        attempt(text.encode())


def as_listing(objects: list[Any]) -> str:
    """What kubectl prints of several objects: the kind of the list comes last."""
    return json.dumps({"apiVersion": "v1", "items": objects, "kind": "List"}, indent=4)


def backwards(manifest: dict[str, Any]) -> dict[str, Any]:
    return dict(reversed(manifest.items()))


@settings(max_examples=60)
@given(st.sampled_from(OBJECTS), st.data())
def test_an_element_of_a_list_is_told_the_same_whatever_key_it_begins_with(
    manifest: dict[str, Any], data: st.DataObject
) -> None:
    changed = dict(manifest)
    key = data.draw(st.sampled_from(sorted(manifest)), label="key")
    changed[key] = data.draw(values, label="value")
    told: list[tuple[set[tuple[str, str, str]], Any]] = []
    for element in (changed, backwards(changed)):
        try:
            loaded = load(io.StringIO(as_listing([element, POD, SERVICE, NODE])))
        except LoadError as error:
            told.append(({(each.object, each.field, each.message) for each in error.problems}, None))
        else:
            told.append((set(), loaded.cluster.origins.keys()))
    assert told[0] == told[1]


@given(
    st.permutations(OBJECTS),
    st.sampled_from(["documents", "list", "json", "json list", "backwards", "values"]),
)
@settings(max_examples=60)
def test_neither_the_order_of_objects_nor_their_form_changes_what_is_read(
    objects: list[dict[str, Any]], form: str
) -> None:
    sources: list[Any]
    match form:
        case "documents":
            sources = [io.StringIO("---\n".join(yaml.safe_dump(each) for each in objects))]
        case "list":
            listing = {"apiVersion": "v1", "kind": "List", "items": objects}
            sources = [io.StringIO(yaml.safe_dump(listing))]
        case "json":
            sources = [io.StringIO("\n".join(json.dumps(each, indent=2) for each in objects))]
        case "json list":
            sources = [io.StringIO(as_listing(objects))]
        case "backwards":
            sources = [io.StringIO(as_listing([backwards(each) for each in objects]))]
        case _:
            sources = objects
    cluster = load(*sources).cluster
    expected = load(OBJECTS).cluster
    for found, wanted in (
        (cluster.services, expected.services),
        (cluster.slices, expected.slices),
        (cluster.nodes, expected.nodes),
        (cluster.pods, expected.pods),
    ):
        assert found == wanted
    assert cluster.proxy_configuration == expected.proxy_configuration
    assert cluster.origins.keys() == expected.origins.keys()


@given(values)
def test_yaml_that_quotes_its_strings_is_read_as_it_was_written(value: Any) -> None:
    text = yaml.safe_dump(value, default_style='"', allow_unicode=True)
    try:
        (document,) = documents(text)
    except YamlError as error:
        assert "nothing" not in error.message
        return
    assert as_json(document.data) == as_json(value)


def as_json(value: Any) -> Any:
    """The value as it comes back from JSON, where 1.0 is 1."""
    if isinstance(value, dict):
        return {key: as_json(part) for key, part in value.items()}
    if isinstance(value, list):
        return [as_json(part) for part in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    return value


@pytest.mark.parametrize("width", [2, 10, 100])
def test_an_alias_bomb_takes_no_memory(width: int) -> None:
    lines = ["x0: &x0 [" + ",".join(["x"] * width) + "]"]
    lines += [f"x{n}: &x{n} [{','.join([f'*x{n - 1}'] * width)}]" for n in range(1, 64)]
    text = "\n".join(lines)
    tracemalloc.start()
    try:
        with pytest.raises(LoadError, match="document contains excessive aliasing"):
            load(io.StringIO(text))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000


def test_an_honest_document_may_repeat_itself_with_anchors() -> None:
    text = "x: &labels {app: web, tier: front}\n" + "".join(
        f"service{n}:\n  metadata: &m{n} {{name: s{n}, labels: *labels}}\n  again: *m{n}\n"
        for n in range(300)
    )
    (document,) = documents(text)
    assert document.data["service299"]["again"]["labels"] == {"app": "web", "tier": "front"}


def test_what_was_given_is_not_shared_with_what_was_read() -> None:
    given_objects = json.loads(json.dumps(OBJECTS))
    cluster = load(given_objects).cluster
    before = msgspec.json.encode(cluster.services)
    given_objects[0]["spec"]["ports"][0]["port"] = 81
    given_objects[2]["mode"] = "nftables"
    assert msgspec.json.encode(cluster.services) == before
    assert cluster.proxy_configuration is not None
    assert cluster.proxy_configuration["mode"] == "ipvs"
