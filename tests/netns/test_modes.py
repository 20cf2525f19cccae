"""From one mode to another, and what the one before leaves behind."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from rulegen.iptables.dump import Variant
from rulegen.netns.apply import ApplyError, Report
from rulegen.netns.programs import apply, cleanup
from tests.netns.lab import SAVES, WAYS, Lab, first, plans, second
from tests.netns.others import neighbours

pytestmark = pytest.mark.kernel


def switch(lab: Lab, way: tuple[str, Variant], *, prune: bool = True) -> Report:
    mode, variant = way
    return apply(lab.target, mode, plans(first(), mode), variant=variant, prune=prune)


def programmed(lab: Lab) -> set[str]:
    """Where there is anything of kube-proxy's."""
    dumps = lab.dumps()
    found = {command.removesuffix("-save") for command in SAVES if ":KUBE-SERVICES " in dumps[command]}
    return found | set(re.findall(r"table (ip6? kube-proxy)", dumps["nft list ruleset"]))


PLACES = (
    {"iptables-legacy", "ip6tables-legacy"},
    {"iptables-nft", "ip6tables-nft"},
    {"ip kube-proxy", "ip6 kube-proxy"},
)


def test_pruning_leaves_nothing_of_the_mode_before(lab: Lab) -> None:
    for before in range(3):
        for after in range(3):
            switch(lab, WAYS[before])
            assert programmed(lab) == PLACES[before]
            report = switch(lab, WAYS[after])
            assert programmed(lab) == PLACES[after]
            assert report.notes == ()
            assert bool(report.steps) is (before != after)


def test_without_pruning_what_is_left_is_named(lab: Lab) -> None:
    switch(lab, WAYS[1])
    report = switch(lab, WAYS[2], prune=False)
    assert report.notes == (
        "kube-proxy has also left something in iptables-nft, ip6tables-nft, nfacct; --prune removes it",
    )
    assert programmed(lab) == PLACES[1] | PLACES[2]


def test_cleanup_takes_every_mode_at_once_and_nothing_else(fresh: Callable[[], Lab]) -> None:
    lab = fresh()
    untouched = lab.dumps()
    for way in WAYS:
        switch(lab, way, prune=False)
    assert programmed(lab) == PLACES[0] | PLACES[1] | PLACES[2]
    cleanup(lab.target)
    assert programmed(lab) == set()
    dumps = lab.dumps()
    assert not any("KUBE-" in text or "kube-proxy" in text for text in dumps.values())
    assert dumps["nfacct"] == untouched["nfacct"]
    space = lab.noting()
    assert cleanup(lab.target, space=space).steps == ()
    assert space.written == []


def test_kubelet_keeps_its_chain_where_there_is_one(lab: Lab) -> None:
    neighbours(lab.namespace)
    switch(lab, WAYS[1])
    cleanup(lab.target)
    save = lab.dumps()["iptables-nft-save"]
    assert ":KUBE-FIREWALL - [0:0]\n" in save and "-A INPUT -j KUBE-FIREWALL\n" in save
    assert ":KUBE-KUBELET-CANARY - [0:0]\n" in save
    assert "KUBE-SERVICES" not in save


def test_clients_that_a_service_remembers_are_remembered_after_a_failure(lab: Lab) -> None:
    way: tuple[str, Variant] = ("nftables", "nft")
    lab.apply(first(), *way)
    table = lab.namespace.run("nft", "list", "table", "ip", "kube-proxy")
    found = re.search(r"set (affinity-\S+)", table)
    assert found is not None
    name = found[1]
    client = "{ 10.9.9.9 expires 7m }"
    lab.namespace.run("nft", "-f", "-", stdin=f"add element ip kube-proxy {name} {client}\n")
    with pytest.raises(ApplyError):
        # By now the Service has no affinity, and the set is gone; only reading back does not work.
        lab.apply(second(), *way, lab.noting(fails=_last(lab, way)))
    listed = lab.namespace.run("nft", "list", "set", "ip", "kube-proxy", name)
    assert re.search(r"10\.9\.9\.9 expires 6m5\d", listed)


def _last(lab: Lab, way: tuple[str, Variant]) -> int:
    """The number of the last command of such an apply."""
    other = lab.noting()
    mode, variant = way
    apply(lab.target, mode, plans(second(), mode), variant=variant, dry_run=True, space=other)
    # The steps of both families follow, then they are read back.
    return len(other.commands) + 3
