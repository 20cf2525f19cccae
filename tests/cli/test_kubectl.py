"""kubectl's commands on manifests: no cluster, the same words."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.cli.running import FIXTURES, Rulegen

NGX = str(FIXTURES / "ngx")
APP = str(FIXTURES / "ngx" / "app.yaml")


def test_get_prints_kubectls_tables(rulegen: Rulegen) -> None:
    assert rulegen("get", "svc", "-f", NGX).out == (
        "NAME      TYPE       CLUSTER-IP      EXTERNAL-IP   PORT(S)        AGE\n"
        "ngx-svc   NodePort   10.96.240.115   <none>        80:30651/TCP   <unknown>\n"
    )
    wide = rulegen("get", "pods", "-f", NGX, "-owide").out.splitlines()
    assert wide[1].split()[:7] == ["ngx-dep-1", "1/1", "Running", "0", "<unknown>", "10.10.0.232", "n1"]


def test_get_takes_kubectls_flags(rulegen: Rulegen) -> None:
    assert rulegen("get", "pods", "-f", NGX, "-l", "app=ngx", "-o", "name").out == (
        "pod/ngx-dep-1\npod/ngx-dep-2\n"
    )
    assert rulegen("get", "pods", "-f", NGX, "-l", "app!=ngx").err.endswith(
        "No resources found in default namespace.\n"
    )
    everywhere = rulegen("get", "svc", "-A", "--no-headers", "-f", NGX).out
    assert everywhere.startswith("default")
    found = yaml.safe_load(rulegen("get", "svc/ngx-svc", "-o", "yaml", "-f", NGX).out)
    assert found["spec"]["clusterIP"] == "10.96.240.115"


def test_slices_that_only_controllers_would_make_are_there(rulegen: Rulegen) -> None:
    assert "10.10.0.232,10.10.1.86" in rulegen("get", "endpointslices", "-f", NGX).out


def test_describe_is_kubectls_and_then_shows_the_rules(rulegen: Rulegen) -> None:
    plain = rulegen("describe", "svc", "ngx-svc", "-f", NGX, "--plain").out
    whole = rulegen("describe", "svc", "ngx-svc", "-f", NGX).out
    assert plain.startswith("Name:                     ngx-svc\n")
    assert "Endpoints:                10.10.0.232:80,10.10.1.86:80\n" in plain
    assert whole.startswith(plain)
    assert "Rules on node n1 (iptables, kube-proxy 1.37):" in whole.removeprefix(plain)
    assert "KUBE-SVC-DQYKF4NVSQPF2JO7" in whole


def test_expose_writes_the_service_and_appended_it_is_one_file(rulegen: Rulegen) -> None:
    alone = rulegen("expose", "deploy/ngx-dep", "-f", APP, "--port", "80", "--name", "web").out
    service = yaml.safe_load(alone)
    assert (service["kind"], service["spec"]["selector"]) == ("Service", {"app": "ngx"})
    both = rulegen("expose", "deploy/ngx-dep", "-f", APP, "--port", "80", "--name", "web", "--append").out
    kinds = [item["kind"] for item in yaml.safe_load_all(both)]
    assert kinds == ["Deployment", "Service", "Service"]


def test_create_service_needs_no_input(rulegen: Rulegen) -> None:
    made = yaml.safe_load(rulegen("create", "service", "nodeport", "web", "--tcp", "80:8080").out)
    assert made["spec"]["type"] == "NodePort"


def test_errors_are_kubectls_words_and_codes(rulegen: Rulegen) -> None:
    done = rulegen("get", "svc/nope", "-f", NGX)
    assert (done.code, done.out) == (1, "")
    assert 'Error from server (NotFound): services "nope" not found' in done.err
    assert "error: unknown flag: --bogus" in rulegen("get", "nodes", "--bogus", "-f", NGX).err


TWO_NODES = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: nginx, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web}}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Node
metadata: {name: n1}
spec: {podCIDR: 10.10.0.0/24}
---
apiVersion: v1
kind: Node
metadata: {name: n2}
spec: {podCIDR: 10.10.1.0/24}
"""


