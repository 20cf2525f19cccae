"""Manifests as users have them, from the file to the typed object."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from rulegen.load import LoadError, load, load_configuration, node_facts

WEB = """\
# the shop's front
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  type: NodePort
  clusterIP: 10.96.0.10
  ports:
  - port: 80
    nodePort: 30080
"""

SLICE = """\
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: web-abc
  labels: {kubernetes.io/service-name: web}
addressType: IPv4
ports:
- {name: "", port: 8080}
endpoints:
- addresses: [10.180.0.5]
"""


def test_a_file_with_two_documents_gives_two_objects_with_defaults_and_where_they_stand(
    tmp_path: Path,
) -> None:
    file = tmp_path / "web.yaml"
    file.write_text(WEB + "---\n" + SLICE)
    cluster = load(file).cluster
    service, endpoint_slice = cluster.services[0], cluster.slices[0]
    assert service.metadata.namespace == "default"
    assert service.spec.ports is not None
    assert service.spec.ports[0].target_port == 80
    assert service.spec.external_traffic_policy == "Cluster"
    assert endpoint_slice.ports is not None
    assert endpoint_slice.ports[0].protocol == "TCP"
    assert str(cluster.origins["Service", "default", "web"]) == f"{file}:2"
    assert str(cluster.origins["EndpointSlice", "default", "web-abc"]) == f"{file}:13"


def test_the_namespace_of_the_command_line_is_for_objects_without_one() -> None:
    cluster = load(io.StringIO(WEB), namespace="shop").cluster
    assert cluster.services[0].metadata.namespace == "shop"


def test_a_listing_of_kubectl_is_read_from_standard_input() -> None:
    listing = {
        "apiVersion": "v1",
        "items": [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "web", "namespace": "shop", "uid": "1", "resourceVersion": "7"},
                "spec": {"clusterIP": "10.96.0.10", "ports": [{"port": 80, "protocol": "TCP"}]},
            },
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}},
        ],
        "kind": "List",
        "metadata": {"resourceVersion": ""},
    }
    loaded = load("-", stdin=io.BytesIO(json.dumps(listing, indent=4).encode()))
    assert [service.metadata.name for service in loaded.cluster.services] == ["web"]
    assert loaded.passed_over == {"Deployment": 1}
    assert str(loaded.cluster.origins["Service", "shop", "web"]) == "-:4"
    assert str(loaded.cluster.origins["Deployment", "shop", "web"]) == "-:23"


def test_plain_values_of_a_program_are_taken_and_left_alone() -> None:
    value = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"clusterIP": "10.96.0.10", "ports": [{"port": 80}]},
    }
    before = json.dumps(value)
    assert len(load(value).cluster.services) == 1
    headless = {**value, "metadata": {"name": "other"}, "spec": {"clusterIP": "None"}}
    assert len(load([value, headless], strict=True).cluster.services) == 2
    with pytest.raises(LoadError) as failure:
        load([value, {**value, "metadata": {"name": "other"}}])
    assert str(failure.value) == (
        '<objects 1>[1]: Service default/other: spec.clusterIPs: Invalid value: ["10.96.0.10"]: failed to '
        "allocate IP 10.96.0.10: provided IP is already allocated (by Service default/web, <objects 1>[0])"
    )
    assert json.dumps(value) == before


def test_a_directory_is_read_in_order_and_its_directories_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(WEB)
    (tmp_path / "a.json").write_text(json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {}}))
    (tmp_path / "notes.txt").write_text("not: [a manifest")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "c.yml").write_text(SLICE)
    shallow = load(tmp_path)
    assert (len(shallow.cluster.services), len(shallow.cluster.slices)) == (1, 0)
    assert shallow.passed_over == {"Secret": 1}
    assert len(load(tmp_path, recursive=True).cluster.slices) == 1


def test_all_problems_of_a_run_are_listed_with_the_line_of_the_field(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(WEB.replace("port: 80\n", 'port: "80"\n') + "---\nkind: [\n---\n- 1\n")
    with pytest.raises(LoadError) as failure:
        load(file, tmp_path / "missing.yaml")
    assert str(failure.value).replace(str(tmp_path), "") == (
        "/missing.yaml: the path does not exist\n"
        "/bad.yaml:10: Service default/web: spec.ports[0].port: json: cannot unmarshal string into "
        "Go struct field ServicePort.spec.ports.port of type int32\n"
        "/bad.yaml:13: did not find expected node content\n"
        "/bad.yaml:15: no Kubernetes object: an object is a mapping with apiVersion and kind"
    )


OBJECT = '"metadata": {"name": "web"}, "spec": {"clusterIP": "10.96.0.10", "ports": [{"port": 80}]}'
HEAD = '"apiVersion": "v1", "kind": "Service"'


@pytest.mark.parametrize(
    ("element", "services", "passed_over"),
    [
        ("{HEAD, OBJECT}", ["web"], {}),
        ("{OBJECT, HEAD}", ["web"], {}),
        # Of equal keys the last one counts, as for kubectl, whatever an object begins with.
        ('{HEAD, OBJECT, "kind": "Secret"}', [], {"Secret": 1}),
        ('{HEAD, OBJECT, "apiVersion": "example.com/v1"}', [], {"Service.example.com": 1}),
        ('{"apiVersion": "v1", "kind": "Secret", OBJECT, "kind": "Service"}', ["web"], {}),
        ('{HEAD, "kind": "List", "items": [{HEAD, OBJECT}]}', ["web"], {}),
        ('{"apiVersion": "v1", "kind": "Serv\\u0069ce", OBJECT}', ["web"], {}),
    ],
)
def test_an_element_of_a_list_is_what_it_says_wherever_it_says_it(
    element: str, services: list[str], passed_over: dict[str, int]
) -> None:
    text = '{"apiVersion": "v1", "items": [ELEMENT], "kind": "List"}'.replace("ELEMENT", element)
    loaded = load(io.StringIO(text.replace("HEAD", HEAD).replace("OBJECT", OBJECT)))
    assert [each.metadata.name for each in loaded.cluster.services] == services
    assert loaded.passed_over == passed_over


@pytest.mark.parametrize(
    ("items", "line", "message"),
    [
        ("null", None, ""),
        ("3", 3, "Invalid value: must be a list of objects"),
        ("[\n3]", 4, "no Kubernetes object"),
        ('[\n{HEAD, "metadata": {"name": 3}}]', 4, "cannot unmarshal number"),
        ("[\n{HEAD, OBJECT},\n\n{}]", 6, "kind: Required value"),
    ],
)
def test_elements_that_cannot_be_used_are_told_with_their_lines(
    items: str, line: int | None, message: str
) -> None:
    # The text of the first element stands before the list as well: lines are counted from the list on.
    text = (
        '{"metadata": {"continue": "3"},\n"count": 3,\n"items": ITEMS,\n"apiVersion": "v1", "kind": "List"}'
    )
    text = text.replace("ITEMS", items).replace("HEAD", HEAD).replace("OBJECT", OBJECT)
    if line is None:
        assert load(io.StringIO(text)).cluster.services == ()
        return
    with pytest.raises(LoadError) as failure:
        load(io.StringIO(text))
    assert failure.value.problems[0].line == line
    assert message in str(failure.value)


L = '"apiVersion": "v1", "kind": "List"'
BAD = '{HEAD, "metadata": {"name": "web"}, "spec": {"ports": [{"port": 99999}]}}'
OTHER = BAD.replace("web", "db")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('{L, "items":\n[\n"items",\nBAD]}', [3, 4]),
        ('{"o": {"items": [BAD]},\nL,\n"items": [\nBAD,\nOTHER]}', [4, 5]),
        ('{"o": {"items": [BAD]},\nL,\n"items": [\nOTHER,\nBAD]}', [4, 5]),
        ('{"o": {"items": [BAD, BAD]},\nL,\n"items": [\nBAD]}', [4]),
        ('{L, "metadata": {"x": "items"},\n"o": BAD,\n"items": [\nBAD]}', [4]),
        ('{L, "it\\u0065ms":\n[\nBAD]}', [3]),
        ('{L, "metadata": {"items": 3},\n"items":\n"kind"}', [3]),
    ],
)
def test_a_line_is_that_of_the_list_and_of_nothing_that_looks_like_it(text: str, lines: list[int]) -> None:
    for name, value in (("BAD", BAD), ("OTHER", OTHER), ("HEAD", HEAD), ("L,", f"{L},")):
        text = text.replace(name, value)
    with pytest.raises(LoadError) as failure:
        load(io.StringIO(text))
    assert sorted({problem.line for problem in failure.value.problems}) == lines


@pytest.mark.parametrize("first", ["null", "5", '"x"', "[]", "[3]"])
def test_of_two_lists_of_items_the_last_one_counts(first: str) -> None:
    text = f'{{{L}, "items": {first}, "items": [{{{HEAD}, {OBJECT}}}]}}'
    assert [each.metadata.name for each in load(io.StringIO(text)).cluster.services] == ["web"]


@pytest.mark.parametrize(
    ("before", "between", "after", "lines"),
    [
        ("", None, "", [2]),
        ("", None, "\n\n", [2]),
        ("\n \n", None, "", [4]),
        ("", "\n", "\n", [2, 4]),
        ("\n", " ", "", [3, 4]),
        ("[\n", ",\n", "\n]", [3, 5]),
    ],
)
def test_lines_of_json_are_told_wherever_its_objects_stand(
    before: str, between: str | None, after: str, lines: list[int]
) -> None:
    """One list alone is read without a look for its end; two of them, or blanks before it, are not."""
    text = '{"kind": "List", "apiVersion": "v1", "items": [\n{"kind": "Service", "apiVersion": "v1"}]}'
    with pytest.raises(LoadError) as failure:
        load(io.StringIO(before + (text if between is None else text + between + text) + after))
    assert sorted({problem.line for problem in failure.value.problems}) == lines


def test_documents_of_yaml_may_stand_behind_one_of_json() -> None:
    """What ``kubectl get svc -o json; echo ---; kubectl get endpointslices -o yaml`` prints."""
    first = json.dumps(yaml.safe_load(WEB), indent=2)
    lines = first.count("\n") + 1
    other = first.replace("web", "db").replace("30080", "30081").replace("0.10", "0.11")
    loaded = load(io.StringIO(f"{first}\n---\n{SLICE}---\n{other}"))
    assert sorted(each.metadata.name for each in loaded.cluster.services) == ["db", "web"]
    assert loaded.cluster.origins["EndpointSlice", "default", "web-abc"].line == lines + 2
    with pytest.raises(LoadError) as failure:
        load(io.StringIO(f"{first}\n---\n{SLICE}---\nkind: [\n"))
    assert failure.value.problems[0].line > lines + 2 + SLICE.count("\n")
    # Of two values of JSON kubectl knows that all is, and so do we.
    with pytest.raises(LoadError, match="JSON is malformed"):
        load(io.StringIO(f"{first}\n{first.replace('web', 'db')}\n---\n{SLICE}"))


@pytest.mark.parametrize("every_key", [False, True])
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_key_that_comes_twice_in_an_object_of_a_cluster(form: str, every_key: bool) -> None:
    text = WEB.replace("  name: web\n", "  name: web\n  uid: 0c7e\n  resourceVersion: '7'\n")
    if form == "json":
        text = json.dumps(yaml.safe_load(text)).replace('"name": "web"', '"name": "zzz", "name": "web"')
    else:
        text = text.replace("  name: web\n", "  name: zzz\n  name: web\n")
    # The last one counts, as for kubectl; a large listing of JSON is looked through where that is asked for.
    loaded = load(io.StringIO(text), every_key=every_key)
    assert loaded.cluster.services[0].metadata.name == "web"
    messages = [warning.message for warning in loaded.warnings]
    assert messages == ([] if form == "json" and not every_key else ['duplicate field "metadata.name"'])
    with pytest.raises(LoadError, match=r'duplicate field "metadata\.name"'):
        load(io.StringIO(text), strict=True)


@pytest.mark.parametrize("field", ["kind", "apiVersion"])
def test_an_object_of_a_list_that_json_has_no_number_for_is_no_fault_of_ours(field: str) -> None:
    """YAML has one, so it is told what a text of YAML is told, as for a text of several lists."""
    item = {"kind": '"Service"', "apiVersion": '"v1"'} | {field: "1e999"}
    fields = ", ".join(f'"{name}": {value}' for name, value in item.items())
    text = f'{{"kind": "List", "apiVersion": "v1", "items": [{{{fields}}}]}}'
    told: list[list[Any]] = []
    for before in ("", "\n"):
        try:
            told.append([load(io.StringIO(before + text)).passed_over])
        except LoadError as error:
            told.append([problem.message for problem in error.problems])
    assert told[0] == told[1]


def test_an_unknown_field_is_a_warning_and_an_error_when_strict() -> None:
    text = WEB.replace("spec:\n", "spec:\n  selektor: {}\n")
    (warning,) = load(io.StringIO(text)).warnings
    assert str(warning) == '<stream 1>:7: Service default/web: unknown field "spec.selektor"'
    with pytest.raises(LoadError, match=r'unknown field "spec\.selektor"'):
        load(io.StringIO(text), strict=True)


def test_the_configuration_of_kube_proxy_is_found_in_its_config_map() -> None:
    text = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: kube-proxy, namespace: kube-system}
data:
  kubeconfig.conf: ""
  config.conf: |-
    apiVersion: kubeproxy.config.k8s.io/v1alpha1
    kind: KubeProxyConfiguration
    mode: ipvs
"""
    configuration = load_configuration(io.StringIO(text)).cluster.proxy_configuration
    assert configuration is not None
    assert configuration["mode"] == "ipvs"
    with pytest.raises(LoadError) as failure:
        load_configuration(io.StringIO(text.replace("mode: ipvs", "mode: 3")))
    assert str(failure.value).startswith("<stream 1>:9: KubeProxyConfiguration: mode: ")


def test_the_only_node_object_is_the_node() -> None:
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "a"}},
        "spec": {"podCIDRs": ["10.180.0.0/24"]},
        "status": {
            "addresses": [
                {"type": "Hostname", "address": "n1"},
                {"type": "ExternalIP", "address": "203.0.113.1"},
                {"type": "InternalIP", "address": "2001:db8::1"},
                {"type": "InternalIP", "address": "192.168.10.11"},
            ]
        },
    }
    facts = node_facts(load(node).cluster, nfacct=True)
    assert (facts.node.name, facts.node.ips) == ("n1", ("2001:db8::1", "192.168.10.11"))
    assert facts.node.interfaces["eth0"] == ("2001:db8::1/128", "192.168.10.11/32")
    assert facts.node.nfacct
    assert facts.notes == () and "eth0 2001:db8::1/128" in facts.interfaces_note
