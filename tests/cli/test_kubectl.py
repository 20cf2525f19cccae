"""kubectl's commands on manifests: no cluster, the same words."""

from __future__ import annotations

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
