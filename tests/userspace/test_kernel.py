"""Both variants of iptables take the rules, and real connections spread evenly through the proxy."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from rulegen.load.scenario import from_scenario
from rulegen.plan import plan
from rulegen.userspace import compile_rules
from rulegen.userspace.ruleset import jumps, restore, restore_with_jumps
from tests.kernel.netns import Namespace, create, need, remove
from tests.recorded import cases

pytestmark = pytest.mark.kernel

SAMPLE = [from_scenario(case["scenario"]) for case in list(cases("1.25-userspace"))[::4]]
COMMANDS = {"IPv4": "iptables", "IPv6": "ip6tables"}


@pytest.mark.parametrize("variant", ["legacy", "nft"])
def test_the_text_is_accepted_and_as_many_rules_are_there(netns: Namespace, variant: str) -> None:
    need(f"iptables-{variant}-restore", f"ip6tables-{variant}-restore", f"iptables-{variant}-save")
    for scenario in SAMPLE:
        for family in scenario.families:
            ports = scenario.proxy_ports.get(family)
            planned = plan(
                scenario.cluster, scenario.node, scenario.config, family, scenario.version, proxy_ports=ports
            )
            rules = compile_rules(planned)
            program = f"{COMMANDS[family]}-{variant}"
            netns.run(f"{program}-restore", "--noflush", "--test", stdin=restore(rules))
            # Without --noflush, so that each sample starts anew.
            netns.run(f"{program}-restore", stdin=restore_with_jumps(rules))
            saved = [line for line in netns.run(f"{program}-save").splitlines() if line.startswith("-A ")]
            made = [step for step in jumps(rules) if " -N " not in step]
            assert len(saved) == len(made)


MANIFEST = """\
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec:
  type: NodePort
  clusterIP: 10.96.0.10
  sessionAffinity: {affinity}
  ports:
  - {{name: tcp, port: 80, nodePort: 30080, protocol: TCP}}
  - {{name: udp, port: 80, nodePort: 30080, protocol: UDP}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: web-1, labels: {{kubernetes.io/service-name: web}}}}
addressType: IPv4
endpoints:
- {{addresses: [10.1.0.1]}}
- {{addresses: [10.1.0.2]}}
- {{addresses: [10.1.0.3]}}
- {{addresses: [10.1.0.4], conditions: {{ready: false}}}}
ports:
- {{name: tcp, port: 8080, protocol: TCP}}
- {{name: udp, port: 8080, protocol: UDP}}
"""

# Each endpoint answers with its own address, over TCP and UDP.
SERVERS = """
import socket, threading, sys
def tcp(ip):
    s = socket.create_server((ip, 8080))
    while True:
        c, _ = s.accept()
        with c:
            c.recv(100)
            c.sendall(ip.encode())
def udp(ip):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((ip, 8080))
    while True:
        _, who = s.recvfrom(100)
        s.sendto(ip.encode(), who)
for ip in sys.argv[1:]:
    for serve in (tcp, udp):
        threading.Thread(target=serve, args=(ip,), daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""
# So many connections, each from a socket of its own; prints who answered.
CLIENT = """
import json, socket, sys
kind, address, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
found = []
for _ in range(count):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect((address, port))
        s.sendall(b"who?")
        if kind == "tcp":
            s.shutdown(socket.SHUT_WR)
        found.append(s.recv(100).decode())
print(json.dumps(found))
"""


class Lab:
    """A node with three endpoints and the proxy, and a client beside it."""

    def __init__(self, node: Namespace, client: Namespace, proxy: subprocess.Popen[str]) -> None:
        self.node, self.client, self.proxy = node, client, proxy

    def answers(
        self, namespace: Namespace, kind: str, address: str, port: int, count: int = 12
    ) -> Counter[str]:
        out = namespace.run(sys.executable, "-c", CLIENT, kind, address, str(port), str(count))
        return Counter(json.loads(out))


@contextmanager
def _running(namespace: Namespace, *command: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        ["ip", "netns", "exec", namespace.name, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)


@contextmanager
def _lab(folder: Path, affinity: str = "None") -> Iterator[Lab]:
    need("iptables-nft-restore")
    manifest = folder / "app.yaml"
    manifest.write_text(MANIFEST.format(affinity=affinity))
    rulegen = (sys.executable, "-m", "rulegen.cli.main")
    about = ("-f", str(manifest), "--node-ip", "192.168.10.1", "--interface", "eth0=192.168.10.1/24")
    with ExitStack() as stack:
        node, client = create(), create()
        stack.callback(remove, node)
        stack.callback(remove, client)
        node.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", client.name)
        for namespace, address in ((node, "192.168.10.1/24"), (client, "192.168.10.2/24")):
            namespace.run("ip", "address", "add", address, "dev", "eth0")
            namespace.run("ip", "link", "set", "eth0", "up")
            namespace.run("ip", "link", "set", "lo", "up")
        client.run("ip", "route", "add", "default", "via", "192.168.10.1")
        node.run("ip", "route", "add", "default", "via", "192.168.10.2")
        for last in (1, 2, 3):
            node.run("ip", "address", "add", f"10.1.0.{last}/32", "dev", "lo")
        rules = subprocess.run(
            [*rulegen, "render", "--mode", "userspace", "--kube-version", "1.25", "--with-jumps", *about],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        node.run("iptables-nft-restore", "--noflush", stdin=rules)
        servers = stack.enter_context(
            _running(node, sys.executable, "-c", SERVERS, "10.1.0.1", "10.1.0.2", "10.1.0.3")
        )
        assert servers.stdout is not None and servers.stdout.readline() == "ready\n"
        proxy = stack.enter_context(_running(node, *rulegen, "userspace-proxy", *about))
        assert proxy.stderr is not None
        assert any("proxying 2 service ports" in line for line in proxy.stderr)
        yield Lab(node, client, proxy)


EVEN = Counter({"10.1.0.1": 4, "10.1.0.2": 4, "10.1.0.3": 4})


def test_connections_from_everywhere_spread_evenly_over_the_ready_endpoints(tmp_path: Path) -> None:
    with _lab(tmp_path) as lab:
        for kind in ("tcp", "udp"):
            assert lab.answers(lab.client, kind, "10.96.0.10", 80) == EVEN
            assert lab.answers(lab.client, kind, "192.168.10.1", 30080) == EVEN
            assert lab.answers(lab.node, kind, "10.96.0.10", 80) == EVEN
            assert lab.answers(lab.node, kind, "192.168.10.1", 30080) == EVEN


def test_with_affinity_a_client_stays_where_it_is_and_the_proxy_ends_cleanly(tmp_path: Path) -> None:
    with _lab(tmp_path, affinity="ClientIP") as lab:
        assert lab.answers(lab.client, "tcp", "10.96.0.10", 80) == Counter({"10.1.0.1": 12})
        assert lab.answers(lab.node, "tcp", "10.96.0.10", 80) == Counter({"10.1.0.2": 12})
    assert lab.proxy.returncode == 0
