"""What is served on which address, what it costs, and that nothing can slip into a line."""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rulegen.backend import backend
from rulegen.ipvs import BACKEND, Ruleset, compile_rules, ipset, ipvsadm, restore
from rulegen.ipvs.sets import IPVS_IPS, SETS, set_name
from rulegen.load.scenario import Scenario, from_scenario
from rulegen.model import Cluster, EndpointSlice, Family, Node, Service
from rulegen.model.objects import ServicePort
from rulegen.plan import plan
from tests.objects import CONFIG, NODE, cluster, endpoint, service, slice_of
from tests.recorded import cases

SCENARIOS = [from_scenario(case["scenario"]) for case in cases("1.37-ipvs")]


def compiled(objects: Cluster, node: Node = NODE, family: Family = "IPv4", **config: Any) -> Ruleset:
    proxy = msgspec.structs.replace(CONFIG, mode="ipvs", **config)
    return compile_rules(plan(objects, node, proxy, family))


def on_node(**interfaces: tuple[str, ...]) -> Node:
    return msgspec.structs.replace(NODE, interfaces=dict(NODE.interfaces, **interfaces))


def node_port(**spec: Any) -> Cluster:
    web = service(type="NodePort", ports=[ServicePort(port=80, node_port=30080)], **spec)
    return cluster(web, slice_of(web, ["10.10.1.1"]))


def served(rules: Ruleset) -> dict[str, list[str]]:
    return {f"{s.protocol} {s.address}": list(s.servers) for s in rules.virtual_servers().values()}


def test_the_mode_has_the_doors_of_every_mode() -> None:
    assert backend("ipvs") is BACKEND
    names = [form.name for form in BACKEND.forms]
    assert names[:4] == ["script", "ipvsadm", "ipset", "restore"]
    assert "table" in names


def test_names_of_ipv6_sets_fit_into_the_kernel_and_differ_from_each_other() -> None:
    names = [set_name(kind.name, family) for family in ("IPv4", "IPv6") for kind in SETS]
    assert len(set(names)) == 34
    assert max(map(len, names)) <= 31
    assert "KUBE-6-NODE-PORT-LOCAL-SCTP-HAS" in names


def test_a_service_is_served_on_all_of_its_addresses() -> None:
    ports = [ServicePort(port=80, node_port=30080)]
    web = service(type="LoadBalancer", ports=ports, vips=["198.51.100.1"], external_ips=["198.51.100.2"])
    rules = compiled(cluster(web, slice_of(web, ["10.10.1.1"])))
    assert served(rules) == {
        "TCP 10.96.0.10:80": ["10.10.1.1:8080"],
        "TCP 198.51.100.2:80": ["10.10.1.1:8080"],
        "TCP 198.51.100.1:80": ["10.10.1.1:8080"],
        "TCP 192.168.10.1:30080": ["10.10.1.1:8080"],
    }
    assert rules.addresses() == ["10.96.0.10", "198.51.100.2", "198.51.100.1"]


def test_an_address_that_the_node_has_anyway_is_served_but_not_bound_again() -> None:
    web = service(external_ips=["192.168.10.1"])
    rules = compiled(cluster(web, slice_of(web, ["10.10.1.1"])))
    assert "TCP 192.168.10.1:80" in served(rules)
    assert rules.addresses() == ["10.96.0.10"]


def test_addresses_of_the_dummy_device_are_not_the_nodes_own() -> None:
    node = on_node(**{"kube-ipvs0": ("10.96.0.10/32", "198.51.100.1/32")})
    web = service(
        type="NodePort", ports=[ServicePort(port=80, node_port=30080)], external_ips=["198.51.100.1"]
    )
    rules = compiled(cluster(web, slice_of(web, ["10.10.1.1"])), node)
    assert rules.settings.node_port_ips == ("192.168.10.1",)
    assert "198.51.100.1" in rules.addresses()


