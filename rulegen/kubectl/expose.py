"""``kubectl expose``: the Service that it makes of a Pod, a Service or what makes Pods."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from rulegen.kubectl.create import atoi, int32
from rulegen.kubectl.errors import KubectlError
from rulegen.kubectl.overrides import Overrides
from rulegen.kubectl.plain import Object, at, fields, items, name_of, number, text
from rulegen.kubectl.resources import Resource
from rulegen.kubectl.service import service_of, typed

_EXPOSED = {
    ("", "ReplicationController"),
    ("", "Service"),
    ("", "Pod"),
    ("apps", "Deployment"),
    ("apps", "ReplicaSet"),
}


class Expose(msgspec.Struct, kw_only=True):
    """What ``expose`` was given, and what it found out in the meantime.

    Of several objects that are exposed at once, what the first one tells (its selector, labels, ports) is
    kept for the others, as kubectl does. ``node_port`` is ours: for a Service of one port, 0 leaves it out.
    """

    name: str = ""
    selector: str = ""
    port: str = ""
    target_port: str = ""
    protocol: str = ""
    type: str = ""
    labels: str = ""
    external_ip: str = ""
    load_balancer_ip: str = ""
    session_affinity: str = ""
    cluster_ip: str = ""
    node_port: int = 0
    namespace: str = ""
    change_cause: str = ""
    overrides: Overrides | None = None
    _ports: str = ""
    _protocols: Mapping[str, Sequence[str]] = {}

    def service_for(self, resource: Resource, item: Object) -> dict[str, Any]:
        """The Service for one object; :class:`KubectlError` in kubectl's words.

        ``resource`` is the type of the object. The Service gets :attr:`namespace` only where it is set.
        """
        if (resource.group, resource.kind) not in _EXPOSED:
            kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
            raise KubectlError(f"cannot expose a {kind}")
        if not self.selector:
            self.selector = _selector(resource, item)
        ports = _ports(resource, item)
        if not self.port:
            if not ports and self.cluster_ip != "None":
                raise KubectlError("couldn't find port via --port flag or introspection")
            if len(ports) == 1:
                self.port = next(iter(ports))
            elif ports:
                self._ports = ",".join(ports)
        self._protocols = ports or self._protocols
        if not self.labels:
            self.labels = _joined(fields(item, "metadata", "labels"))
        service = self._service(name_of(item).encode()[:63].decode(errors="ignore"))
        if self.overrides is not None:
            service = typed(self.overrides.apply(service))
        metadata = service["metadata"]
        if self.change_cause:
            metadata.setdefault("annotations", {})["kubernetes.io/change-cause"] = self.change_cause
        if self.namespace:
            metadata["namespace"] = self.namespace
        return typed(service)

    def _service(self, default_name: str) -> dict[str, Any]:
        if not self.selector:
            raise KubectlError("selector must be specified")
        selector = _labels(self.selector)
        labels = _labels(self.labels) if self.labels else {}
        name = self.name or default_name
        if not name:
            raise KubectlError("name must be specified")
        ports = list(self._service_ports())
        if self.node_port:
            if self.type not in ("NodePort", "LoadBalancer"):
                raise KubectlError("--node-port goes with --type=NodePort or --type=LoadBalancer")
            if len(ports) != 1:
                raise KubectlError(f"--node-port is for one port, and this Service has {len(ports)}")
            ports[0]["nodePort"] = int32(self.node_port)
        if self.session_affinity not in ("", "None", "ClientIP"):
            raise KubectlError(f"unknown session affinity: {self.session_affinity}")
        return service_of(
            {"name": name, "labels": labels},
            {
                "ports": ports,
                "selector": selector,
                "clusterIP": self.cluster_ip,
                "type": self.type,
                "externalIPs": [self.external_ip] if self.external_ip else [],
                "sessionAffinity": self.session_affinity,
                "loadBalancerIP": self.load_balancer_ip if self.type == "LoadBalancer" else "",
            },
        )

    def _service_ports(self) -> Iterable[dict[str, Any]]:
        listed = self._ports or self.port
        texts = listed.split(",") if listed else []
        for i, each in enumerate(texts, 1):
            port = atoi(each)
            if isinstance(port, str):
                raise KubectlError(port)
            name = f"port-{i}" if len(texts) > 1 else ""
            protocols = [self.protocol] if self.protocol else self._protocols.get(each) or ["TCP"]
            for protocol in protocols:
                yield {
                    "name": name if len(protocols) == 1 else f"port-{i}-{protocol.lower()}",
                    "protocol": protocol,
                    "port": int32(port),
                    "targetPort": _target(self.target_port) if self.target_port else int32(port),
                }


def _target(target: str) -> int | str:
    """A port's number where it fits 32 bits, else a name."""
    if re.fullmatch(r"[+-]?[0-9]+", target, re.ASCII) and -(2**31) <= int(target) < 2**31:
        return int(target)
    return target


def _selector(resource: Resource, item: Object) -> str:
    kind = resource.kind
    if kind == "Pod":
        labels = fields(item, "metadata", "labels")
        fault = "" if labels else "the pod has no labels and cannot be exposed"
    elif kind == "Service":
        labels = fields(item, "spec", "selector")
        fault = "" if at(item, "spec", "selector") is not None else "the service has no pod selector set"
    elif kind == "ReplicationController":
        labels = fields(item, "spec", "selector")
        fault = ""
    else:
        labels = fields(item, "spec", "selector", "matchLabels")
        fault = f"invalid {kind.lower()}: no selectors, therefore cannot be exposed"
        expressions = items(item, "spec", "selector", "matchExpressions")
        if labels:
            fault = (
                f'couldn\'t convert expressions - "{_as_go(expressions)}" to map-based selector format'
                if expressions
                else ""
            )
    if fault:
        raise KubectlError(f"couldn't retrieve selectors via --selector flag or introspection: {fault}")
    return _joined(labels)


def _as_go(expressions: Sequence[Object]) -> str:
    """Expressions as Go's ``%+v`` prints them."""
    shown = [
        f"{{Key:{text(each, 'key')} Operator:{text(each, 'operator')}"
        f" Values:[{' '.join(items(each, 'values'))}]}}"
        for each in expressions
    ]
    return f"[{' '.join(shown)}]"


def _ports(resource: Resource, item: Object) -> dict[str, list[str]]:
    """The ports of an object, each once, in order, with its protocols."""
    found: dict[str, list[str]] = {}
    if resource.kind == "Service":
        listed = [(number(port, "port"), port) for port in items(item, "spec", "ports")]
    else:
        pod = item if resource.kind == "Pod" else at(item, "spec", "template")
        containers = items(pod, "spec", "containers")
        listed = [
            (number(port, "containerPort"), port) for each in containers for port in items(each, "ports")
        ]
    for port_number, port in listed:
        found.setdefault(str(port_number), []).append(text(port, "protocol") or "TCP")
    return found


def _joined(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items())


def _labels(listed: str) -> dict[str, str]:
    labels: dict[str, str] = {}
    for each in listed.split(","):
        parts = each.split("=")
        if len(parts) != 2:
            raise KubectlError(f"unexpected label spec: {each}")
        if not parts[0]:
            raise KubectlError("unexpected empty label key")
        labels[parts[0]] = parts[1]
    return labels
