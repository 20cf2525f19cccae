"""A cluster that changes: the compiler follows with the smallest transaction, and never loses its way."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rulegen
from bench import clusters
from rulegen import ipvs, nftables
from rulegen.backend import Transaction
from rulegen.compiler import Compiler
from rulegen.fake import Iptables, Nftables
from rulegen.iptables import compile_rules, restore
from rulegen.iptables.dump import Transaction as IptablesTransaction
from rulegen.iptables.text import restore_with_jumps
from rulegen.ipvs import diff as ipvs_diff
from rulegen.ipvs import state as ipvs_state
from rulegen.ipvs.transaction import Transaction as IpvsTransaction
from rulegen.load.scenario import from_scenario
from rulegen.model import Cluster, EndpointSlice, Family, ProxyConfig, Service, ServicePort
from rulegen.nftables.table import equal, table
from rulegen.plan import Plan, plan
from tests.cli.running import FIXTURES
from tests.objects import CONFIG, NODE, cluster, endpoint, service, slice_of
from tests.recorded import cases

SCENARIOS = [from_scenario(case["scenario"]) for case in cases("1.37-iptables")]
INDEXES = st.integers(0, len(SCENARIOS) - 1)


def _objects(of: Cluster) -> list[Service | EndpointSlice]:
    return [*of.services, *of.slices]


def histories(
    first: int, second: int, chance: random.Random, mode: str
) -> Iterator[tuple[Compiler, Transaction, Plan, Plan]]:
    """Services and slices of two recorded clusters come and go: each change, with the plans around it."""
    start, other = SCENARIOS[first], SCENARIOS[second]
    config = msgspec.structs.replace(start.config, mode=mode)
    family = start.families[0]

    def planned() -> Plan:
        now = Cluster(
            services=tuple(o for o in objects.values() if isinstance(o, Service)),
            slices=tuple(o for o in objects.values() if isinstance(o, EndpointSlice)),
        )
        return plan(now, start.node, config, family)

    objects: dict[tuple[str, str, str], Service | EndpointSlice] = {
        (o.kind, o.metadata.namespace, o.metadata.name): o for o in _objects(start.cluster)
    }
    compiler = Compiler(start.cluster, start.node, config, family=family)
    pool = _objects(other.cluster)
    before = planned()
    for _ in range(6):
        changed = chance.sample(pool, min(len(pool), chance.randint(0, 4)))
        removed = chance.sample(sorted(objects), min(len(objects), chance.randint(0, 2)))
        for item in changed:
            objects[item.kind, item.metadata.namespace, item.metadata.name] = item
        for key in removed:
            objects.pop(key, None)
        change = compiler.update(changed, removed)
        after = planned()
        yield compiler, change, before, after
        before = after


@settings(deadline=None, max_examples=40)
@given(INDEXES, INDEXES, st.randoms(use_true_random=False))
def test_after_any_changes_the_state_is_what_a_fresh_compile_makes(
    first: int, second: int, chance: random.Random
) -> None:
    kernel: Iptables | None = None
    for compiler, change, before, after in histories(first, second, chance, "iptables"):
        family = compiler.family
        if kernel is None:
            kernel = Iptables()
            kernel.restore(restore(compile_rules(before)), family)
        if change:
            kernel.restore(change.text, family, noflush=True)
        expected = restore(compile_rules(after))
        assert restore(compiler.ruleset) == expected
        wanted = Iptables()
        wanted.restore(expected, family)
        assert state(kernel, family) == state(wanted, family)


@settings(deadline=None, max_examples=40)
@given(INDEXES, INDEXES, st.randoms(use_true_random=False))
def test_the_table_of_nftables_follows_as_well(first: int, second: int, chance: random.Random) -> None:
    kernel: Nftables | None = None
    for compiler, change, before, after in histories(first, second, chance, "nftables"):
        if kernel is None:
            kernel = Nftables()
            kernel.run(nftables.script(nftables.compile_rules(before)))
        kernel.run(change.text)
        wanted = nftables.compile_rules(after)
        assert compiler.ruleset == wanted
        assert equal(kernel.table(compiler.family), table(wanted))


@settings(deadline=None, max_examples=40)
@given(INDEXES, INDEXES, st.randoms(use_true_random=False))
def test_in_ipvs_mode_a_change_is_what_a_diff_of_all_finds(
    first: int, second: int, chance: random.Random
) -> None:
    for compiler, change, before, after in histories(first, second, chance, "ipvs"):
        old, new = (ipvs.compile_rules(each) for each in (before, after))
        assert compiler.ruleset == new
        whole = ipvs_diff.diff(ipvs_state.state(old), ipvs_state.state(new))
        assert isinstance(change, IpvsTransaction)
        for part in ("sets", "servers", "bound", "unbound"):
            assert sorted(getattr(change, part)) == sorted(getattr(whole, part)), part
        rules = []
        for transaction in (change.rules, whole.rules):
            kernel = Iptables()
            kernel.restore(restore_with_jumps(old), compiler.family)
            kernel.restore(transaction.text, compiler.family, noflush=True)
            rules.append(state(kernel, compiler.family))
        assert rules[0] == rules[1]


def state(kernel: Iptables, family: Family) -> dict[str, dict[str, list[str]]]:
    """Chains with their rules; those that Services share in any order, the node port jump last."""
    shared = {
        "KUBE-SERVICES",
        "KUBE-NODEPORTS",
        "KUBE-EXTERNAL-SERVICES",
        "KUBE-PROXY-FIREWALL",
        "KUBE-IPVS-OUT-FILTER",
    }
    found: dict[str, dict[str, list[str]]] = {}
    for name_of_table, chains in kernel.dump(family).tables.items():
        found[name_of_table] = {}
        for name, chain in chains.items():
            rules = chain.rules
            if name in shared:
                last = [rule for rule in rules if "this must be the last rule" in rule]
                assert rules[len(rules) - len(last) :] == last
                rules = sorted(rules)
            found[name_of_table][name] = list(rules)
    return found


def test_a_pod_that_is_replaced_changes_its_own_service_only() -> None:
    web, db = service("web"), service("db", ip="10.96.0.11")
    compiler = Compiler(
        cluster(web, db, slice_of(web, ["10.10.0.1", "10.10.0.2"]), slice_of(db, ["10.10.0.9"])), NODE, CONFIG
    )
    transaction = compiler.update([slice_of(web, ["10.10.0.1", "10.10.0.3"])])
    assert "default/db" not in transaction.text
    assert isinstance(transaction, IptablesTransaction)
    assert [section.table for section in transaction.sections] == ["nat"]
    assert transaction.text.count("\n") == 8


def test_a_change_that_no_rule_shows_gives_an_empty_transaction() -> None:
    web = service()
    piece = slice_of(web, ["10.10.0.1"])
    compiler = Compiler(cluster(web, piece), NODE, CONFIG)
    labelled = msgspec.structs.replace(
        web, metadata=msgspec.structs.replace(web.metadata, annotations={"a": "b"})
    )
    assert not compiler.update([labelled, piece])
    assert not compiler.update()


def test_a_service_that_loses_its_last_endpoint_refuses_and_then_serves_again() -> None:
    web = service()
    compiler = Compiler(cluster(web, slice_of(web, ["10.10.0.1"])), NODE, CONFIG)
    gone = compiler.update([slice_of(web, [endpoint("10.10.0.1", ready=False)])])
    assert "-I KUBE-SERVICES" in gone.text and "-j REJECT" in gone.text and "-X KUBE-SVC-" in gone.text
    back = compiler.update([slice_of(web, ["10.10.0.1"])])
    assert "-D KUBE-SERVICES" in back.text and "-X" not in back.text


def test_crossing_a_thousand_endpoints_rewrites_comments_and_nothing_else_does() -> None:
    web, db = service("web"), service("db", ip="10.96.0.11")
    many = [f"10.10.{i // 250}.{i % 250}" for i in range(1000)]
    compiler = Compiler(cluster(web, db, slice_of(web, many), slice_of(db, [])), NODE, CONFIG)
    crossing = compiler.update([slice_of(db, ["10.11.0.1"])])
    assert compiler.ruleset.large and len(crossing.text) > 100_000
    small = compiler.update([slice_of(db, ["10.11.0.2"])])
    assert len(small.text) < 2000


def test_one_changed_endpoint_in_a_large_cluster_takes_less_than_two_kilobytes() -> None:
    compiler = Compiler(clusters.cluster(300, 10), clusters.NODE, clusters.CONFIG)
    transaction = compiler.update([clusters.endpoint_slice(7, 10, shift=1)])
    assert 0 < len(transaction.text) < 2048


def test_a_bad_object_is_refused_and_changes_nothing() -> None:
    web = service()
    compiler = Compiler(cluster(web, slice_of(web, ["10.10.0.1"])), NODE, CONFIG)
    before = restore(compiler.ruleset)
    with pytest.raises(ValueError, match="no IP address"):
        compiler.update([service("other", ip="10.96.0.9"), slice_of(web, ["10.0.0.1\nCOMMIT"])])
    with pytest.raises(ValueError, match="no rule is made from this kind"):
        compiler.update([service("other", ip="10.96.0.9")], [("Pod", "default", "web")])
    assert restore(compiler.ruleset) == before


@pytest.mark.parametrize("wrong", ["default/web", None, {"kind": "Service"}, NODE])
def test_what_is_no_service_or_slice_is_refused_before_anything_is_taken_in(wrong: Any) -> None:
    web = service()
    compiler = Compiler(cluster(web, slice_of(web, ["10.10.0.1"])), NODE, CONFIG)
    before = restore(compiler.ruleset)
    with pytest.raises(ValueError, match="is no Service or EndpointSlice: "):
        compiler.update([service("other", ip="10.96.0.9"), wrong])
    with pytest.raises(ValueError, match="named by kind, namespace and name"):
        compiler.update([service("other", ip="10.96.0.9")], [wrong])
    assert restore(compiler.ruleset) == before


@pytest.mark.parametrize("mode", [None, "iptables", "ipvs", "nftables"])
@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_it_begins_with_what_compile_makes_of_the_same_arguments(mode: str | None, family: Family) -> None:
    # The configuration among these objects has a cluster CIDR, which rules show.
    objects = rulegen.load(str(FIXTURES / "ngx"))
    assert objects.proxy_configuration
    node = {"name": "n1", "ips": ["192.168.10.1", "fd00::1"]}
    for config in (None, {"clusterCIDR": "10.99.0.0/16,fd99::/64"}, ProxyConfig(cluster_cidrs=())):
        compiler = rulegen.Compiler(objects, node, config, mode, family=family)
        rules = rulegen.compile(objects, node, config, mode, families=[family])[family]
        assert rulegen.text(compiler.ruleset, mode=mode or "iptables") == rulegen.text(
            rules, mode=mode or "iptables"
        )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"port": 70000}, "Service default/web: port 70000: must be between 1 and 65535"),
        ({"port": -1}, "port -1"),
        ({"node_port": 65536}, "port 65536: must be"),
        ({"name": None}, "expected string or bytes-like object"),
        ({"protocol": "ICMP"}, "protocol 'ICMP'"),
    ],
)
def test_a_service_that_no_server_would_have_is_refused_and_can_be_removed(
    changes: dict[str, Any], message: str
) -> None:
    web = service("web")
    compiler = Compiler(cluster(web, slice_of(web, ["10.10.0.1"])), NODE, CONFIG)
    before = restore(compiler.ruleset)
    ports = [msgspec.structs.replace(ServicePort(port=80), **changes), ServicePort(name="b", port=81)]
    with pytest.raises(ValueError, match=message):
        compiler.update([service("web", ports=ports)])
    piece = slice_of(web, ["10.10.0.1"])
    assert piece.ports
    wrong = msgspec.structs.replace(piece, ports=[msgspec.structs.replace(piece.ports[0], port=70000)])
    with pytest.raises(ValueError, match="port 70000"):
        compiler.update([wrong])
    with pytest.raises(ValueError, match="has no attribute"):
        compiler.update([msgspec.structs.replace(web, spec=None)])
    with pytest.raises(ValueError, match=r"^Service: "):
        compiler.update([msgspec.structs.replace(web, metadata=None)])
    assert restore(compiler.ruleset) == before
    assert "-X KUBE-SVC-" in compiler.update(removed=[("Service", "default", "web")]).text


def test_what_changed_between_two_loads_is_what_a_compiler_takes(tmp_path: Path) -> None:
    before = rulegen.load(str(FIXTURES / "ngx"))
    compiler = rulegen.Compiler(before, {"name": "n1", "ips": ["192.168.10.1"]})
    for file in (FIXTURES / "ngx").glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text().replace("10.10.1.86", "10.10.1.90"))
    after = rulegen.load(str(tmp_path))
    found = rulegen.changes(before, after)
    assert "10.10.1.90" in compiler.update(found.changed, found.removed).text
    assert compiler.ruleset == rulegen.compile(after, {"name": "n1", "ips": ["192.168.10.1"]})["IPv4"]
    assert not rulegen.changes(after, after)


def test_what_is_no_cluster_is_refused() -> None:
    path: Any = "manifests/"
    for call in (rulegen.Compiler, rulegen.compile):
        with pytest.raises(ValueError, match="str is no Cluster: "):
            call(path)


def test_unknown_families_and_unknown_keys_are_refused() -> None:
    wrong: Any = "IPv5"
    with pytest.raises(ValueError, match="unknown family 'IPv5'; known: IPv4, IPv6"):
        Compiler(cluster(service()), family=wrong)
    with pytest.raises(ValueError, match="unknown family 'IPv5'; known: IPv4, IPv6"):
        rulegen.compile(cluster(service()), families=[wrong])
    with pytest.raises(rulegen.LoadError, match='unknown field "nam"'):
        Compiler(cluster(service()), {"nam": "n1"})


def test_it_is_part_of_the_python_api() -> None:
    assert rulegen.Compiler is Compiler and rulegen.Transaction is Transaction
