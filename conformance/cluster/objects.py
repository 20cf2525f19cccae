"""Random objects as people and programs write them: right ones, odd ones, and for the API wrong ones."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

Object = dict[str, Any]

ZONES = ("zone-a", "zone-b", "zone-c")
LABELS = ({"app": "web"}, {"app": "web", "track": "stable"}, {"app": "web", "track": "canary"}, {"app": "db"})
PORT_NAMES = ("http", "dns", "metrics", "p-2")
PROTOCOLS = ("TCP", "TCP", "TCP", "UDP", "SCTP")
_ODD_TEXTS = (
    "", " ", "UPPER", "a" * 63, "a" * 64, "-a", "a-", "a.b", "a_b", "1", "0", "true", "*", "a/b", "10.0.0.1",
    "::1", "fd00::1", "01.2.3.4", "256.1.1.1", "x" * 253, "ä", "None", "none", "a b", "999999", "-1", "0x10",
)  # fmt: skip
_ODD_VALUES = (None, 0, -1, 1, 65535, 65536, 80, 2**31, 1.5, True, [], {}, "80", "http", ["a"], {"a": "b"})


def nodes(chance: Random) -> list[Object]:
    """Up to five nodes, most of them with a zone."""
    found = []
    for number in range(chance.randint(1, 5)):
        name = f"node-{'abcde'[number]}"
        labels = {"kubernetes.io/hostname": name}
        if chance.random() < 0.8:
            labels["topology.kubernetes.io/zone"] = chance.choice(ZONES)
        if chance.random() < 0.1:
            labels["node-role.kubernetes.io/control-plane"] = ""
        if chance.random() < 0.05:
            labels["node.kubernetes.io/exclude-from-external-load-balancers"] = ""
        node: Object = {
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "spec": {},
            "status": {
                "addresses": [{"type": "InternalIP", "address": f"192.168.10.{number + 1}"}],
                "conditions": [{"type": "Ready", "status": chance.choice(["True"] * 5 + ["False"])}],
            },
        }  # fmt: skip
        if chance.random() < 0.8:
            node["status"]["allocatable"] = {"cpu": chance.choice(["1", "2", "4", "500m"])}
        if chance.random() < 0.1:
            node["spec"]["unschedulable"] = True
        found.append(node)
    return found


def pod(chance: Random, namespace: str, number: int, node_names: list[str]) -> Object:
    """A pod in any state that a pod can be in."""
    phase = chance.choice(["Running"] * 8 + ["Pending", "Succeeded", "Failed", "Unknown"])
    ready = chance.choice(["True"] * 4 + ["False", "Unknown"])
    ips = [f"10.180.{number % 7}.{number + 1}"]
    if chance.random() < 0.4:
        ips.append(f"fd00:10:180::{number + 1:x}")
    if chance.random() < 0.1:
        ips.reverse()
    if (phase == "Pending" and chance.random() < 0.7) or chance.random() < 0.05:
        ips = []
    container: Object = {"name": "c", "image": "nginx"}
    ports = [
        {
            "name": name, "containerPort": chance.choice([53, 80, 8080, 8081, 9090]),
            "protocol": chance.choice(PROTOCOLS),
        }
        for name in chance.sample(PORT_NAMES, chance.randint(0, 3))
    ]  # fmt: skip
    if ports:
        container["ports"] = ports
    spec: Object = {"containers": [container], "restartPolicy": chance.choice(["Always", "Always", "Never"])}
    if chance.random() < 0.9:
        spec["nodeName"] = chance.choice([*node_names, *node_names, "node-gone"])
    if chance.random() < 0.2:
        spec["hostname"] = f"host-{number % 3}"
    if chance.random() < 0.2:
        spec["subdomain"] = chance.choice(["svc-0", "svc-1", "other"])
    if chance.random() < 0.1:
        spec["readinessGates"] = [{"conditionType": "example.com/ready"}]
    if chance.random() < 0.08:
        spec["hostNetwork"] = True
        for each in ports:
            each["hostPort"] = each["containerPort"]
    conditions = [{"type": "Ready", "status": ready}]
    if chance.random() < 0.2:
        conditions = []
    status: Object = {"phase": phase, "conditions": conditions}
    if ips:
        status |= {"podIP": ips[0], "podIPs": [{"ip": ip} for ip in ips]}
    metadata: Object = {
        "name": f"pod-{number}", "namespace": namespace, "labels": dict(chance.choice(LABELS)),
    }  # fmt: skip
    if chance.random() < 0.12:
        metadata["finalizers"] = ["example.com/held"]  # so that a deletion leaves it terminating
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def service(chance: Random, namespace: str, number: int) -> Object:
    """A Service that the API server takes, with what clusters hold."""
    names = chance.sample(PORT_NAMES, chance.randint(1, 3))
    ports = []
    for name in names:
        port: Object = {
            "name": name, "port": {"http": 80, "dns": 53, "metrics": 9090, "p-2": 443}[name],
            "protocol": chance.choice(PROTOCOLS),
        }  # fmt: skip
        target = chance.choice([None, 8080, 80, name, "http", "nothere"])
        if target is not None:
            port["targetPort"] = target
        if chance.random() < 0.1:
            port["appProtocol"] = chance.choice(["kubernetes.io/h2c", "http"])
        ports.append(port)
    if len(ports) == 1 and chance.random() < 0.5:
        del ports[0]["name"]
    kind = chance.choice(["ClusterIP"] * 5 + ["NodePort", "LoadBalancer", "ExternalName"])
    spec: Object = {"type": kind, "ports": ports}
    if chance.random() < 0.85:
        spec["selector"] = dict(chance.choice(LABELS))
    if kind == "ClusterIP" and chance.random() < 0.3:
        spec["clusterIP"] = "None"
        if chance.random() < 0.15:
            del spec["ports"]
    if kind == "ExternalName":
        spec["externalName"] = chance.choice(["db.example.com", "svc-0.other.svc.cluster.local", "10.0.0.1"])
    elif chance.random() < 0.4:
        spec["ipFamilyPolicy"] = chance.choice(["SingleStack", "PreferDualStack", "RequireDualStack"])
        if chance.random() < 0.3:
            spec["ipFamilies"] = chance.choice([["IPv6"], ["IPv4"]])
    if chance.random() < 0.2:
        spec["publishNotReadyAddresses"] = True
    if chance.random() < 0.3 and kind != "ExternalName":
        spec["trafficDistribution"] = chance.choice(["PreferClose", "PreferSameZone", "PreferSameNode"])
    if chance.random() < 0.2:
        spec["internalTrafficPolicy"] = chance.choice(["Local", "Cluster"])
    if chance.random() < 0.15:
        spec["externalIPs"] = ["198.51.100.7"]
    if chance.random() < 0.15 and kind != "ExternalName":
        spec |= {"sessionAffinity": "ClientIP"}
    if kind in ("NodePort", "LoadBalancer") and chance.random() < 0.3:
        spec["externalTrafficPolicy"] = "Local"
    metadata: Object = {"name": f"svc-{number}", "namespace": namespace}
    odd = (
        ("team", "a"),
        ("service.kubernetes.io/service-proxy-name", "other"),
        ("service.kubernetes.io/headless", ""),
        ("endpointslice.kubernetes.io/managed-by", "somebody"),
        ("kubernetes.io/service-name", "else"),
    )
    labels = {key: value for key, value in odd if chance.random() < (0.4 if key == "team" else 0.08)}
    if labels:
        metadata["labels"] = labels
    if chance.random() < 0.2:
        # Which endpoints topology-mode Auto gives to another zone depends upstream on a hash map.
        mode = chance.choice(["Disabled", "disabled", "x"])
        metadata["annotations"] = {
            chance.choice(["service.kubernetes.io/topology-mode", "example.com/note"]): mode
        }
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def endpoints(chance: Random, namespace: str, name: str) -> Object:
    """Endpoints as somebody makes them by hand, beside a Service without a selector or not."""
    subsets = []
    for part in range(chance.choice([0, 1, 1, 1, 2])):
        subset: Object = {}
        for kind in ("addresses", "notReadyAddresses"):
            if kind == "addresses" or chance.random() < 0.4:
                subset[kind] = [
                    _address(chance, 40 * part + 20 * (kind != "addresses") + n)
                    for n in range(chance.choice([1, 1, 2, 3, 5]))
                ]
        if chance.random() < 0.85:
            ports = [
                {"port": chance.choice([80, 8080, 53]), "protocol": chance.choice(PROTOCOLS), "name": name}
                for name in chance.sample(PORT_NAMES, chance.randint(1, 2))
            ]
            if len(ports) == 1 and chance.random() < 0.4:
                del ports[0]["name"]
            subset["ports"] = ports
        subsets.append(subset)
    metadata: Object = {"name": name, "namespace": namespace}
    labels = {
        key: value
        for key, value, share in (
            ("team", "b", 0.3),
            ("endpointslice.kubernetes.io/skip-mirror", chance.choice(["true", "false"]), 0.15),
            ("service.kubernetes.io/headless", "", 0.1),
        )
        if chance.random() < share
    }
    if labels:
        metadata["labels"] = labels
    if chance.random() < 0.1:
        metadata["annotations"] = {"control-plane.alpha.kubernetes.io/leader": "{}"}
    elif chance.random() < 0.2:
        metadata["annotations"] = {"example.com/note": "x"}
    found: Object = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata}
    if subsets:
        found["subsets"] = subsets
    return found


def _address(chance: Random, number: int) -> Object:
    ip = f"10.181.0.{number + 1}" if chance.random() < 0.8 else f"fd00:10:181::{number + 1:x}"
    found: Object = {"ip": ip}
    if chance.random() < 0.3:
        found["hostname"] = f"h-{number % 4}"
    if chance.random() < 0.3:
        found["nodeName"] = chance.choice(["node-a", "node-b"])
    if chance.random() < 0.2:
        found["targetRef"] = {"kind": "Pod", "name": f"pod-{number}", "namespace": "elsewhere"}
    return found


def endpoint_slice(chance: Random, namespace: str, service_name: str, number: int) -> Object:
    """An EndpointSlice of somebody's own."""
    family = chance.choice(["IPv4", "IPv4", "IPv4", "IPv6", "FQDN"])
    ends = []
    for place in range(chance.randint(0, 4)):
        address = {
            "IPv4": f"10.182.{number}.{place + 1}",
            "IPv6": f"fd00:10:182:{number}::{place + 1:x}",
            "FQDN": f"host-{place}.example.com",
        }[family]
        end: Object = {"addresses": [address]}
        if chance.random() < 0.7:
            end["conditions"] = {
                key: chance.choice([True, True, False])
                for key in chance.sample(["ready", "serving", "terminating"], chance.randint(1, 3))
            }
        if chance.random() < 0.4:
            end["nodeName"] = chance.choice(["node-a", "node-b"])
        if chance.random() < 0.4:
            end["zone"] = chance.choice(ZONES)
        if chance.random() < 0.3:
            end["hostname"] = f"h-{place % 2}"
        if chance.random() < 0.2:
            end["hints"] = {"forZones": [{"name": chance.choice(ZONES)}]}
        ends.append(end)
    ports = [
        {"name": name, "port": chance.choice([80, 8080, 53]), "protocol": chance.choice(PROTOCOLS)}
        for name in chance.sample(PORT_NAMES, chance.randint(0, 3))
    ]
    return {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": family,
        "metadata": {
            "name": f"{service_name}-own-{number}", "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service_name},
        },
        "endpoints": ends, "ports": ports,
    }  # fmt: skip