def test_short_flags_with_their_value_in_one_word_are_kubectls(rulegen: Rulegen) -> None:
    """``-oname`` has an ``n`` in it, which is no namespace."""
    assert rulegen("get", "svc", "-oname", "-f", NGX).out == "service/ngx-svc\n"
    assert rulegen("get", "pods", "-lapp=ngx", "-oname", "-f", NGX).out == "pod/ngx-dep-1\npod/ngx-dep-2\n"
    assert rulegen("get", "-Aoname", f"-f{NGX}", "svc").out == "service/ngx-svc\n"
    assert rulegen("get", "svc", "-n=default", "-ojson", "-f", NGX).out.startswith("{")


def test_what_a_cluster_would_allocate_and_make_is_in_the_tables(rulegen: Rulegen, tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text(TWO_NODES)
    done = rulegen("get", "svc,ep,pods", "-f", "app.yaml", "--synthesize-pods", "--no-headers")
    service, endpoints, *pods = [line.split() for line in done.out.splitlines() if line]
    assert service[:3] == ["service/web", "NodePort", "10.101.3.207"] and service[4].startswith("80:3")
    assert endpoints[1] == "10.10.0.2:80,10.10.0.3:80,10.10.1.2:80"
    assert [pod[1:3] for pod in pods] == [["1/1", "Running"]] * 3
    assert "synthetic Pods (annotation rulegen.dev/synthetic): Deployment default/web: 3" in done.err
    fewer = rulegen("get", "pods", "-f", NGX, "--scale", "deploy/ngx-dep=1", "-oname")
    assert fewer.out == "pod/ngx-dep-1\n"


def test_the_rules_of_a_description_are_those_of_all_services_described(
    rulegen: Rulegen, tmp_path: Path
) -> None:
    (tmp_path / "app.yaml").write_text(TWO_NODES)
    by_label = rulegen("describe", "svc", "-l", "app=web", "-f", "app.yaml", "--node", "n1")
    assert (by_label.code, by_label.out.count("Rules on node n1 (iptables")) == (0, 1)
    everywhere = rulegen("describe", "svc", "-A", "-f", "app.yaml", "--node", "n2", "--mode", "nftables")
    assert "Rules on node n2 (nftables" in everywhere.out
    none = rulegen("describe", "svc", "-l", "app=db", "-f", "app.yaml", "--node", "n1")
    assert (none.code, none.out) == (0, "") and "No resources found" in none.err


def test_which_node_is_asked_and_the_description_is_there_without_it(
    rulegen: Rulegen, tmp_path: Path
) -> None:
    (tmp_path / "app.yaml").write_text(TWO_NODES)
    done = rulegen("describe", "svc", "web", "-f", "app.yaml")
    assert done.code == 0 and done.out.startswith("Name:") and "Rules on node" not in done.out
    assert "several nodes: --node NAME chooses one of n1, n2" in done.err


def test_expose_takes_a_node_port_and_pipes_into_render(rulegen: Rulegen) -> None:
    words = ("expose", "deploy/ngx-dep", "-f", APP, "--name", "web", "--port", "80")
    made = rulegen(*words, "--type", "NodePort", "--node-port", "30080").out
    assert yaml.safe_load(made)["spec"]["ports"] == [
        {"nodePort": 30080, "port": 80, "protocol": "TCP", "targetPort": 80}
    ]
    assert "namespace" not in yaml.safe_load(made)["metadata"], "kubectl writes one only where one was given"
    rules = rulegen("render", "-f", NGX, "-f", "-", stdin=made).out
    assert "--comment default/web -m tcp -p tcp --dport 30080" in rules
    refused = rulegen(*words, "--node-port", "30080")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == "error: --node-port goes with --type=NodePort or --type=LoadBalancer\n"


def test_appending_reads_pipes_and_refuses_a_second_service_of_one_name(rulegen: Rulegen) -> None:
    text = Path(APP).read_text()
    words = ("expose", "deploy/ngx-dep", "--port", "80", "--append", "-f", "-")
    both = rulegen(*words, "--name", "web", stdin=text).out
    assert both.startswith(text + "---\napiVersion: v1\nkind: Service\n")
    again = rulegen(*words, "--name", "ngx-svc", stdin=text)
    assert (again.code, again.out) == (1, "")
    assert again.err == 'Error from server (AlreadyExists): services "ngx-svc" already exists\n'
    assert rulegen("expose", "deploy/nope", "--append", "-f", APP).out == ""


def test_create_tells_what_it_can_create(rulegen: Rulegen) -> None:
    assert 'unknown command "headless web"' in rulegen("create", "service", "headless", "web").err
    assert "clusterip|nodeport|loadbalancer|externalname NAME" in rulegen("create", "service").err