def test_node_ports_are_served_on_every_address_but_loopback_and_link_local() -> None:
    node = on_node(eth1=("10.0.0.1/8", "fe80::1/64", "2001:db8::1/64"))
    assert compiled(node_port(), node).settings.node_port_ips == ("192.168.10.1", "10.0.0.1")
    assert compiled(node_port(), node, "IPv6").settings.node_port_ips == ("2001:db8::1",)


def test_node_port_addresses_choose_among_the_addresses() -> None:
    node = on_node(eth1=("10.0.0.1/8", "fe80::1/64"))
    chosen = compiled(node_port(), node, node_port_addresses=("10.0.0.0/8", "127.0.0.0/8")).settings
    assert chosen.node_port_ips == ("10.0.0.1",)
    # An IPv6 network that is asked for by name counts, link-local or not.
    asked = compiled(node_port(), node, "IPv6", node_port_addresses=("fe80::/10",)).settings
    assert asked.node_port_ips == ("fe80::1",)


def test_without_an_address_for_node_ports_the_health_check_is_left_out_too() -> None:
    web = service(
        type="LoadBalancer",
        ports=[ServicePort(port=80, node_port=30080)],
        external_traffic_policy="Local",
        health_check_node_port=30099,
    )
    objects = cluster(web, slice_of(web, ["10.10.1.1"]))
    assert "add KUBE-HEALTH-CHECK-NODE-PORT 30099\n" in ipset(compiled(objects))
    without = ipset(compiled(objects, node_port_addresses=("203.0.113.0/24",)))
    assert "add KUBE-HEALTH-CHECK-NODE-PORT" not in without
    assert "add KUBE-NODE-PORT-TCP" not in without


def test_of_two_services_that_claim_one_address_the_later_one_has_it() -> None:
    first = service("a", ip="10.96.0.1", external_ips=["198.51.100.1"])
    second = service("b", ip="10.96.0.2", external_ips=["198.51.100.1"], affinity=60)
    rules = compiled(cluster(first, slice_of(first, ["10.10.1.1"]), second, slice_of(second, ["10.10.1.2"])))
    assert served(rules)["TCP 198.51.100.1:80"] == ["10.10.1.2:8080"]
    assert "-A -t 198.51.100.1:80 -s rr -p 60\n" in ipvsadm(rules)
    assert rules.addresses().count("198.51.100.1") == 1


def test_a_local_policy_without_a_local_endpoint_uses_all_of_them() -> None:
    web = service(
        type="LoadBalancer",
        vips=["198.51.100.1"],
        external_traffic_policy="Local",
        ports=[ServicePort(port=80, node_port=30080)],
    )
    far = compiled(cluster(web, slice_of(web, [endpoint("10.10.1.1"), endpoint("10.10.1.2")])))
    assert served(far)["TCP 198.51.100.1:80"] == ["10.10.1.1:8080", "10.10.1.2:8080"]
    near = compiled(cluster(web, slice_of(web, [endpoint("10.10.0.1", "n1"), endpoint("10.10.1.2")])))
    assert served(near)["TCP 198.51.100.1:80"] == ["10.10.0.1:8080"]
    assert served(near)["TCP 10.96.0.10:80"] == ["10.10.0.1:8080", "10.10.1.2:8080"]


def test_an_endpoint_here_may_reach_itself_whether_it_is_ready_or_not() -> None:
    web = service()
    ends = [endpoint("10.10.0.1", "n1", ready=False, serving=False), endpoint("10.10.1.1")]
    text = ipset(compiled(cluster(web, slice_of(web, ends))))
    assert "add KUBE-LOOP-BACK 10.10.0.1,tcp:8080,10.10.0.1\n" in text
    assert text.count("add KUBE-LOOP-BACK") == 1


def test_the_scheduler_mh_hashes_the_port_too() -> None:
    web = service(affinity=300)
    rules = compiled(cluster(web, slice_of(web, ["10.10.1.1"])), ipvs_scheduler="mh")
    assert ipvsadm(rules).splitlines()[0] == "-A -t 10.96.0.10:80 -s mh -p 300 -b mh-port"
    assert [server.flags for server in rules.virtual_servers().values()] == [0x11]


