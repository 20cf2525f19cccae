"""What is asked about random objects: commands of kubectl, and names of the cluster DNS."""

from __future__ import annotations

from ipaddress import ip_address
from random import Random
from typing import Any

Object = dict[str, Any]

RECORD_TYPES = ("A", "AAAA", "SRV", "CNAME", "TXT", "PTR")
_OUTPUTS = (
    [], [], ["-o", "wide"], ["-o", "name"], ["-o", "yaml"], ["-o", "json"], ["--no-headers"],
    ["--show-labels"], ["-l", "team=a"], ["-l", "team!=a"], ["-l", "app in (web,db)"], ["-l", "!team"],
    ["--sort-by=.metadata.name"],
    ["-o", "jsonpath={.items[*].metadata.name}"], ["-o", "custom-columns=N:.metadata.name,T:.spec.type"],
    ["-L", "team"], ["-A"], ["-o", "wide", "--show-labels"], ["-o", "wide", "--no-headers"],
)  # fmt: skip
_RESOURCES = (
    "services", "svc", "endpoints", "ep", "endpointslices", "pods", "po", "nodes", "no", "svc,endpoints",
    "pods,svc", "service",
)  # fmt: skip


def workloads(chance: Random, space: str) -> list[Object]:
    """Deployments whose template has ports or not, and labels that make long names."""
    found = []
    for name in ("web", "a-deployment-with-a-rather-long-name-for-a-service")[: chance.randint(1, 2)]:
        container: Object = {"name": "c", "image": "nginx"}
        if chance.random() < 0.5:
            container["ports"] = [
                {"containerPort": port, "protocol": chance.choice(["TCP", "UDP"])}
                for port in chance.sample([80, 443, 53, 8080], chance.randint(1, 3))
            ]
        labels = {"app": name[:40]}
        found.append({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": space, "labels": labels | {"team": chance.choice("ab")}},
            "spec": {
                "replicas": chance.randint(0, 2), "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels | {"track": "stable"}},
                    "spec": {"containers": [container]},
                },
            },
        })  # fmt: skip
    return found


def commands(chance: Random, stored: list[Object]) -> list[list[str]]:
    """Commands about these objects, and about some that are not there."""
    by_kind: dict[str, list[str]] = {}
    for each in stored:
        by_kind.setdefault(each["kind"], []).append(each["metadata"]["name"])
    services = [*by_kind.get("Service", ()), "nothere"]
    found = [["get", chance.choice(_RESOURCES), *chance.choice(_OUTPUTS)] for _ in range(14)]
    for _ in range(5):
        name = chance.choice(services)
        found.append(["get", chance.choice(["svc", "services"]), name, *chance.choice(_OUTPUTS[:6])])
        found.append(["get", f"svc/{name}", *chance.choice(_OUTPUTS[:4])])
    found.append(["get", "svc", "--field-selector", f"metadata.name={chance.choice(services)}"])
    found += [["describe", "service", name] for name in services]
    for kind, word in (("Endpoints", "endpoints"), ("EndpointSlice", "endpointslice"), ("Pod", "pod")):
        if by_kind.get(kind) and kind != "Pod":
            found.append(["describe", word, chance.choice(by_kind[kind])])
    sources = [
        *[f"deployment/{name}" for name in by_kind.get("Deployment", ())],
        *[f"rs/{name}" for name in by_kind.get("ReplicaSet", ())],
        *[f"pod/{name}" for name in by_kind.get("Pod", ())[:2]],
        *[f"service/{name}" for name in services],
    ]
    found += [_expose(chance, chance.choice(sources)) for _ in range(10)]
    found += [_create(chance) for _ in range(6)]
    return found


def _expose(chance: Random, source: str) -> list[str]:
    flags = [
        f"--port={chance.choice(['80', '8080', '80,443', 'x', '0', '70000'])}",
        f"--target-port={chance.choice(['8080', 'http', 'x y'])}",
        f"--type={chance.choice(['NodePort', 'LoadBalancer', 'ClusterIP', 'ExternalName', 'x'])}",
        f"--protocol={chance.choice(['UDP', 'TCP', 'SCTP', 'x'])}", "--name=other",
        f"--external-ip={chance.choice(['198.51.100.7', 'x'])}", "--session-affinity=ClientIP",
        "--load-balancer-ip=198.51.100.8", f"--labels={chance.choice(['a=b,c=d', 'x', 'a='])}",
        f"--selector={chance.choice(['app=z', 'app', 'a=b,c=d', 'app in (a)'])}",
        f"--cluster-ip={chance.choice(['None', '10.96.0.9', ''])}",
    ]  # fmt: skip
    chosen = chance.sample(flags, chance.randint(0, 4))
    if chance.random() < 0.6 and flags[0] not in chosen:
        chosen.append("--port=80")
    return [
        "expose",
        source,
        *chosen,
        "--dry-run=client",
        "-o",
        chance.choice(["yaml", "yaml", "json", "name"]),
    ]


