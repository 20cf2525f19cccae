"""A beginner's day with the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import yaml

import rulegen as api
from bench import clusters
from rulegen.backend import backend, modes
from rulegen.iptables import restore
from rulegen.load.scenario import from_scenario
from rulegen.plan import plan
from tests.cli.running import FIXTURES, Rulegen
from tests.objects import service, slice_of
from tests.recorded import cases

NGX = str(FIXTURES / "ngx")
TREE = """\
default/ngx-svc  NodePort  10.96.240.115:80/TCP  nodePort 30651   (iptables, kube-proxy 1.37, node n1)

nat PREROUTING, OUTPUT
└─ KUBE-SERVICES
   ├─ 10.96.240.115:80/tcp   cluster IP
   │  └─ KUBE-SVC-DQYKF4NVSQPF2JO7
   │     ├─ source outside 10.10.0.0/16: masquerade
   │     ├─  50%  KUBE-SEP-N357PXV6D5FPH3DQ  -> 10.10.0.232:80  (pod ngx-dep-1, node n1)
   │     └─  50%  KUBE-SEP-XWG4OMELOYUSY7NQ  -> 10.10.1.86:80  (pod ngx-dep-2, node n2)
   └─ KUBE-NODEPORTS         any local address
      └─ port 30651/tcp   node port
         └─ KUBE-EXT-DQYKF4NVSQPF2JO7
            ├─ everything: masquerade
            └─ KUBE-SVC-DQYKF4NVSQPF2JO7   as above