@pytest.mark.parametrize(("services", "endpoints"), [(1, 1), (10, 5), (100, 15)])
def test_more_services_cost_no_iptables_rules(services: int, endpoints: int) -> None:
    objects: list[Service | EndpointSlice] = []
    for number in range(services):
        web = service(f"web-{number}", ip=f"10.96.1.{number}")
        objects += [web, slice_of(web, [f"10.10.{number}.{i}" for i in range(endpoints)])]
    rules = compiled(cluster(*objects))
    one = service()
    assert restore(rules) == restore(compiled(cluster(one, slice_of(one, ["10.10.1.1"]))))
    text = ipvsadm(rules)
    assert (text.count("-A "), text.count("-a ")) == (services, services * endpoints)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(SCENARIOS), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(scenario: Scenario, chance: random.Random) -> None:
    services, slices = list(scenario.cluster.services), list(scenario.cluster.slices)
    chance.shuffle(services)
    chance.shuffle(slices)
    shuffled = Cluster(services=tuple(services), slices=tuple(slices))
    for family in scenario.families:
        rules = compile_rules(plan(scenario.cluster, scenario.node, scenario.config, family))
        again = compile_rules(plan(shuffled, scenario.node, scenario.config, family))
        assert all(form.write(again) == form.write(rules) for form in BACKEND.forms)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(SCENARIOS), st.data())
def test_the_part_of_a_service_does_not_depend_on_other_services(
    scenario: Scenario, data: st.DataObject
) -> None:
    if not scenario.cluster.services:
        return
    family = data.draw(st.sampled_from(scenario.families))
    whole = compile_rules(plan(scenario.cluster, scenario.node, scenario.config, family))
    one = data.draw(st.sampled_from(scenario.cluster.services))
    alone = Cluster(services=(one,), slices=scenario.cluster.slices)
    rules = compile_rules(plan(alone, scenario.node, scenario.config, family))
    assert rules.fragments.items() <= whole.fragments.items()


def test_the_dummy_device_and_its_set_hold_the_same_addresses() -> None:
    for scenario in SCENARIOS:
        for family in scenario.families:
            rules = compile_rules(plan(scenario.cluster, scenario.node, scenario.config, family))
            assert rules.sets()[IPVS_IPS] == rules.addresses()
            assert rules.filled() == {name for name, entries in rules.sets().items() if entries}


@pytest.mark.parametrize("scheduler", ["rr\n-C", "rr; reboot", "RR", "a" * 16, "$(reboot)"])
def test_what_is_no_name_of_a_scheduler_is_refused(scheduler: str) -> None:
    with pytest.raises(ValueError, match=r"ipvs\.scheduler"):
        compiled(node_port(), ipvs_scheduler=scheduler)


def test_plain_data_holds_everything_that_is_programmed() -> None:
    rules = compiled(
        node_port(affinity=60),
        ipvs_strict_arp=True,
        ipvs_tcp_timeout=900.0,
        ipvs_exclude_cidrs=("203.0.113.0/24", "2001:db8::/32"),
    )
    data = json.loads(json.dumps(BACKEND.data(rules)))
    assert data["virtualServers"][0] == {
        "protocol": "TCP",
        "address": "10.96.0.10:80",
        "use": "cluster IP",
        "flags": 1,
        "persistentTimeoutSeconds": 60,
        "realServers": [{"address": "10.10.1.1:8080", "weight": 1}],
    }
    assert len(data["ipsets"]) == 17
    assert data["device"] == {"name": "kube-ipvs0", "type": "dummy", "addresses": ["10.96.0.10"]}
    assert data["timeoutSeconds"] == {"tcp": 900, "tcpFin": 0, "udp": 0}
    assert data["excludeCIDRs"] == ["203.0.113.0/24"]
    assert data["sysctls"][1] == {
        "path": "net/ipv4/vs/conn_reuse_mode",
        "value": 0,
        "since": "4.1",
        "before": "5.9",
    }
    assert {"path": "net/ipv4/conf/all/arp_ignore", "value": 1} in data["sysctls"]
    assert data["nodePortAddresses"] == ["192.168.10.1"]
