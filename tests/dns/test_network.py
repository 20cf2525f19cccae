"""Names asked with dig, of rulegen itself and of a name server that loaded its zone file."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from rulegen.conformance.controllers import cluster_of
from rulegen.dns import Directory, DnsServer, listing
from tests.cli.running import FIXTURES
from tests.dns.clusters import CLUSTER, server
from tests.kernel.netns import Namespace, need
from tests.recorded import cases

pytestmark = pytest.mark.kernel
NGX = str(FIXTURES / "ngx")


@contextmanager
def running(namespace: Namespace, *command: str) -> Iterator[subprocess.Popen[str]]:
    """A program in the namespace, ended at the end."""
    process = subprocess.Popen(
        ["ip", "netns", "exec", namespace.name, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)


def dig(namespace: Namespace, port: int, *question: str) -> list[str]:
    """The answer section, a line for each record: name, type, data."""
    out = namespace.run(
        "dig", "@127.0.0.1", "-p", str(port), "+noall", "+answer", "+norecurse", "+tries=1", *question
    )
    fields = [line.split(None, 4) for line in out.splitlines() if line and not line.startswith(";")]
    return sorted(f"{name} {kind} {data}" for name, _, _, kind, data in fields)


def test_rulegen_answers_dig_over_udp_and_tcp(netns: Namespace) -> None:
    need("dig")
    netns.run("ip", "link", "set", "lo", "up")
    serving = (
        sys.executable,
        "-m",
        "rulegen.cli.main",
        "dns",
        "serve",
        "-f",
        NGX,
        "--listen",
        "127.0.0.1:53",
    )
    with running(netns, *serving) as process:
        assert process.stderr is not None
        assert any("answering on 127.0.0.1:53" in line for line in process.stderr)
        name = "ngx-svc.default.svc.cluster.local."
        for how in ("+notcp", "+tcp"):
            assert dig(netns, 53, how, name, "A") == [f"{name} A 10.96.240.115"]
            assert dig(netns, 53, how, name, "SRV") == [f"{name} SRV 0 100 80 {name}"]
            assert dig(netns, 53, how, "-x", "10.10.1.86") == [
                "86.1.10.10.in-addr.arpa. PTR 10-10-1-86.ngx-svc.default.svc.cluster.local."
            ]
            assert dig(netns, 53, how, "nothere.default.svc.cluster.local.", "A") == []
    assert process.returncode == 0


def dig_all(namespace: Namespace, folder: Path, questions: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The answer section to each question, all asked by one dig."""
    (folder / "questions").write_text("".join(f"{name} {kind}\n" for name, kind in questions))
    out = namespace.run(
        "dig", "@127.0.0.1", "+noall", "+question", "+answer", "+norecurse", "-f", str(folder / "questions")
    )
    found: list[list[str]] = []
    for line in out.splitlines():
        if line.startswith(";"):
            found.append([])
        elif line:
            name, _, _, kind, data = line.split(None, 4)
            found[-1].append(f"{name} {kind} {data}")
    return [sorted(each) for each in found]


def nsd(folder: Path, zones: Mapping[str, Path]) -> list[str]:
    """The command that runs NSD for these zones."""
    lines = [
        "server:",
        "  ip-address: 127.0.0.1@53",
        '  username: ""',
        '  chroot: ""',
        f'  zonesdir: "{folder}"',
        f'  pidfile: "{folder}/pid"',
        f'  xfrdfile: "{folder}/xfrd"',
        f'  xfrdir: "{folder}"',
        f'  zonelistfile: "{folder}/list"',
        '  database: ""',
        "remote-control:",
        "  control-enable: no",
    ]
    for zone, path in zones.items():
        lines += ["zone:", f'  name: "{zone}"', f'  zonefile: "{path}"']
    (folder / "nsd.conf").write_text("\n".join(lines) + "\n")
    return ["nsd", "-d", "-c", str(folder / "nsd.conf")]


def bind(folder: Path, zones: Mapping[str, Path]) -> list[str]:
    """The command that runs BIND's named for these zones."""
    lines = [
        f'options {{ directory "{folder}"; pid-file none; session-keyfile none; recursion no;',
        "  listen-on port 53 { 127.0.0.1; }; listen-on-v6 { none; }; empty-zones-enable no;",
        "  dnssec-validation no; minimal-responses no; };",
        "controls { };",
        *[f'zone "{zone}" {{ type primary; file "{path}"; }};' for zone, path in zones.items()],
    ]
    (folder / "named.conf").write_text("\n".join(lines) + "\n")
    return ["named", "-g", "-c", str(folder / "named.conf")]


Command = Callable[[Path, Mapping[str, Path]], list[str]]
SERVERS: Mapping[str, tuple[Command, tuple[str, ...]]] = {
    "nsd": (nsd, ("nsd-checkzone",)),
    "named": (bind, ("named-checkzone",)),
}


@pytest.mark.parametrize("program", SERVERS)
def test_a_name_server_loads_the_zones_and_answers_as_rulegen_does(
    netns: Namespace, tmp_path: Path, program: str
) -> None:
    command, checker = SERVERS[program]
    need(program, checker[0], "dig")
    netns.run("ip", "link", "set", "lo", "up")
    known = server()
    records = listing.records(known, CLUSTER.pods)
    zones = {zone: tmp_path / f"{zone}zone" for zone in known.zones}
    for zone, path in zones.items():
        path.write_text(listing.zone_file(records, known, zone))
        netns.run(*checker, zone, str(path))
    questions = sorted({(record.owner, record.type) for record in records})
    questions += [("nothere.default.svc.cluster.local.", "A"), ("web.default.svc.cluster.local.", "AAAA")]
    with running(netns, *command(tmp_path, zones)):
        _wait(netns, known.domain)
        answers = dig_all(netns, tmp_path, questions)
    expected = [
        sorted(f"{r.owner} {r.type} {r.data}" for r in known.ask(owner, kind).answers)
        for owner, kind in questions
    ]
    assert dict(zip(questions, answers, strict=True)) == dict(zip(questions, expected, strict=True))


def _wait(namespace: Namespace, zone: str) -> None:
    for _ in range(100):
        # Until the server has its port open, dig ends with an error.
        asked = ("dig", "@127.0.0.1", "+short", "+tries=1", "+timeout=1", zone, "SOA")
        if namespace.run(*asked, check=False).startswith("ns."):
            return
        time.sleep(0.1)
    raise AssertionError("the name server does not answer")


@pytest.mark.parametrize("program", SERVERS)
def test_every_recorded_cluster_makes_zones_that_name_servers_take(
    netns: Namespace, tmp_path: Path, program: str
) -> None:
    _, checker = SERVERS[program]
    need(checker[0])
    for case in cases("dns-1.37"):
        cluster = cluster_of(case["objects"])
        known = DnsServer(Directory(cluster), addresses=["127.0.0.1"])
        records = listing.records(known, cluster.pods)
        for zone in known.zones:
            path = tmp_path / "zone"
            path.write_text(listing.zone_file(records, known, zone))
            netns.run(*checker, zone, str(path))