"""


def test_render_prints_the_rules_and_keeps_notes_off_standard_output(rulegen: Rulegen) -> None:
    done = rulegen("render", "-f", NGX)
    assert done.code == 0
    assert done.out.startswith("*filter\n:KUBE-SERVICES - [0:0]\n") and done.out.endswith("COMMIT\n")
    assert "passed over: 1 Deployment" in done.err


def test_the_python_api_gives_the_same_rules(rulegen: Rulegen) -> None:
    cluster = api.load(NGX)
    rules = api.compile(cluster, {"name": "n1", "ips": ["192.168.10.1"]})
    assert restore(rules["IPv4"]) == api.text(rules["IPv4"]) == rulegen("render", "-f", NGX).out


def test_render_as_json_and_yaml_hold_both_families(rulegen: Rulegen) -> None:
    as_json = json.loads(rulegen("render", "-f", NGX, "-o", "json").out)
    as_yaml = yaml.safe_load(rulegen("render", "-f", NGX, "-o", "yaml").out)
    assert as_json == as_yaml
    assert as_json["mode"] == "iptables" and list(as_json["families"]) == ["IPv4", "IPv6"]
    assert as_json["families"]["IPv4"]["tables"]["nat"]["KUBE-EXT-DQYKF4NVSQPF2JO7"] == [
        '-m comment --comment "masquerade traffic for default/ngx-svc external destinations"'
        " -j KUBE-MARK-MASQ",
        "-j KUBE-SVC-DQYKF4NVSQPF2JO7",
    ]


def test_with_jumps_the_text_also_holds_the_jump_rules(rulegen: Rulegen) -> None:
    done = rulegen("render", "-f", NGX, "--with-jumps")
    assert '-I PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES\n' in done.out


def test_manifests_come_from_standard_input_too(rulegen: Rulegen) -> None:
    text = "\n---\n".join(path.read_text() for path in sorted(Path(NGX).glob("*.yaml")))
    assert rulegen("render", "-f", "-", stdin=text).out == rulegen("render", "-f", NGX).out


def test_show_draws_the_tree_of_a_service(rulegen: Rulegen) -> None:
    assert rulegen("show", "svc/ngx-svc", "-f", NGX, "-o", "tree").out == TREE


def test_show_raw_is_what_render_has_for_the_service(rulegen: Rulegen) -> None:
    whole = set(rulegen("render", "-f", NGX).out.splitlines())
    lines = rulegen("show", "service", "ngx-svc", "-f", NGX, "-o", "raw").out.splitlines()
    assert len(lines) == 11
    assert set(lines) <= whole


def test_show_notes_every_rule_and_numbers_it_as_iptables_does(rulegen: Rulegen) -> None:
    data = json.loads(rulegen("show", "ngx-svc", "-f", NGX, "-o", "json").out)
    met = [(rule["chain"][:9], rule["number"], rule["note"]) for rule in data["rules"]]
    assert met[0] == ("KUBE-SERV", 1, "10.96.240.115:80/tcp: go to KUBE-SVC-DQYKF4NVSQPF2JO7")
    assert ("KUBE-SEP-", 2, "send to 10.10.0.232:80") in met
    assert all(note for _, _, note in met)


def test_explain_says_why_each_endpoint_is_used(rulegen: Rulegen) -> None:
    done = rulegen("explain", "endpoints", "ngx-svc", "-f", NGX)
    assert done.out == (
        "default/ngx-svc/TCP (IPv4)\n"
        "ENDPOINT         POD         NODE   ZONE     CLUSTER   LOCAL   WHY\n"
        "10.10.0.232:80   ngx-dep-1   n1     zone-a   yes       yes     ready\n"
        "10.10.1.86:80    ngx-dep-2   n2     -        yes       no      ready\n"
        "2 of 2 are ready.\n"
        "\n"
    )


def test_validate_counts_what_it_checked(rulegen: Rulegen) -> None:
    done = rulegen("validate", "-f", NGX)
    assert done == (0, "valid: 1 Service, 2 Pod, 1 Node, 1 KubeProxyConfiguration\n", done.err)


def test_a_service_that_is_not_there_is_named_beside_those_that_are(rulegen: Rulegen) -> None:
    done = rulegen("show", "svc/web", "-f", NGX)
    assert (done.code, done.out) == (2, "")
    assert 'services "web" not found in namespace default; found: default/ngx-svc' in done.err


def test_errors_leave_standard_output_empty_and_exit_with_2(rulegen: Rulegen, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  type: NodePort\n"
        "  clusterIP: 10.96.0.9\n  ports:\n    - port: 80\n      nodePort: 99\n"
    )
    done = rulegen("render", "-f", "bad.yaml")
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[0] == (
        "bad.yaml:10: Service default/web: spec.ports[0].nodePort: Invalid value: 99: provided port is not in"
        " the valid range. The range of valid ports is 30000-32767"
    )
    assert done.err.splitlines()[-1] == "1 error; nothing was printed."


def test_a_misspelt_field_is_named_beside_the_error_that_it_causes(rulegen: Rulegen, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  port:\n    - port: 80\n"
    )
    done = rulegen("render", "-f", "bad.yaml")
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines() == [
        'warning: bad.yaml:6: Service default/web: unknown field "spec.port"',
        "bad.yaml:5: Service default/web: spec.ports: Required value",
        "1 error; nothing was printed.",
    ]


def test_a_misspelt_field_of_the_configuration_is_named_too(rulegen: Rulegen, tmp_path: Path) -> None:
    (tmp_path / "proxy.yaml").write_text(
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
        "clustercidr: 10.0.0.0/8\n"
    )
    said = 'proxy.yaml:3: KubeProxyConfiguration: unknown field "clustercidr"'
    done = rulegen("render", "-f", NGX, "--config", "proxy.yaml")
    assert done.code == 0 and f"warning: {said}\n" in done.err
    done = rulegen("render", "-f", NGX, "--config", "proxy.yaml", "--strict")
    assert (done.code, done.out) == (2, "") and f"\n{said}\n" in done.err


def test_cluster_cidrs_are_checked_by_default_as_by_kube_proxy(rulegen: Rulegen, tmp_path: Path) -> None:
    (tmp_path / "proxy.yaml").write_text(
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nclusterCIDR: hello\n"
    )
    done = rulegen("render", "-f", NGX, "--config", "proxy.yaml")
    assert (done.code, done.out) == (2, "")
    assert "proxy.yaml:3: KubeProxyConfiguration.DetectLocalConfiguration.ClusterCIDRs" in done.err
    assert 'Invalid value: "hello"' in done.err


def test_validate_tells_programs_what_is_wrong(rulegen: Rulegen, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  port:\n    - port: 80\n"
    )
    done = rulegen("validate", "-f", "bad.yaml", "-o", "json")
    assert (done.code, done.err) == (2, "")
    place = {"file": "bad.yaml", "object": "Service default/web"}
    assert json.loads(done.out) == {
        "valid": False,
        "errors": [{**place, "line": 5, "field": "spec.ports", "message": "Required value"}],
        "warnings": [{**place, "line": 6, "field": "spec.port", "message": 'unknown field "spec.port"'}],
    }
    fine = json.loads(rulegen("validate", "-f", NGX, "-o", "json").out)
    assert fine["valid"] and fine["objects"]["Pod"] == 2


def test_services_without_rules_are_summed_up_by_reason(rulegen: Rulegen) -> None:
    services = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": f"web-{number}"},
            "spec": {"type": "ExternalName", "externalName": "example.com"},
        }
        for number in range(5)
    ]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": services})
    assert (
        "default/web-0, default/web-1, default/web-2 and 2 more: no rules (type ExternalName: a DNS name,"
        " no address to capture)\n"
    ) in rulegen("render", "-f", "-", stdin=text).err


def test_a_service_of_another_namespace_is_pointed_to(rulegen: Rulegen) -> None:
    text = (Path(NGX) / "app.yaml").read_text()
    done = rulegen("show", "svc/ngx-svc", "-n", "shop", "-f", "-", stdin=text)
    assert done.code == 0  # an object without a namespace is in the one that is asked for
    text = text.replace("name: ngx-svc", "name: ngx-svc\n  namespace: prod")
    done = rulegen("show", "svc/ngx-svc", "-f", "-", stdin=text)
    assert (done.code, done.out) == (2, "")
    assert 'services "ngx-svc" not found in namespace default; it is in prod: add -n prod\n' in done.err


def test_a_reader_that_has_seen_enough_is_no_error_and_no_difference() -> None:
    command = [sys.executable, "-m", "rulegen.cli.main", "render", "-f", NGX]
    process = subprocess.Popen(command, cwd=FIXTURES.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (141, b"passed over: 1 Deployment\n")


def test_what_cannot_be_written_is_an_error() -> None:
    command = [sys.executable, "-m", "rulegen.cli.main", "render", "-f", NGX]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, cwd=FIXTURES.parent, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith(b"error: No space left on device\n")


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of bash in which ``rulegen`` is the command line."""
    start = f'rulegen() {{ {sys.executable} -m rulegen.cli.main "$@"; }}; set -o pipefail; '
    return subprocess.run(
        ["bash", "-c", start + command],
        cwd=FIXTURES.parent,
        env=os.environ | environment,
        capture_output=True,
        check=False,
    )