def _create(chance: Random) -> list[str]:
    kind = chance.choice(["clusterip", "nodeport", "loadbalancer", "externalname"])
    tcp = ("80", "80:8080", "80:http", "443:8443", "x", "80:", "0:1")
    flags = [f"--tcp={chance.choice(tcp)}" for _ in range(chance.randint(0, 2))]
    if kind == "nodeport" and chance.random() < 0.5:
        flags.append(f"--node-port={chance.choice(['30080', '0', '99999'])}")
    if kind == "clusterip" and chance.random() < 0.4:
        flags.append(f"--clusterip={chance.choice(['None', '10.96.0.9', 'x'])}")
    if kind == "externalname" and chance.random() < 0.8:
        flags.append(f"--external-name={chance.choice(['db.example.com', 'x_y', ''])}")
    name = chance.choice([["s"], ["Upper"], []])
    return [
        "create",
        "service",
        kind,
        *name,
        *flags,
        "--dry-run=client",
        "-o",
        chance.choice(["yaml", "json"]),
    ]


def questions(chance: Random, space: str, stored: list[Object]) -> list[tuple[str, str]]:
    """Names that are there, in every form, and such that are not."""
    zone = "svc.cluster.local."
    names = {f"{space}.{zone}", f"nothere.{space}.{zone}", f"any.thing.nothere.{space}.{zone}"}
    names |= {
        f"nowhere.{zone}",
        zone,
        "cluster.local.",
        f"dns-version.{'cluster.local.'}",
        "pod.cluster.local.",
    }
    ips: set[str] = set()
    for each in stored:
        name = each["metadata"]["name"]
        match each["kind"]:
            case "Service":
                own = f"{name}.{space}.{zone}"
                names |= {own, f"{name.upper()}.{space}.{zone}", f"{name}.nowhere-{space}.{zone}"}
                ports = [port.get("name", "") for port in each["spec"].get("ports") or ()]
                for port in (*ports, "nothere", "*"):
                    names |= {f"_{port}._{protocol}.{own}" for protocol in ("tcp", "udp", "sctp", "*")}
                names |= {f"h-1.{own}", f"host-1.{own}", f"10-180-0-1.{own}", f"pod-1.{own}", f"*.{own}"}
                ips.update(ip for ip in each["spec"].get("clusterIPs") or () if ip != "None")
            case "Pod":
                for ip in (each.get("status") or {}).get("podIPs") or ():
                    dashed = ip["ip"].replace(".", "-").replace(":", "-")
                    names |= {f"{dashed}.{space}.pod.cluster.local.", f"{dashed}.svc-0.{space}.{zone}"}
                    ips.add(ip["ip"])
            case "EndpointSlice":
                for end in each.get("endpoints") or ():
                    if each["addressType"] != "FQDN":
                        ips.update(end["addresses"])
                        dashed = end["addresses"][0].replace(".", "-").replace(":", "-")
                        owner = (each["metadata"].get("labels") or {}).get("kubernetes.io/service-name", "x")
                        names.add(f"{end.get('hostname') or dashed}.{owner}.{space}.{zone}")
    names |= {f"10-9-9-9.{space}.pod.cluster.local.", f"not-an-ip.{space}.pod.cluster.local."}
    asked = []
    for name in sorted(names):
        kinds = {"A", chance.choice(RECORD_TYPES)} | (
            {"SRV"} if "._" in name or chance.random() < 0.3 else set()
        )
        asked += [(name, kind) for kind in sorted(kinds)]
    chosen = chance.sample(asked, min(len(asked), 110))
    for ip in sorted(ips)[:20]:
        chosen.append((ip_address(ip).reverse_pointer + ".", "PTR"))
    return [*chosen, ("1.0.0.127.in-addr.arpa.", "PTR"), ("9.9.9.10.in-addr.arpa.", "PTR")]
