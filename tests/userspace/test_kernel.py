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

from rulegen.iptables.dump import Variant
from rulegen.iptables.parse import parse
from rulegen.iptables.save import as_saved
from rulegen.load.scenario import from_scenario
from rulegen.plan import plan
from rulegen.userspace import BACKEND, compile_rules
from rulegen.userspace.ruleset import jumps, restore, restore_with_jumps
from rulegen.userspace.state import as_dump
from tests.kernel.netns import Namespace, create, need, remove
from tests.recorded import cases

pytestmark = pytest.mark.kernel

SAMPLE = [from_scenario(case["scenario"]) for case in list(cases("1.25-userspace"))[::4]]
COMMANDS = {"IPv4": "iptables", "IPv6": "ip6tables"}


@pytest.mark.parametrize("variant", ["legacy", "nft"])
def test_the_text_is_accepted_and_listed_as_said(netns: Namespace, variant: Variant) -> None:
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
            lines = netns.run(f"{program}-save").splitlines(keepends=True)
            listed = "".join(line for line in lines if not line.startswith("#"))
            assert listed == as_saved(as_dump(rules), variant).text
            node = parse(listed, family)
            assert not BACKEND.diff(node, BACKEND.state(rules)) and not BACKEND.compare(node, rules)
            made = [step for step in jumps(rules) if " -N " not in step]
            assert listed.count("\n-A ") == len(made)


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
    s = socket.create_server((ip, 8080), family=socket.AF_INET6 if ":" in ip else socket.AF_INET)
    while True:
        c, _ = s.accept()
        with c:
            c.recv(100)
            c.sendall(ip.encode())
def udp(ip):
    s = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM)
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
family = socket.AF_INET6 if ":" in address else socket.AF_INET
found = []
for _ in range(count):
    with socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as s:
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


DUAL = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  clusterIP: 10.96.0.10
  clusterIPs: [10.96.0.10, "fd00:96::10"]
  ipFamilies: [IPv4, IPv6]
  ipFamilyPolicy: RequireDualStack
  ports: [{name: tcp, port: 80}, {name: udp, port: 80, protocol: UDP}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: [{addresses: [10.1.0.1]}, {addresses: [10.1.0.2]}]
ports: [{name: tcp, port: 8080}, {name: udp, port: 8080, protocol: UDP}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-2, labels: {kubernetes.io/service-name: web}}
addressType: IPv6
endpoints: [{addresses: ["fd00:1::1"]}, {addresses: ["fd00:1::2"]}]
ports: [{name: tcp, port: 8080}, {name: udp, port: 8080, protocol: UDP}]
"""


@pytest.mark.parametrize("variant", ["legacy", "nft"])
def test_applied_to_a_namespace_both_families_are_proxied(tmp_path: Path, variant: Variant) -> None:
    need(f"iptables-{variant}-restore", f"ip6tables-{variant}-restore")
    (tmp_path / "app.yaml").write_text(DUAL)
    rulegen = (sys.executable, "-m", "rulegen.cli.main")
    about = ("-f", str(tmp_path / "app.yaml"), "--node-ip", "10.1.0.1", "--node-ip", "fd00:1::1")
    mode = ("--mode", "userspace", "--kube-version", "1.25")
    with ExitStack() as stack:
        node = create()
        stack.callback(remove, node)
        node.run("ip", "link", "set", "lo", "up")
        for address in ("10.1.0.1/32", "10.1.0.2/32", "fd00:1::1/128", "fd00:1::2/128"):
            node.run("ip", "address", "add", address, "dev", "lo")
        node.run("ip", "route", "add", "10.96.0.0/16", "dev", "lo", "src", "10.1.0.1")
        node.run("ip", "route", "add", "fd00:96::/64", "dev", "lo", "src", "fd00:1::1")
        apply = (*rulegen, "apply", *mode, *about, "--netns", node.name, "--variant", variant)
        done = subprocess.run(apply, capture_output=True, text=True, check=True)
        assert "1 service changed" in done.stdout and "read back and equal" in done.stdout
        again = subprocess.run(apply, capture_output=True, text=True, check=True)
        assert "nothing to do" in again.stdout
        servers = stack.enter_context(
            _running(node, sys.executable, "-c", SERVERS, "10.1.0.1", "10.1.0.2", "fd00:1::1", "fd00:1::2")
        )
        assert servers.stdout is not None and servers.stdout.readline() == "ready\n"
        proxy = stack.enter_context(_running(node, *rulegen, "userspace-proxy", *about))
        assert proxy.stderr is not None and any("proxying 4 service ports" in line for line in proxy.stderr)
        lab = Lab(node, node, proxy)
        for kind in ("tcp", "udp"):
            assert lab.answers(node, kind, "10.96.0.10", 80) == {"10.1.0.1": 6, "10.1.0.2": 6}
            assert lab.answers(node, kind, "fd00:96::10", 80) == {"fd00:1::1": 6, "fd00:1::2": 6}
        another = subprocess.run(
            ["ip", "netns", "exec", node.name, *rulegen, "userspace-proxy", *about],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (another.returncode, another.stdout) == (2, "")
        assert "error: default/web:tcp: TCP port 2" in another.stderr
        assert "Address already in use" in another.stderr
        cleaned = subprocess.run(
            [*rulegen, "cleanup", "--netns", node.name], capture_output=True, text=True, check=True
        )
        assert "kube-proxy's removed" in cleaned.stdout
        assert "KUBE-" not in node.run(f"iptables-{variant}-save") + node.run(f"ip6tables-{variant}-save")
