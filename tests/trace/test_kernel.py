"""Real connections in namespaces of the tests' own meet what is traced, and count at the path's rules."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeAlias

import pytest

from tests.kernel.netns import need
from tests.trace import kernel
from tests.trace.session import CONNECTIONS, COUNTERS
from tests.uml.harness import Machine

THOROUGH = bool(os.environ.get("RULEGEN_THOROUGH"))
"""Hundreds of connections a mode; without it, a sample."""

Recorder: TypeAlias = Callable[[str, object], None]

HERE = [("iptables", "legacy"), ("iptables", "nft"), ("nftables", "")]


@pytest.mark.kernel
@pytest.mark.parametrize(("mode", "variant"), HERE)
def test_real_connections_meet_what_was_traced(mode: str, variant: str, record_property: Recorder) -> None:
    need("nft", "iptables-legacy", "iptables-nft", "nfacct", "sysctl")
    tried = 0
    for trial in kernel.trials(mode, variant, every=12 if THOROUGH else 100, first=5):
        result = kernel.on_this_kernel(trial.request())
        for probe, met in zip(trial.probes, result["fates"], strict=True):
            tried += trial.check(probe, met)
    record_property(CONNECTIONS, f"{mode} {variant}".strip() + f" {tried}")
    assert tried >= (500 if THOROUGH else 100)


@pytest.mark.uml
@pytest.mark.xdist_group("uml")
def test_real_connections_through_virtual_servers_meet_what_was_traced(
    uml: Machine, record_property: Recorder
) -> None:
    tried = 0
    for trial in kernel.trials("ipvs", "legacy", every=25 if THOROUGH else 199, first=1):
        result = kernel.in_uml(uml, trial.request())
        for probe, met in zip(trial.probes, result["fates"], strict=True):
            tried += trial.check(probe, met)
    record_property(CONNECTIONS, f"ipvs legacy {tried}")
    assert tried >= (500 if THOROUGH else 90)


@pytest.mark.kernel
@pytest.mark.parametrize(("mode", "variant"), HERE)
def test_the_rules_of_the_path_count_the_packet(mode: str, variant: str, record_property: Recorder) -> None:
    need("nft", "iptables-legacy", "iptables-nft", "nfacct", "sysctl")
    tried = rules = 0
    for trial in kernel.trials(mode, variant, every=10 if THOROUGH else 40, first=3):
        if trial.family == "IPv6":
            continue  # neighbour discovery of the node's own counts as well
        if "nft" in trial.rules:
            trial.rules["nft"] = kernel.with_counters(trial.rules["nft"])
        if not THOROUGH and tried:
            break
        trial.probes = trial.probes[: 10 if THOROUGH else 6]
        result = kernel.on_this_kernel(trial.request(counted=True))
        listings = result["counters"]
        for number, (probe, met) in enumerate(zip(trial.probes, result["fates"], strict=True)):
            trial.check(probe, met)
            rules += trial.check_counters(probe, met[0], listings[number], listings[number + 1])
            tried += 1
    record_property(CONNECTIONS, f"{mode} {variant}".strip() + f" {tried}")
    record_property(COUNTERS, f"{mode} {variant}".strip() + f" {rules}")
    assert tried >= 5 and rules >= 5
