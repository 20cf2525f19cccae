"""Nodes that a real kube-proxy programs: a network namespace each, and what its tools list then."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from conformance.cluster.plane import Plane

Object = dict[str, Any]

RECORDER = "recorder-{}"
VARIANTS = (("iptables", "nft"), ("iptables", "legacy"), ("nftables", "nft"))
PLANE_ADDRESS, NODE_ADDRESS = "169.254.77.1/30", "169.254.77.2/30"
LINK = "cp"
"""The device by which kube-proxy reaches the API server."""
SYNC_SECONDS, QUIET_SECONDS = 90, 3

_IPTABLES = ("iptables-save", "ip6tables-save", "iptables-save -c")
_NFT = ("nft list ruleset", "nft -j list ruleset", "nft -a list ruleset")
_TOOLS = ("iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore")


class Node:
    """A namespace with a node's devices; a context manager that removes it.

    Traffic stays inside: its only way out leads to the namespace of the control plane.
    """

    def __init__(self, name: str, interfaces: dict[str, list[str]]) -> None:
        self.space = name
        self.interfaces = interfaces

    def __enter__(self) -> Node:
        _tool("ip", "netns", "add", self.space)
        for setting in ("all/accept_dad", "default/accept_dad"):
            self.run("sh", "-c", f"echo 0 >/proc/sys/net/ipv6/conf/{setting}")
        _tool("ip", "link", "add", "plane", "type", "veth", "peer", "name", LINK, "netns", self.space)
        _tool("ip", "address", "add", PLANE_ADDRESS, "dev", "plane")
        _tool("ip", "link", "set", "plane", "up")
        self.run("ip", "link", "set", "lo", "up")
        self.interfaces[LINK] = [NODE_ADDRESS]
        for device, addresses in self.interfaces.items():
            if device not in ("lo", LINK):
                self.run("ip", "link", "add", device, "type", "bridge")
            for address in addresses:
                if address in ("127.0.0.1/8", "::1/128"):
                    continue  # the loopback has these from the start
                extra = ["nodad"] if ":" in address else []
                self.run("ip", "address", "add", address, "dev", device, *extra)
            self.run("ip", "link", "set", device, "up")
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["ip", "link", "del", "plane"], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", self.space], check=False, capture_output=True)

    def command(self, *command: str) -> list[str]:
        return ["ip", "netns", "exec", self.space, *command]

    def run(self, *command: str) -> str:
        return _tool(*self.command(*command))


def _tool(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def cases(plane: Plane, seed: int, count: int, put: Callable[[Object], None]) -> Iterator[Object]:
    """Scenarios of the recorder's generator, as a real kube-proxy programs them. ``put`` creates an object.

    Variants of iptables and the nftables mode take turns.
    """
    version = plane.programs.name.removeprefix("cluster-")
    recorder = plane.programs.parent / RECORDER.format(version)
    if not recorder.is_file():
        raise RuntimeError(f"{recorder} makes the scenarios of nodes: make recorder VERSION={version}")
    for number in range(count):
        mode, variant = VARIANTS[number % len(VARIANTS)]
        command = [
            recorder,
            "generate",
            "-seed",
            str(seed),
            "-count",
            "1",
            "-first",
            str(number),
            "-mode",
            mode,
        ]
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True)
        scenario = json.loads(done.stdout)
        yield _case(plane, f"n{seed}-{number:02}", scenario, variant, put)


def _case(plane: Plane, name: str, scenario: Object, variant: str, put: Callable[[Object], None]) -> Object:
    given = scenario["node"]
    spaces = {each["metadata"]["namespace"] for each in (*scenario["services"], *scenario["slices"])}
    for space in spaces - {"default"}:
        put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}})
    for service in scenario["services"]:
        put({"apiVersion": "v1", "kind": "Service"} | service)
    for piece in scenario["slices"]:
        put({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice"} | piece)
    put({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": given["name"], "labels": given.get("labels") or {}},
        "spec": _pod_cidrs(given.get("podCIDRs") or []),
        "status": {"addresses": [{"type": "InternalIP", "address": ip} for ip in given.get("ips") or ()]},
    })  # fmt: skip
    time.sleep(2.5)  # the EndpointSlice controller looks at the Services, too
    interfaces = {device: list(ips) for device, ips in given["interfaces"].items()}
    with Node(f"rulegen-{name}", interfaces) as node:
        dumps = _programmed(plane, node, scenario, variant)
    stored = {
        kind: [_stored(each) for each in plane.listed(path)]
        for kind, path in (
            ("services", "/api/v1/services"),
            ("slices", "/apis/discovery.k8s.io/v1/endpointslices"),
        )
    }
    case = {
        "name": name,
        "variant": variant,
        "scenario": {
            "name": name, "version": scenario["version"], "mode": scenario["mode"],
            "families": ["IPv4", "IPv6"], "config": scenario["config"],
            "node": {
                **{key: given[key] for key in ("name", "labels", "ips", "podCIDRs") if key in given},
                "interfaces": interfaces,
            },
            "serviceCIDRs": {"IPv4": ["10.96.0.0/12"], "IPv6": ["fd00:10:96::/112"]}, **stored,
        },
        "dumps": dumps,
    }  # fmt: skip
    _emptied(plane, spaces)
    return case


def _pod_cidrs(cidrs: list[str]) -> Object:
    return {"podCIDR": cidrs[0], "podCIDRs": cidrs} if cidrs else {}


def _stored(each: Object) -> Object:
    return each | {"metadata": {k: v for k, v in each["metadata"].items() if k != "managedFields"}}


def _programmed(plane: Plane, node: Node, scenario: Object, variant: str) -> dict[str, str]:
    """Run kube-proxy until its rules no longer change; what the node's tools list then."""
    folder = plane.folder / node.space
    folder.mkdir()
    kubeconfig = folder / "kubeconfig"
    text = plane.kubeconfig.read_text().replace("127.0.0.1", PLANE_ADDRESS.partition("/")[0])
    kubeconfig.write_text(text)
    config = scenario["config"] | {
        "hostnameOverride": scenario["node"]["name"], "clientConnection": {"kubeconfig": str(kubeconfig)},
        "healthzBindAddress": "127.0.0.1:10256", "metricsBindAddress": "127.0.0.1:10249",
        "conntrack": {"maxPerCore": 0, "min": 0},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    tools = _tools(folder, variant)
    path = f"{tools}:{os.environ['PATH']}"
    log = folder / "kube-proxy.log"
    command = node.command(
        "env", f"PATH={path}", "setpriv", "--pdeathsig=KILL",
        str(plane.programs / "kube-proxy"), f"--config={folder / 'config.json'}",
    )  # fmt: skip
    listings = _NFT if scenario["mode"] == "nftables" else _IPTABLES
    with log.open("wb") as said:
        proxy = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            _until_quiet(node, path, listings[0], proxy, log)
            dumps = {name: _tool(*node.command("env", f"PATH={path}", *name.split())) for name in listings}
        finally:
            proxy.terminate()
            proxy.wait()
    return dumps | {"ip -j addr": node.run("ip", "-j", "addr")}


def _tools(folder: Path, variant: str) -> Path:
    """The variant of iptables under its plain names."""
    tools = folder / "bin"
    tools.mkdir()
    for tool in _TOOLS:
        first, dash, rest = tool.partition("-")
        (tools / tool).symlink_to(f"/usr/sbin/{first}-{variant}{dash}{rest}")
    return tools


def _until_quiet(node: Node, path: str, listing: str, proxy: subprocess.Popen[bytes], log: Path) -> None:
    before, since = "", time.monotonic()
    started = since
    while time.monotonic() - started < SYNC_SECONDS:
        if proxy.poll() is not None:
            raise RuntimeError(f"kube-proxy has ended: {log.read_text(errors='replace')[-800:]}")
        now = _tool(*node.command("env", f"PATH={path}", *listing.split()))
        rules = "\n".join(line for line in now.splitlines() if not line.startswith((":", "#")))
        if rules != before:
            before, since = rules, time.monotonic()
        ready = "KUBE-SERVICES" in rules or "table ip kube-proxy" in rules
        if ready and time.monotonic() - since > QUIET_SECONDS:
            return
        time.sleep(0.5)
    raise RuntimeError(f"kube-proxy did not come to rest: {log.read_text(errors='replace')[-800:]}")


def _emptied(plane: Plane, spaces: set[str]) -> None:
    for each in plane.listed("/api/v1/services"):
        space, name = each["metadata"]["namespace"], each["metadata"]["name"]
        if (space, name) != ("default", "kubernetes"):
            plane.request("DELETE", f"/api/v1/namespaces/{space}/services/{name}")
    for space in spaces:
        plane.request("DELETE", f"/apis/discovery.k8s.io/v1/namespaces/{space}/endpointslices")
    for each in plane.listed("/api/v1/nodes"):
        plane.request("DELETE", f"/api/v1/nodes/{each['metadata']['name']}")