@pytest.fixture(scope="module")
def hundreds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of objects whose rules are larger than any pipe or buffer."""
    path = tmp_path_factory.mktemp("hundreds") / "objects.json"
    path.write_bytes(clusters.listing(300, 10))
    return path


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_text_that_only_a_part_of_was_taken_is_never_called_done(hundreds: Path, unbuffered: str) -> None:
    part = hundreds.with_name("part")
    # A file that may not grow on, as on a disk that is full.
    done = shell(f"ulimit -f 64; rulegen render -f {hundreds} >{part}", PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, b"error: File too large")
    done = shell(f"rulegen render -f {hundreds} | head -n 1", PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stdout) == (141, b"*filter\n")
    assert b"error" not in done.stderr
    done = shell(f"rulegen render -f {hundreds} | cat", PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 0
    assert done.stdout.endswith(b"\nCOMMIT\n") and len(done.stdout) > 500_000


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["render", "-f", NGX]])
def test_a_closed_standard_output_is_said_and_brings_no_traceback(words: list[str]) -> None:
    done = shell(f"rulegen {' '.join(words)} >&-")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == b"error: standard output is closed"
    assert shell(f"rulegen {' '.join(words)} >&- 2>&-").returncode == 2


@pytest.mark.parametrize("nowhere", [">&-", ">/dev/full"])
def test_notes_that_nobody_can_read_keep_no_command_from_its_work(nowhere: str) -> None:
    done = shell(f"rulegen render -f {NGX} 2{nowhere}")
    assert done.returncode == 0 and done.stdout.endswith(b"COMMIT\n")
    assert shell(f"rulegen render -f nothere 2{nowhere}").returncode == 2


def test_a_closed_standard_input_is_an_error_where_it_should_be_read() -> None:
    assert shell(f"rulegen render -f {NGX} <&-").returncode == 0
    done = shell("rulegen render -f - <&-")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"-: bad file descriptor\n")


def test_colour_is_for_terminals_only(rulegen: Rulegen) -> None:
    assert "\x1b" not in rulegen("show", "ngx-svc", "-f", NGX, "-o", "tree").out


def test_every_command_has_help_with_examples(rulegen: Rulegen) -> None:
    for command in (["render"], ["show"], ["explain", "endpoints"], ["validate"]):
        done = rulegen(*command, "--help")
        assert done.code == 0 and "Examples:" in done.out


def test_unknown_modes_families_and_forms_are_named_with_what_is_valid(rulegen: Rulegen) -> None:
    for arguments, message in (
        (["--mode", "userspac"], 'mode "userspac": must be one of'),
        (["--family", "IPv5"], '--family "IPv5": must be IPv4 or IPv6'),
        (["-o", "nft"], "-o nft: unknown in iptables mode; known: restore, "),
        (["--variant", "nft"], "--variant goes with -o save only"),
        (["-o", "save", "--variant", "x"], "--variant x: must be one of nft, legacy"),
        (
            ["--mode", "nftables", "-o", "save", "--variant", "nft"],
            "-o save: unknown in nftables mode; known: nft, ",
        ),
        (
            ["--mode", "ipvs", "--with-jumps"],
            "does not go with -o script in ipvs mode; it goes with -o restore, save",
        ),
        (
            ["--mode", "nftables", "--with-jumps"],
            "-o nft in nftables mode; no form has jumps apart from the rules",
        ),
        (["-f", "-", "-f", "-"], "-: standard input is named twice, and can be read once"),
        (["--kube-version", "1.2"], "no profile for Kubernetes '1.2'; known versions: 1.25, 1.37"),
    ):
        done = rulegen("render", "-f", NGX, *arguments)
        assert (done.code, done.out) == (2, "")
        assert message in done.err


def test_the_help_of_render_tells_every_form_of_every_mode(rulegen: Rulegen) -> None:
    told = rulegen("render", "--help").out
    for mode in modes():
        _, _, section = told.partition(f"Text forms of {mode} mode, the default first:\n")
        forms = [line.split()[0] for line in section.partition("\n\n")[0].splitlines()]
        assert forms == [form.name for form in backend(mode).forms if not form.name.endswith("-with-jumps")]


def test_show_raw_prints_whole_lines_of_the_text_form_in_every_mode(rulegen: Rulegen) -> None:
    for mode, forms in (("nftables", ["nft"]), ("ipvs", ["ipset", "ipvsadm", "restore"])):
        whole = "".join(rulegen("render", "-f", NGX, "--mode", mode, "-o", form).out for form in forms)
        for line in rulegen("show", "ngx-svc", "-f", NGX, "--mode", mode, "-o", "raw").out.splitlines():
            assert line in whole.splitlines() or line.startswith("address add ")


@pytest.mark.parametrize("mode", ["iptables", "ipvs", "nftables"])
def test_what_one_service_shows_does_not_depend_on_looking_at_it_alone(mode: str) -> None:
    """``show`` cuts the chains of other Services short; rules and numbers of the one are as in the whole."""
    room = backend(mode)
    # Services before all others that make a large cluster of every one.
    first = [service(f"web-{ip[0]}", namespace="aaa", ip=ip) for ip in ("10.96.255.1", "fd00:10:96::ff01")]
    many = [
        slice_of(each, [start.format(i // 250, i % 250) for i in range(1001)])
        for each, start in zip(first, ("10.200.{}.{}", "fd00:200::{}:{}"), strict=True)
    ]
    for index, case in enumerate(list(cases(f"1.37-{mode}"))[::12]):
        scenario = from_scenario(case["scenario"])
        if index % 2:
            services, slices = (*first, *scenario.cluster.services), (*many, *scenario.cluster.slices)
            larger = msgspec.structs.replace(scenario.cluster, services=services, slices=slices)
            scenario = msgspec.structs.replace(scenario, cluster=larger)
        for family in scenario.families:
            whole = plan(scenario.cluster, scenario.node, scenario.config, family)
            ruleset = room.compile_rules(whole)
            for item in whole.ports[::3]:
                port = item.port
                focus = (port.namespace, port.service)
                focused = plan(scenario.cluster, scenario.node, scenario.config, family, focus=focus)
                alone = room.compile_rules(focused)
                assert room.show(alone, [port]) == room.show(ruleset, [port])
                assert room.tree(alone, [port]) == room.tree(ruleset, [port])
