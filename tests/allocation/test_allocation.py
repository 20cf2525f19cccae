"""Services fresh from an editor get addresses and ports, the same ones every time."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rulegen.allocation import (
    Ranges,
    State,
    allocate,
    ranges,
    read_state,
    service_cidrs,
    write_state,
)
from rulegen.load import load
from rulegen.load.api import Server, admit
from rulegen.model import Cluster, Service
from tests.cli.running import FIXTURES, Rulegen

DUAL = ranges("10.96.0.0/16,fd00:10:96::/112")


def service(name: str, **spec: Any) -> dict[str, Any]:
    spec.setdefault("ports", [{"port": 80}])
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": {"app": name}, **spec},
    }


def cluster(*services: dict[str, Any]) -> Cluster:
    return load(list(services)).cluster


def by_name(objects: Cluster) -> dict[str, Service]:
    return {item.metadata.name: item for item in objects.services}


def test_a_service_gets_an_address_above_the_static_band_and_keeps_it() -> None:
    first = allocate(cluster(service("web")), ranges("10.96.0.0/16")).cluster.services[0].spec
    again = allocate(cluster(service("web")), ranges("10.96.0.0/16")).cluster.services[0].spec
    assert first.cluster_ip == again.cluster_ip and first.cluster_ips == [first.cluster_ip]
    assert int(ip_address(first.cluster_ip)) >= int(ip_address("10.96.1.1"))
    assert (first.ip_families, first.ip_family_policy) == (["IPv4"], "SingleStack")


def test_given_values_are_never_touched_and_never_given_again() -> None:
    taken = service("taken", type="NodePort", clusterIP="10.96.0.7", ports=[{"port": 80, "nodePort": 30123}])
    objects = cluster(taken, *[service(f"s{i}", type="NodePort") for i in range(5)])
    made = by_name(allocate(objects, ranges("10.96.0.0/28", "30120-30126")).cluster)
    assert made["taken"].spec == by_name(objects)["taken"].spec
    ips = [item.spec.cluster_ip for item in made.values()]
    ports = [port.node_port for item in made.values() for port in item.spec.ports or ()]
    assert len(set(ips)) == 6 and len(set(ports)) == 6
    assert "10.96.0.1" not in ips, "the API server's own Service has the first address"


def test_both_families_where_the_service_wants_them() -> None:
    made = by_name(
        allocate(
            cluster(
                service("both", ipFamilyPolicy="PreferDualStack"),
                service("six", ipFamilies=["IPv6"]),
                service("six-first", ipFamilies=["IPv6", "IPv4"], ipFamilyPolicy="RequireDualStack"),
            ),
            DUAL,
        ).cluster
    )
    assert made["both"].spec.ip_families == ["IPv4", "IPv6"]
    assert ":" in made["six"].spec.cluster_ip
    assert [":" in ip for ip in made["six-first"].spec.cluster_ips or ()] == [True, False]


def test_load_balancers_get_node_ports_and_a_health_check_port_where_they_need_them() -> None:
    made = by_name(
        allocate(
            cluster(
                service("local", type="LoadBalancer", externalTrafficPolicy="Local"),
                service("without", type="LoadBalancer", allocateLoadBalancerNodePorts=False),
            ),
            ranges(),
        ).cluster
    )
    local = made["local"].spec
    assert local.health_check_node_port and (local.ports or [])[0].node_port
    assert (made["without"].spec.ports or [])[0].node_port == 0


def test_one_port_number_under_two_protocols_gets_one_node_port() -> None:
    ports = [{"name": "tcp", "port": 53}, {"name": "udp", "port": 53, "protocol": "UDP"}]
    made = allocate(cluster(service("dns", type="NodePort", ports=ports)), ranges()).cluster.services[0]
    assert len({port.node_port for port in made.spec.ports or ()}) == 1


def test_headless_and_external_name_services_get_nothing() -> None:
    objects = cluster(
        service("headless", clusterIP="None"), service("name", type="ExternalName", externalName="a.example")
    )
    assert allocate(objects, ranges()).cluster == objects


def test_a_full_range_is_told_in_the_api_servers_words() -> None:
    objects = cluster(*[service(f"s{i}") for i in range(6)])
    with pytest.raises(ValueError, match="failed to allocate a serviceIP: range is full"):
        allocate(objects, ranges("10.96.0.0/29"))
    nodes = cluster(*[service(f"s{i}", type="NodePort") for i in range(3)])
    with pytest.raises(ValueError, match="failed to allocate a nodePort: range is full"):
        allocate(nodes, ranges(node_ports="30000-30001"))


@pytest.mark.parametrize(
    ("cidrs", "ports"),
    [
        ("10.96.0.0", "30000-32767"),
        ("10.0.0.0/8,11.0.0.0/8", "30000-32767"),
        ("10.0.0.0/8", "3-1"),
        ("10.0.0.0/8", "x"),
    ],
)
def test_ranges_that_make_no_sense_are_refused(cidrs: str, ports: str) -> None:
    with pytest.raises(ValueError, match="--service-"):
        ranges(cidrs, ports)


KINDS = st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer"])


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.sampled_from([f"s{i}" for i in range(40)]), KINDS, min_size=1), st.data())
def test_nothing_collides_and_with_a_state_nothing_ever_moves(
    kinds: dict[str, str], data: st.DataObject
) -> None:
    narrow: Ranges = ranges("10.96.0.0/26,fd00:10:96::/112", "30000-30099")
    names = sorted(kinds)
    first = data.draw(st.lists(st.sampled_from(names), unique=True))
    some = (
        cluster(*[service(n, type=kinds[n], ipFamilyPolicy="PreferDualStack") for n in first])
        if first
        else Cluster()
    )
    before = allocate(some, narrow, State())
    objects = cluster(*[service(n, type=kinds[n], ipFamilyPolicy="PreferDualStack") for n in names])
    after = allocate(objects, narrow, before.state)
    made = by_name(after.cluster)
    for name, item in by_name(before.cluster).items():
        assert made[name] == item, "what was allocated once stays"
    ips = [ip for item in made.values() for ip in item.spec.cluster_ips or ()]
    ports = [port.node_port for item in made.values() for port in item.spec.ports or () if port.node_port]
    assert len(ips) == len(set(ips)) and len(ports) == len(set(ports))
    for ip in ips:
        assert any(ip_address(ip) in ip_network(str(net)) for nets in narrow.cidrs.values() for net in nets)


def test_the_api_server_takes_what_was_allocated() -> None:
    server = Server(service_cidrs=("10.96.0.0/12",))
    made = allocate(cluster(service("web", type="NodePort")), ranges()).cluster.services[0]
    port = (made.spec.ports or [])[0]
    data = service(
        "web",
        type="NodePort",
        clusterIP=made.spec.cluster_ip,
        ports=[{"port": 80, "nodePort": port.node_port}],
    )
    assert not admit(data, server=server).errors


def test_a_state_file_survives_and_a_broken_one_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "state.json")
    assert read_state(path) == State()
    state = allocate(cluster(service("web", type="NodePort")), ranges()).state
    write_state(path, state)
    assert read_state(path) == state
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(ValueError, match=r"--state .*state.json: not a state of rulegen"):
        read_state(path)


def test_on_the_command_line_the_rules_are_there_at_once(rulegen: Rulegen, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n"
        "spec:\n  type: NodePort\n  ports:\n    - port: 80\n"
    )
    done = rulegen("render", "-f", "web.yaml", "--state", "state.json")
    assert done.code == 0 and "default/web has no endpoints" in done.out
    assert "default/web: clusterIP 10." in done.err and "nodePort 3" in done.err
    ip = next(iter(read_state(str(tmp_path / "state.json")).services.values())).cluster_ips[0]
    assert ip in done.out
    again = rulegen("render", "-f", "web.yaml", "--service-cidr", "10.200.0.0/16")
    assert "10.200." in again.out


def test_values_out_of_the_given_ranges_are_errors(rulegen: Rulegen, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  type: NodePort\n"
        "  clusterIP: 10.96.0.9\n"
        "  ports:\n    - port: 80\n      nodePort: 30080\n"
    )
    done = rulegen("render", "-f", "web.yaml", "--service-node-port-range", "31000-31999")
    assert done.code == 2
    assert "provided port is not in the valid range. The range of valid ports is 31000-31999" in done.err
    other = rulegen("render", "-f", "web.yaml", "--service-cidr", "10.200.0.0/16")
    assert other.code == 2 and "the provided network does not match the current range" in other.err


def test_allocated_services_are_plain_objects_that_pipe_on(rulegen: Rulegen, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n"
        "spec:\n  type: NodePort\n  ports:\n  - port: 80\n"
    )
    made = rulegen("allocate", "-f", "web.yaml").out
    assert "clusterIP: 10." in made and "nodePort: 3" in made
    piped = rulegen("render", "-f", "-", stdin=made)
    assert piped.out == rulegen("render", "-f", "web.yaml").out
    assert rulegen("allocate", "-f", "-", stdin=made).out == made


def test_what_the_state_keeps_is_nobody_elses(rulegen: Rulegen, tmp_path: Path) -> None:
    """A new Service that asks for it gets the API server's answer; nothing moves."""
    (tmp_path / "web.yaml").write_text(yaml.safe_dump(service("web", type="NodePort")))
    first = next(yaml.safe_load_all(rulegen("allocate", "-f", "web.yaml", "--state", "kept.json").out))[
        "spec"
    ]
    before = (tmp_path / "kept.json").read_text()
    ip, port = first["clusterIP"], first["ports"][0]["nodePort"]
    thief = service("thief", type="NodePort", clusterIP=ip, ports=[{"port": 80, "nodePort": port}])
    (tmp_path / "thief.yaml").write_text(yaml.safe_dump(thief))
    done = rulegen("allocate", "-f", "web.yaml", "-f", "thief.yaml", "--state", "kept.json")
    assert (done.code, done.out) == (2, "")
    keeps = "(the state keeps it for Service default/web)"
    assert done.err.splitlines() == [
        f"thief.yaml:1: Service default/thief: spec.clusterIPs: failed to allocate IP {ip}: provided IP is"
        f" already allocated {keeps}",
        f"thief.yaml:1: Service default/thief: spec.ports[0].nodePort: Invalid value: {port}: provided port"
        f" is already allocated {keeps}",
        "2 errors; nothing was printed.",
    ]
    assert (tmp_path / "kept.json").read_text() == before
    alone = rulegen("allocate", "-f", "thief.yaml", "--state", "kept.json")
    assert alone.code == 0, "what a Service had that is gone may be asked for"


