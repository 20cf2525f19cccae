"""Somebody pastes a name or an address from a node and asks whose it is."""

from __future__ import annotations

import pytest

from rulegen.backend import backend
from rulegen.load.scenario import Scenario, from_scenario
from rulegen.plan import Plan, plan
from rulegen.whose import in_dump, in_plan, question
from tests.cli.running import FIXTURES, Rulegen
from tests.recorded import cases

NGX = str(FIXTURES / "ngx")
IPTABLES_NODES = [c for c in cases("dumps-1.37") if "iptables-save" in c["dumps"]]
IPVS_NODES = list(cases("dumps-ipvs-1.37"))
NFT_NODES = [c for c in cases("dumps-1.37") if "nft list ruleset" in c["dumps"]]


def plans(case: dict[str, dict[str, str]]) -> list[Plan]:
    scenario: Scenario = from_scenario(case["scenario"])
    return [plan(scenario.cluster, scenario.node, scenario.config, family) for family in scenario.families]


@pytest.mark.parametrize("case", IPTABLES_NODES, ids=lambda case: str(case["name"]))
def test_manifests_and_the_nodes_dump_name_the_same_owner_of_every_endpoint_chain(
    case: dict[str, dict[str, str]],
) -> None:
    asked = 0
    for planned in plans(case):
        room = backend("iptables")
        ruleset = room.compile_rules(planned)
        for item in planned.ports:
            for address, chain in room.chain_names(ruleset, item.port).items():
                (owner,) = in_plan(planned, question([chain]))
                assert (owner.service, owner.endpoint) == (item.port.name, address)
                (seen,) = in_dump(case["dumps"], question([chain]))
                assert (seen.service, seen.protocol, seen.endpoint) == (
                    owner.service,
                    owner.protocol,
                    owner.endpoint,
                )
                asked += 1
    assert asked


@pytest.mark.parametrize("case", [*IPTABLES_NODES, *NFT_NODES], ids=lambda case: str(case["name"]))
def test_every_cluster_ip_and_node_port_is_found_in_the_dump(case: dict[str, dict[str, str]]) -> None:
    for planned in plans(case):
        for item in planned.ports:
            port = item.port
            ip = f"[{port.cluster_ip}]" if ":" in port.cluster_ip else port.cluster_ip
            found = in_dump(case["dumps"], question([f"{ip}:{port.port}/{port.protocol.lower()}"]))
            assert port.name in {answer.service for answer in found}
            if port.node_port:
                found = in_dump(case["dumps"], question([f"{port.node_port}/{port.protocol.lower()}"]))
                assert port.name in {answer.service for answer in found}


def test_an_endpoint_that_no_rule_uses_here_is_still_known(rulegen: Rulegen) -> None:
    done = rulegen("whose", "10.10.0.232", "-f", NGX)
    assert done.code == 0 and "default/ngx-svc" in done.out and "10.10.0.232:80" in done.out


def test_what_is_nobodys_exits_with_1(rulegen: Rulegen) -> None:
    done = rulegen("whose", "10.99.0.1", "-f", NGX)
    assert (done.code, done.out) == (1, "")
    assert "no Service of those given has it" in done.err


def test_ipvs_set_entries_are_traced_to_their_service(rulegen: Rulegen) -> None:
    done = rulegen("whose", "KUBE-CLUSTER-IP", "10.96.240.115,tcp:80", "-f", NGX)
    assert done.code == 0 and "cluster IP" in done.out


@pytest.mark.parametrize("case", IPVS_NODES, ids=lambda case: str(case["name"]))
def test_an_ipvs_node_tells_the_kind_of_every_address_and_who_sends_to_an_endpoint(
    case: dict[str, dict[str, str]],
) -> None:
    for planned in plans(case):
        for item in planned.ports:
            port = item.port
            ip = f"[{port.cluster_ip}]" if ":" in port.cluster_ip else port.cluster_ip
            address = f"{ip}:{port.port}/{port.protocol.lower()}"
            (found,) = in_dump(case["dumps"], question([address]))
            assert (found.service, found.role) == ("", "cluster IP")
            for chosen in item.choice.cluster[:3] if not port.internal_local else ():
                roles = {answer.role for answer in in_dump(case["dumps"], question([chosen.address]))}
                assert f"endpoint of cluster IP {address}" in roles


def test_an_entry_of_a_set_is_told_with_what_the_set_is_for() -> None:
    dumps = IPVS_NODES[0]["dumps"]
    (found,) = in_dump(dumps, question(["KUBE-CLUSTER-IP", "10.96.0.1,tcp:443"]))
    assert found.role == (
        "entry of KUBE-CLUSTER-IP (Kubernetes service cluster ip + port for masquerade purpose)"
    )
    assert in_dump(dumps, question(["KUBE-CLUSTER-IP", "10.96.0.1,tcp:444"])) == []


def test_a_question_that_makes_no_sense_is_answered_with_what_does(rulegen: Rulegen) -> None:
    for words in (["hello"], ["10.0.0.1:99999"], ["0"], ["70000"], ["a", "b", "c"]):
        done = rulegen("whose", *words, "-f", NGX)
        assert (done.code, done.out) == (2, "") and "not understood" in done.err


def test_there_has_to_be_somewhere_to_look(rulegen: Rulegen) -> None:
    done = rulegen("whose", "10.0.0.1")
    assert done.code == 2 and "name manifests with -f" in done.err
