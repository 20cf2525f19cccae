"""Applying a cluster to a namespace: from nothing, a change, and the same once more."""

from __future__ import annotations

import pytest

from rulegen.iptables.dump import Variant
from rulegen.netns.programs import apply
from tests.netns.lab import WAYS, Lab, first, plans, second

pytestmark = pytest.mark.kernel


@pytest.fixture(params=WAYS, ids=" ".join)
def way(request: pytest.FixtureRequest) -> tuple[str, Variant]:
    """A mode and a variant of iptables."""
    found: tuple[str, Variant] = request.param
    return found


def test_an_empty_namespace_is_programmed_and_the_second_time_nothing_is_written(
    lab: Lab, way: tuple[str, Variant]
) -> None:
    report = lab.apply(first(), *way)
    assert report.changed == ["default/empty", "default/gone", "default/six", "default/web"]
    after = lab.dumps()
    space = lab.noting()
    again = lab.apply(first(), *way, space)
    assert (again.steps, again.services, space.written) == ((), (), [])
    assert lab.dumps() == after
    assert not list(lab.folder.glob("*.journal"))


def test_a_change_costs_no_more_than_it_is(lab: Lab, way: tuple[str, Variant]) -> None:
    whole = lab.apply(first(), *way)
    report = lab.apply(second(), *way)
    assert 0 < report.bytes < whole.bytes
    assert lab.apply(second(), *way).steps == ()
    # There and back again is where it began.
    lab.apply(first(), *way)
    assert lab.apply(first(), *way).steps == ()


def test_what_the_rules_need_of_the_node_is_there(lab: Lab) -> None:
    lab.apply(first(), "iptables", "nft")
    dumps = lab.dumps()
    assert dumps["cat /proc/sys/net/ipv4/conf/all/route_localnet"] == "1\n"
    assert dumps["nfacct"] == "ct_state_invalid_dropped_pkts;\nlocalhost_nps_accepted_pkts;\n"


def test_a_dry_run_tells_all_and_does_nothing(lab: Lab, way: tuple[str, Variant]) -> None:
    before = lab.dumps()
    mode, variant = way
    space = lab.noting()
    dry = apply(lab.target, mode, plans(first(), mode), variant=variant, dry_run=True, space=space)
    assert space.written == []
    assert lab.dumps() == before
    assert not lab.folder.exists()
    assert dry.steps == lab.apply(first(), *way).steps


def test_the_variant_that_is_in_use_is_found_out(lab: Lab) -> None:
    for tool, variant in (("iptables-legacy", "legacy"), ("ip6tables-nft", "nft")):
        lab.namespace.run(tool, "-t", "mangle", "-N", "KUBE-KUBELET-CANARY")
        report = apply(lab.target, "iptables", plans(first(), "iptables"), dry_run=True)
        assert report.program == f"iptables-{variant}"


def test_where_kubelet_is_unknown_whoever_has_more_rules_is_right(lab: Lab) -> None:
    lab.apply(first(), "iptables", "legacy")
    assert apply(lab.target, "iptables", plans(first(), "iptables")).steps == ()


def test_ipv6_that_is_off_gets_no_rules(lab: Lab) -> None:
    lab.namespace.run("tee", "/proc/sys/net/ipv6/conf/all/disable_ipv6", stdin="1")
    report = lab.apply(first(), "iptables", "nft")
    assert report.notes == ("IPv6 is off there: no IPv6 rules, as kube-proxy does",)
    assert lab.dumps()["ip6tables-nft-save"] == ""
