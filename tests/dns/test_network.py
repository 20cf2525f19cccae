"""Names asked with dig, of rulegen itself and of a name server that loaded its zone file."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rulegen.conformance.controllers import cluster_of
from rulegen.dns import Directory, DnsServer, listing
from rulegen.dns.names import IPV4_REVERSE
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


def test_nsd_loads_the_zones_and_answers_as_rulegen_does(netns: Namespace, tmp_path: Path) -> None:
    need("nsd", "nsd-checkzone", "dig")
    netns.run("ip", "link", "set", "lo", "up")
    known = server()
    records = listing.records(known, CLUSTER.pods)
    zones = (known.domain, IPV4_REVERSE)
    configuration = [
        "server:",
        "  ip-address: 127.0.0.1@53",
        '  username: ""',
        '  chroot: ""',
        f'  zonesdir: "{tmp_path}"',
        f'  pidfile: "{tmp_path}/pid"',
        f'  xfrdfile: "{tmp_path}/xfrd"',
        f'  xfrdir: "{tmp_path}"',
        f'  zonelistfile: "{tmp_path}/list"',
        '  database: ""',
        "remote-control:",
        "  control-enable: no",
    ]
    for zone in zones:
        path = tmp_path / f"{zone}zone"
        path.write_text(listing.zone_file(records, known, zone))
        netns.run("nsd-checkzone", zone, str(path))
        configuration += ["zone:", f'  name: "{zone}"', f'  zonefile: "{path}"']
    (tmp_path / "nsd.conf").write_text("\n".join(configuration) + "\n")
    questions = {(record.owner, record.type) for record in records if not record.owner.endswith("ip6.arpa.")}
    with running(netns, "nsd", "-d", "-c", str(tmp_path / "nsd.conf")):
        _wait(netns, known.domain)
        for owner, kind in sorted(questions):
            expected = sorted(f"{r.owner} {r.type} {r.data}" for r in known.ask(owner, kind).answers)
            assert dig(netns, 53, owner, kind) == expected


def _wait(namespace: Namespace, zone: str) -> None:
    for _ in range(100):
        # Until nsd has its port open, dig ends with an error.
        if namespace.run("dig", "@127.0.0.1", "+short", "+tries=1", zone, "SOA", check=False).startswith(
            "ns."
        ):
            return
        time.sleep(0.1)
    raise AssertionError("nsd does not answer")


def test_every_recorded_cluster_makes_a_zone_that_nsd_takes(netns: Namespace, tmp_path: Path) -> None:
    need("nsd-checkzone")
    for case in cases("dns-1.37"):
        cluster = cluster_of(case["objects"])
        known = DnsServer(Directory(cluster), addresses=["127.0.0.1"])
        records = listing.records(known, cluster.pods)
        for zone in known.zones:
            path = tmp_path / "zone"
            path.write_text(listing.zone_file(records, known, zone))
            netns.run("nsd-checkzone", zone, str(path))