def test_a_state_for_other_ranges_is_refused(rulegen: Rulegen, tmp_path: Path) -> None:
    """A state is read by programs only, but nobody can write rules into it either."""
    (tmp_path / "web.yaml").write_text(yaml.safe_dump(service("web", type="NodePort")))
    rulegen("allocate", "-f", "web.yaml", "--state", "kept.json")
    ranged = ("--service-cidr", "10.200.0.0/16", "--service-node-port-range", "40000-40100")
    done = rulegen("render", "-f", "web.yaml", "--state", "kept.json", *ranged)
    assert (done.code, done.out) == (2, "")
    assert "the provided network does not match the current range (the state keeps it)" in done.err
    assert "The range of valid ports is 40000-40100 (the state keeps it)" in done.err
    (tmp_path / "kept.json").write_text(
        '{"services": {"default/web": {"clusterIps": ["10.96.0.9 -j ACCEPT\\n-A INPUT"]}}}'
    )
    assert rulegen("render", "-f", "web.yaml", "--state", "kept.json").code == 2
    assert (
        "--state no/such/file: cannot be written"
        in rulegen("allocate", "-f", "web.yaml", "--state", "no/such/file").err
    )


def test_every_service_cidr_of_the_cluster_is_used_the_first_one_first() -> None:
    """KEP-1880: more CIDRs can be added to a cluster; one that is being deleted gives nothing any more."""

    def cidr(name: str, *cidrs: str, **metadata: str) -> dict[str, Any]:
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "ServiceCIDR",
            "metadata": {"name": name, **metadata},
            "spec": {"cidrs": list(cidrs)},
        }

    leaving = cidr("aaa", "10.90.0.0/24", deletionTimestamp="2026-01-01T00:00:00Z", uid="u")
    objects = cluster(
        leaving,
        cidr("more", "10.97.0.0/28"),
        cidr("kubernetes", "10.96.0.0/29"),
        *[service(f"s{i}") for i in range(12)],
        service("given", clusterIP="10.97.0.3"),
    )
    known = ranges(service_cidrs(objects.service_cidrs))
    ips = [item.spec.cluster_ip for item in allocate(objects, known).cluster.services]
    assert len({ip for ip in ips if ip in map(str, ip_network("10.96.0.0/29").hosts())}) == 5
    assert all(ip_address(ip) in ip_network("10.97.0.0/28") for ip in ips if not ip.startswith("10.96."))
    assert len(set(ips)) == 13 and ips[-1] == "10.97.0.3"


