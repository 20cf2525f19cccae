"""`rulegen trace` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rulegen as product
from tests.cli.running import FIXTURES, Rulegen
from tests.recorded import cases

NGX = ("-f", str(FIXTURES / "ngx"))


def test_a_connection_to_a_node_port_is_told_with_its_path(rulegen: Rulegen) -> None:
    result = rulegen("trace", "--from", "external", "--to", "192.168.10.1:30651", *NGX)
    assert result.code == 0
    assert result.out == (
        "tcp 203.0.113.113 -> 192.168.10.1:30651, in by eth0\n"
        "nat PREROUTING  #1 -> KUBE-SERVICES #2 -> KUBE-NODEPORTS #1 -> KUBE-EXT-DQYKF4NVSQPF2JO7 #1\n"
        "                -> KUBE-MARK-MASQ #1  set mark 0x4000\n"
        "                KUBE-EXT-DQYKF4NVSQPF2JO7 #2 -> KUBE-SVC-DQYKF4NVSQPF2JO7\n"
        "   50.0%  DNAT to 10.10.0.232:80 (pod ngx-dep-1), delivered on this node, "
        "source becomes 192.168.10.1\n"
        "          nat PREROUTING  KUBE-SVC-DQYKF4NVSQPF2JO7 #2 -> KUBE-SEP-N357PXV6D5FPH3DQ #2"
        "  DNAT to 10.10.0.232:80\n"
        "   50.0%  DNAT to 10.10.1.86:80 (pod ngx-dep-2), forwarded to node n2, source becomes 192.168.10.1\n"
        "          nat PREROUTING  KUBE-SVC-DQYKF4NVSQPF2JO7 #3 -> KUBE-SEP-XWG4OMELOYUSY7NQ #2"
        "  DNAT to 10.10.1.86:80\n"
        "filter FORWARD   #2 -> KUBE-FORWARD #2  accept\n"
        "nat POSTROUTING  #1 -> KUBE-POSTROUTING #2  flip mark 0x4000\n"
        "                 KUBE-POSTROUTING #3  masquerade: source becomes 192.168.10.1\n"
        "The client's address is not kept: externalTrafficPolicy is Cluster.\n"
    )


@pytest.mark.parametrize("mode", ["iptables", "ipvs", "nftables"])
def test_in_every_mode_a_pod_reaches_the_service_by_all_its_names(rulegen: Rulegen, mode: str) -> None:
    ends = []
    for to in ("svc/ngx-svc", "svc/ngx-svc:80", "10.96.240.115:80", "ngx-svc:80", "ngx-svc.default.svc:80"):
        result = rulegen("trace", "--from", "pod/ngx-dep-1", "--to", to, "--mode", mode, "-o", "json", *NGX)
        assert result.code == 0, result.err
        outcomes = json.loads(result.out)["outcomes"]
        ends.append([(o["endpoint"], o["exactly"], o["pod"], o["masqueraded"]) for o in outcomes])
    assert ends[0] == [
        ("10.10.0.232:80", "1/2", "ngx-dep-1", True),
        ("10.10.1.86:80", "1/2", "ngx-dep-2", False),
    ]
    assert all(each == ends[0] for each in ends)


def test_one_line_an_outcome(rulegen: Rulegen) -> None:
    result = rulegen("trace", "--from", "10.10.0.9", "--to", "svc/ngx-svc", "-o", "short", *NGX)
    assert result.out == (
        "50.0% -> 10.10.0.232:80 via KUBE-SVC-DQYKF4NVSQPF2JO7 -> KUBE-SEP-N357PXV6D5FPH3DQ, source kept\n"
        "50.0% -> 10.10.1.86:80 via KUBE-SVC-DQYKF4NVSQPF2JO7 -> KUBE-SEP-XWG4OMELOYUSY7NQ, source kept\n"
    )


def test_a_service_without_ready_endpoints_refuses_and_says_why(rulegen: Rulegen) -> None:
    pods = (FIXTURES / "ngx" / "pods.yaml").read_text().replace('status: "True"', 'status: "False"')
    Path("pods.yaml").write_text(pods.replace("ready: true", "ready: false"))
    files = (
        "-f",
        "pods.yaml",
        "-f",
        str(FIXTURES / "ngx" / "app.yaml"),
        "-f",
        str(FIXTURES / "ngx" / "node.yaml"),
    )
    result = rulegen("trace", "--from", "pod/ngx-dep-1", "--to", "svc/ngx-svc", *files)
    assert result.code == 1
    assert 'REJECT "default/ngx-svc has no endpoints": refused (ICMP port unreachable)' in result.out
    assert "default/ngx-svc: endpoints found: 2, ready: 0." in result.out


@pytest.mark.parametrize(
    ("mode", "answer"),
    [
        ("iptables", "The ping is not answered in iptables mode"),
        ("nftables", "The ping is refused in nftables mode"),
        ("ipvs", "The ping is refused in ipvs mode"),
    ],
)
def test_a_cluster_ip_answers_no_ping(rulegen: Rulegen, mode: str, answer: str) -> None:
    result = rulegen("trace", "--from", "node", "--to", "ping svc/ngx-svc", "--mode", mode, *NGX)
    assert result.code == 1
    assert answer in result.out


def test_the_node_itself_answers(rulegen: Rulegen) -> None:
    result = rulegen("trace", "--from", "external", "--to", "ping 192.168.10.1", "-o", "short", *NGX)
    assert (result.code, result.out) == (0, "100.0% answered by this node itself\n")


@pytest.mark.parametrize(
    ("expected", "code"),
    [
        ("DNAT 10.10.1.86:80", 0),
        ("DNAT 10.10.1.86:80 50%", 0),
        ("DNAT 10.10.1.86:80 source kept", 0),
        ("DNAT", 0),
        ("only DNAT 10.10.1.86:80", 1),
        ("DNAT 10.10.1.86:80 40%", 1),
        ("DNAT 10.10.1.86:80 masqueraded", 1),
        ("DNAT 10.10.1.87:80", 1),
        ("REJECT", 1),
        ("WHATEVER", 2),
        ("DNAT here", 2),
    ],
)
def test_expectations_decide_the_exit_code(rulegen: Rulegen, expected: str, code: int) -> None:
    result = rulegen("trace", "--from", "10.10.0.9", "--to", "svc/ngx-svc", "--expect", expected, *NGX)
    assert result.code == code, result.err
    assert bool(result.err.replace("passed over: 1 Deployment\n", "")) is bool(code)


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        (["only DNAT 10.10.0.232:80", "DNAT 10.10.1.86:80"], ""),
        (["only DNAT"], ""),
        (["only DNAT 10.10.0.232:80"], "not expected: 50.0% DNAT to 10.10.1.86:80 (pod ngx-dep-2)"),
        (["only DNAT 10.10.0.232:80", "DNAT 10.10.1.9:80"], "not expected: 50.0% DNAT to 10.10.1.86:80"),
    ],
)
def test_what_is_expected_may_be_all_there_is(rulegen: Rulegen, expected: list[str], told: str) -> None:
    options = [word for text in expected for word in ("--expect", text)]
    result = rulegen("trace", "--from", "10.10.0.9", "--to", "svc/ngx-svc", *options, *NGX)
    assert result.code == bool(told)
    assert told in result.err


def test_a_refusal_can_be_what_is_expected(rulegen: Rulegen) -> None:
    asked = ("trace", "--from", "10.10.0.9", "--to", "svc/ngx-svc:81", "--mode", "nftables", *NGX)
    assert rulegen(*asked).code == 1
    assert rulegen(*asked, "--expect", "REJECT").code == 0


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("--from", "pod/nobody", "--to", "svc/ngx-svc"), 'pods "nobody" not found in namespace default'),
        (("--from", "node", "--to", "svc/nothing"), 'services "nothing" not found in namespace default'),
        (("--from", "node", "--to", "10.0.0.1"), "needs a port"),
        (("--from", "somewhere", "--to", "10.0.0.1:80"), "must be pod/NAME, node, external, IP or IP:PORT"),
        (("--from", "10.0.0.1", "--to", "[fd00::1]:80"), "no addresses of one family"),
        (("--from", "node", "--to", "example.com:80"), "example.com is no name of the cluster"),
        (("--from", "node", "--to", "10.0.0.1:80", "--protocol", "quic"), "'quic' is no protocol"),
        (("--from", "node", "--to", "10.0.0.300:80"), "it is no IP address"),
        (("--from", "node", "--to", "svc/other/ngx-svc"), 'services "ngx-svc" not found in namespace other'),
        (("--from", "node", "--to", "svc/ngx-svc", "--recent", "X=here"), "'here' is no IP address"),
        (("--from", "node", "--to", "svc/ngx-svc", "--conntrack", "README"), "--conntrack README: line 1"),
        (("--from", "node", "--to", "svc/ngx-svc", "--expect", "DNAT source x"), "followed by an address"),
    ],
)
def test_questions_that_cannot_be_asked_are_refused(
    rulegen: Rulegen, arguments: tuple[str, ...], fault: str
) -> None:
    Path("README").write_text("what conntrack -L never prints\n")
    result = rulegen("trace", *arguments, *NGX)
    assert (result.code, result.out) == (2, "")
    assert fault in result.err


def test_without_rules_there_is_nothing_to_trace(rulegen: Rulegen) -> None:
    result = rulegen("trace", "--from", "node", "--to", "10.0.0.1:80")
    assert result.code == 2
    assert "name manifests with -f, a node's dump with --dump" in result.err


def test_a_node_s_dump_is_traced_with_its_own_addresses_and_names(rulegen: Rulegen) -> None:
    dumps = next(c for c in cases("dumps-1.37") if "iptables-save" in c["dumps"])["dumps"]
    folder = Path("dump")
    folder.mkdir()
    for name, text in dumps.items():
        (folder / (name.replace(" ", "_") + ".txt")).write_text(text)
    result = rulegen("trace", "--from", "node", "--to", "svc/kubernetes", "-o", "json", "--dump", "dump")
    told = json.loads(result.out)
    assert told["packet"]["destination"] == "10.96.0.1"
    assert told["outcomes"][0]["path"][0]["hook"] == "OUTPUT"


def test_a_dump_needs_to_know_the_node_s_addresses(rulegen: Rulegen) -> None:
    text = rulegen("render", "-o", "restore-with-jumps", *NGX).out
    Path("rules.save").write_text(text)
    asked = ("trace", "--from", "10.10.0.9", "--to", "10.96.240.115:80", "--dump", "rules.save")
    result = rulegen(*asked)
    assert result.code == 2 and "nothing says what addresses the node has" in result.err
    result = rulegen(*asked, "--node-ip", "192.168.10.1", "--expect", "DNAT 10.10.1.86:80 50%")
    assert result.code == 0, result.err
    result = rulegen(*asked, *NGX)
    assert result.code == 0, result.err


def test_rules_that_nothing_calls_are_pointed_out(rulegen: Rulegen) -> None:
    Path("rules.save").write_text(rulegen("render", *NGX).out)
    result = rulegen("trace", "--from", "node", "--to", "svc/ngx-svc", "--dump", "rules.save", *NGX)
    assert result.code == 1
    assert "no chain of the kernel calls KUBE-SERVICES" in result.err


def test_state_of_affinity_and_of_connections_can_be_given(rulegen: Rulegen) -> None:
    chain = "KUBE-SEP-XWG4OMELOYUSY7NQ"
    sticky = (
        (FIXTURES / "ngx" / "app.yaml")
        .read_text()
        .replace("type: NodePort", "type: NodePort\n  sessionAffinity: ClientIP")
    )
    Path("app.yaml").write_text(sticky)
    files = (
        "-f",
        "app.yaml",
        *(a for f in ("pods.yaml", "node.yaml") for a in ("-f", str(FIXTURES / "ngx" / f))),
    )
    asked = ("trace", "--from", "10.10.0.9:40000", "--to", "svc/ngx-svc", "-o", "short", *files)
    assert len(rulegen(*asked).out.splitlines()) == 2
    kept = rulegen(*asked, "--recent", f"{chain}=10.10.0.9")
    assert kept.out == f"100.0% -> 10.10.1.86:80 via KUBE-SVC-DQYKF4NVSQPF2JO7 -> {chain}, source kept\n"
    Path("ct").write_text(
        "tcp 6 86 ESTABLISHED src=10.10.0.9 dst=10.96.240.115 sport=40000 dport=80"
        " src=10.10.0.232 dst=10.10.0.9 sport=80 dport=40000 [ASSURED] use=1\n"
    )
    known = rulegen(*asked, "--conntrack", "ct")
    assert known.out == "100.0% -> 10.10.0.232:80, source kept\n"


def test_the_api_traces_what_it_compiled() -> None:
    cluster = product.load(str(FIXTURES / "ngx"))
    node = {
        "name": "n1",
        "ips": ["192.168.10.1"],
        "interfaces": {"eth0": ["192.168.10.1/24"]},
        "podCIDRs": ["10.10.0.0/24"],
    }
    rules = product.compile(cluster, node)
    trace = product.trace(rules, "10.10.0.9", "10.96.240.115:80", node=node)
    assert trace.delivered
    assert {outcome.endpoint for outcome in trace.outcomes} == {"10.10.0.232:80", "10.10.1.86:80"}
    explained = product.trace(cluster, "pod/ngx-dep-2", "svc/ngx-svc", node=node, mode="nftables")
    assert [explained.endpoints[o.endpoint].pod for o in explained.outcomes] == ["ngx-dep-1", "ngx-dep-2"]
    text = product.text(rules["IPv4"], "restore-with-jumps")
    from_text = product.trace(text, "external", "192.168.10.1:30651", node=node)
    assert str(from_text).count("source becomes 192.168.10.1") == 2
    with pytest.raises(ValueError, match="no rules of IPv6"):
        product.trace({"IPv4": rules["IPv4"]}, "fd00::9", "[fd00::1]:80", node=node)


def test_a_node_of_which_nothing_is_known_has_a_way_out(rulegen: Rulegen) -> None:
    files = [word for name in ("app.yaml", "pods.yaml") for word in ("-f", str(FIXTURES / "ngx" / name))]
    result = rulegen("trace", "--from", "external", "--to", "svc/ngx-svc", "-o", "short", *files)
    assert result.code == 0
    assert [line.split()[2] for line in result.out.splitlines()[:2]] == ["10.10.0.232:80", "10.10.1.86:80"]
    assert result.out.endswith("what addresses this node has: 192.0.2.1 on eth0 is assumed.\n")


def test_rules_are_read_once_for_many_packets() -> None:
    cluster = product.load(str(FIXTURES / "ngx"))
    tracer = product.Tracer(cluster, node={"name": "n1", "ips": ["192.168.10.1"]}, mode="nftables")
    tracer.prepare("IPv4")
    assert tracer.trace("external", "192.168.10.1:30651").delivered
    assert not tracer.trace("external", "svc/ngx-svc:81").delivered
    assert str(tracer.trace("pod/ngx-dep-1", "svc/ngx-svc")) == str(
        product.trace(
            cluster,
            "pod/ngx-dep-1",
            "svc/ngx-svc",
            node={"name": "n1", "ips": ["192.168.10.1"]},
            mode="nftables",
        )
    )


@pytest.mark.parametrize(
    ("rules", "options", "fault"),
    [
        (None, {}, "rules must be a Cluster"),
        ([], {}, "rules must be a Cluster"),
        ({}, {}, "rules must be a Cluster"),
        ("nonsense", {"node": {"ips": ["192.168.10.1"]}}, "no rules of IPv4"),
    ],
)
def test_rules_of_another_kind_are_refused(rules: object, options: dict[str, object], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        product.trace(rules, "external", "10.0.0.1:80", **options)  # type: ignore[arg-type]


def test_rules_of_one_mode_are_not_traced_as_those_of_another() -> None:
    rules = product.compile(product.load(str(FIXTURES / "ngx")), mode="ipvs")
    with pytest.raises(ValueError, match="compiled in ipvs mode, not in nftables mode"):
        product.trace(rules, "external", "10.96.240.115:80", mode="nftables")


@pytest.mark.parametrize("listing", ["nft list ruleset", "nft -j list ruleset", "iptables-save"])
def test_dumps_alone_name_services_and_know_whose_address_is_nobodys(rulegen: Rulegen, listing: str) -> None:
    Path("dump").write_text(next(c for c in cases("dumps-1.37") if listing in c["dumps"])["dumps"][listing])
    asked = ("--dump", "dump", "--node-ip", "192.168.10.11", "-o", "short")
    refused = rulegen("trace", "--from", "external", "--to", "svc/kubernetes", *asked)
    assert refused.code == 1 and "REJECT" in refused.out
    closed = rulegen("trace", "--from", "external", "--to", "svc/kubernetes:81", *asked)
    assert closed.code == 1
    assert ("REJECT" if "nft" in listing else "but no machine has that address") in closed.out


def test_a_node_without_a_way_out_reaches_nobody(rulegen: Rulegen) -> None:
    Path("rules.save").write_text("*nat\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n")
    Path("addresses.json").write_text('[{"ifname": "eth0", "addr_info": []}]')
    result = rulegen(
        "trace", "--from", "node", "--to", "10.0.0.1:80", "--dump", "rules.save", "--dump", "addresses.json"
    )
    assert result.code == 1
    assert "unreachable: no route leads to 10.0.0.1 (ICMP network unreachable)" in result.out


def test_a_client_that_is_sent_to_itself_and_keeps_its_address_hears_nothing(rulegen: Rulegen) -> None:
    """No EndpointSlice says that the pod is on this node, so that nothing masquerades it."""
    Path("rules.nft").write_text(
        "table ip x {\n chain pre {\n  type nat hook prerouting priority dstnat; policy accept;\n"
        "  ip daddr 10.96.0.10 dnat to 10.10.0.5\n }\n}\n"
    )
    asked = ("--dump", "rules.nft", "--node-ip", "192.168.10.1", "-o", "short")
    result = rulegen("trace", "--from", "10.10.0.5", "--to", "10.96.0.10:80", *asked)
    assert result.code == 1
    assert "source kept: it drops what comes from its own address" in result.out
    assert rulegen("trace", "--from", "10.10.0.6", "--to", "10.96.0.10:80", *asked).code == 0


def test_the_example_of_the_api_is_true(monkeypatch: pytest.MonkeyPatch) -> None:
    from rulegen import api

    monkeypatch.chdir(FIXTURES.parent)
    lines = [line.strip() for line in (api.trace.__doc__ or "").partition("::\n")[2].splitlines()]
    names: dict[str, object] = {"rulegen": product}
    for line in filter(None, lines):
        if line.startswith("Raises"):
            break
        code, _, answer = line.partition("  # ")
        if answer and not answer.startswith("as"):
            assert eval(code, names) == eval(answer.strip(), names), line
        else:
            exec(code, names)
    assert "Trace" in type(names["trace"]).__name__
