"""The benchmarks measure what they say, and go on doing it as the code changes."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench import clusters, kernel
from bench.figures import Figures
from bench.growth import exponent, plot
from bench.measures import COMMANDS, MEASURES
from rulegen.compiler import Compiler
from rulegen.fake import Iptables
from rulegen.iptables import restore
from rulegen.load import load
from rulegen.load.scenario import from_scenario
from tests.cli.running import FIXTURES

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", sorted(MEASURES))
def test_every_measure_comes_to_its_end(name: str) -> None:
    seconds = MEASURES[name](20, 3)
    assert len(seconds) >= 2
    assert min(seconds) > 0


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_measured(name: str) -> None:
    assert len(COMMANDS[name](20, 3)) == 5


def test_the_listing_of_a_cluster_is_what_an_api_server_has() -> None:
    text = clusters.listing(20, 3)
    loaded = load(msgspec.json.decode(text), strict=True)
    assert loaded.warnings == ()
    assert len(loaded.cluster.services) == len(loaded.cluster.slices) == 20


def test_each_way_of_changing_one_endpoint_leads_to_the_same_rules() -> None:
    """Our transaction, kube-proxy's partial text and the whole text may be held against each other."""
    whole, found = kernel.ways(20, 3)
    states = []
    for there, back in found.values():
        tables = Iptables()
        tables.restore(whole)
        before = _of_services(tables)
        tables.restore(there, noflush=True)
        states.append(_of_services(tables))
        tables.restore(back, noflush=True)
        assert _of_services(tables) == before != states[-1]
    assert len(states) == 3
    assert states[0] == states[1] == states[2]


def _bench(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        ("bench", ["--sizes", "10"], "'10' is no size: SERVICESxENDPOINTS, such as 1000x10"),
        ("bench", ["--modes", "ipvs,nft"], "'nft' is no mode: iptables, ipvs, nftables"),
        ("bench", ["--json", "nowhere/results.json"], "nowhere/results.json cannot be written"),
        ("bench", ["--plot", "bench"], "bench cannot be written"),
        ("bench.kernel", ["--runs", "0"], "'0' is no number from 1"),
        ("bench.kernel", ["--limit", "0"], "'0' is no number from 1"),
        ("bench.dumps", ["--lines", "9"], "the rules of one Service are 43 lines"),
        ("bench", ["--sizes", "5x10"], "5 services are too few: 8 or more"),
        ("bench.measures", ["nothing", "10", "10"], "invalid choice: 'nothing'"),
    ],
)
def test_what_cannot_be_measured_is_said_at_once(module: str, arguments: list[str], message: str) -> None:
    done = _bench(module, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr and "Traceback" not in done.stderr


def test_figures_are_kept_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    figures = Figures(path)
    assert json.loads(path.read_text())["complete"] is False
    figures.add({"name": "one", "seconds": [1.0]})
    found = json.loads(path.read_text())
    assert found["complete"] is False and [each["name"] for each in found["results"]] == ["one"]
    figures.end()
    assert json.loads(path.read_text())["complete"] is True


def test_the_partial_text_is_what_kube_proxy_writes_when_an_endpoint_changes() -> None:
    """Line by line; the order of Services is that of a hash map there."""
    recorded = json.loads(gzip.decompress((FIXTURES / "conformance" / "partial-1.37.json.gz").read_bytes()))
    before = from_scenario(recorded["scenario"])
    compiler = Compiler(before.cluster, before.node, before.config)
    assert _sections(restore(compiler.ruleset)) == _sections(recorded["firstSync"])
    piece = before.cluster.slices[len(before.cluster.slices) // 2]
    assert piece.endpoints
    first, *others = piece.endpoints
    moved = msgspec.structs.replace(first, addresses=["12.0.0.1"])
    compiler.update([msgspec.structs.replace(piece, endpoints=[moved, *others])])
    service, _, _ = piece.metadata.name.rpartition("-")
    (key,) = (each for each in compiler.ruleset.fragments if each[1] == service)
    partial = kernel.partial_text(compiler.ruleset, key)
    assert _sections(partial) == _sections(recorded["oneEndpointChange"])
    assert len(partial) == len(recorded["oneEndpointChange"])


def _sections(text: str) -> dict[str, list[str]]:
    """The lines of each table, sorted."""
    return {part.split("\n")[0]: sorted(part.splitlines()) for part in text.split("*")[1:]}


def _of_services(tables: Iptables) -> list[str]:
    """Rules that lead to endpoints; the chain of one that went is removed by kube-proxy at a later time."""
    return [line for line in tables.save().splitlines() if line.startswith(("-A KUBE-SVC-", "-A KUBE-SER"))]


def _grown(name: str, power: float) -> list[dict[str, object]]:
    return [
        {"name": name, "services": n, "endpoints": 10, "seconds": [1e-6 * n**power], "peakMB": None}
        for n in (1000, 10_000, 44_000)
    ]


def test_growth_is_fitted_and_drawn() -> None:
    results = _grown("iptables: objects to text", 1.0) + _grown("iptables: one endpoint changed", 0.0)
    assert exponent(results, "iptables: objects to text") == pytest.approx(1)
    assert exponent(results, "iptables: one endpoint changed") == pytest.approx(0)
    assert exponent(results[:2], "iptables: objects to text") is None  # two points fit anything
    assert plot(results[:2]) == ""
    drawn = plot(results)
    assert drawn.count('stroke-width="2"') == 4  # two lines, and two in the legend