def for_the_api(chance: Random, namespace: str, number: int) -> Object:
    """An object that may be wrong in any way: a right one, with up to three things changed."""
    made = chance.choice([service, service, service, endpoint_slice, endpoints])
    if made is service:
        found = service(chance, namespace, number)
    elif made is endpoint_slice:
        found = endpoint_slice(chance, namespace, f"svc-{number % 5}", number % 9)
    else:
        found = endpoints(chance, namespace, f"svc-{number}")
    found = copy.deepcopy(found)
    for _ in range(chance.choice([0, 1, 1, 1, 2, 3])):
        _change_something(chance, found)
    if isinstance(found.get("metadata"), dict):
        found["metadata"]["namespace"] = namespace  # it is in the path of the request, too
    return found


_ADDED: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("nodePort", (30080, 29999, 32767, 32768, 0, "x")),
    ("clusterIP", ("10.96.0.77", "10.95.0.1", "None", "", "fd00:10:96::77", "x")),
    ("clusterIPs", (["10.96.0.77"], ["10.96.0.77", "fd00:10:96::7"], ["None"], ["x", "y", "z"], [])),
    ("loadBalancerSourceRanges", (["10.0.0.0/8"], ["10.0.0.0"], ["10.0.0.1/8"], ["x"], [" 10.0.0.0/8 "])),
    ("loadBalancerIP", ("198.51.100.9", "x")),
    ("loadBalancerClass", ("example.com/lb", "x y")),
    ("healthCheckNodePort", (30100, 0, 99999, 32768)),
    ("allocateLoadBalancerNodePorts", (True, False)),
    ("sessionAffinityConfig", ({"clientIP": {"timeoutSeconds": 30}}, {"clientIP": {"timeoutSeconds": 0}})),
    ("externalIPs", (["127.0.0.1"], ["0.0.0.0"], ["224.0.0.1"], ["198.51.100.7", "198.51.100.7"], ["x"])),
    ("externalName", ("a.example.com", "A_b", "10.0.0.1", "x" * 260)),
    ("externalTrafficPolicy", ("Local", "Cluster", "local")),
    ("internalTrafficPolicy", ("Local", "x")),
    ("ipFamilies", (["IPv4", "IPv6"], ["IPv6", "IPv4"], ["IPv4", "IPv4"], ["IPv5"], [])),
    ("ipFamilyPolicy", ("RequireDualStack", "PreferDualStack", "x")),
    ("type", ("LoadBalancer", "NodePort", "x", "")),
    ("unknown", (1, "x", {})),
)  # fmt: skip


def _change_something(chance: Random, found: Object) -> None:
    way = chance.random()
    if way < 0.35 and isinstance(found.get("spec"), dict):
        name, values = chance.choice(_ADDED)
        target = found["spec"]
        if name == "nodePort" and isinstance(target.get("ports"), list) and target["ports"]:
            target = chance.choice(target["ports"])
        if isinstance(target, dict):
            target[name] = copy.deepcopy(chance.choice(values))
        return
    places = list(_places(found))
    if not places:
        return
    holder, key = chance.choice(places)
    if way < 0.55:
        del holder[key]
    elif way < 0.75:
        holder[key] = chance.choice(_ODD_TEXTS)
    elif way < 0.9:
        holder[key] = copy.deepcopy(chance.choice(_ODD_VALUES))
    elif isinstance(holder, list):
        holder.insert(int(key), copy.deepcopy(holder[key]))
    else:
        holder[f"{key}X"] = holder.pop(key)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in an object at which something stands, but its kind and version."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        for key in value:
            if key not in ("kind", "apiVersion"):
                found += [(value, key), *_places(value[key])]
    elif isinstance(value, list):
        for index, each in enumerate(value):
            found += [(value, index), *_places(each)]
    return found