def test_all_objects_completed_pipe_into_the_next_command(rulegen: Rulegen, tmp_path: Path) -> None:
    folder = str(FIXTURES / "ngx")
    whole = rulegen("allocate", "--all", "-f", folder).out
    kinds = [item["kind"] for item in yaml.safe_load_all(whole)]
    assert kinds == ["Deployment", "Service", "Node", "Pod", "Pod", "KubeProxyConfiguration"]
    assert rulegen("render", "-f", "-", stdin=whole).out == rulegen("render", "-f", folder).out


def test_a_family_that_the_cluster_lacks_is_left_out_or_missed() -> None:
    dual = {"ipFamilies": ["IPv4", "IPv6"]}
    wish = allocate(cluster(service("web", ipFamilyPolicy="PreferDualStack", **dual)), ranges())
    assert wish.cluster.services[0].spec.ip_families == ["IPv4"]
    assert wish.notes[1] == "default/web: no IPv6 address, as no Service CIDR is of IPv6"
    with pytest.raises(
        ValueError, match=r'"RequireDualStack": this cluster is not configured for dual-stack'
    ):
        allocate(cluster(service("web", ipFamilyPolicy="RequireDualStack", **dual)), ranges())
    with pytest.raises(ValueError, match=r"spec.ipFamilies\[0\]: Invalid value: IPv6: not configured"):
        allocate(cluster(service("web", ipFamilies=["IPv6"])), ranges())


def test_of_many_services_the_first_few_are_told(rulegen: Rulegen, tmp_path: Path) -> None:
    (tmp_path / "many.yaml").write_text(yaml.safe_dump_all([service(f"s{i}") for i in range(40)]))
    assert rulegen("render", "-f", "many.yaml").err.splitlines()[0] == (
        "default/s0, default/s1, default/s10 and 37 more: cluster IPs and node ports allocated here; a"
        " cluster may choose others (`rulegen allocate` prints them)"
    )
