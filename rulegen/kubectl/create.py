"""``kubectl create service clusterip|nodeport|loadbalancer|externalname``: the Service it writes."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from rulegen.kubectl.errors import KubectlError
from rulegen.kubectl.service import service_of
from rulegen.load.api.answers import quoted
from rulegen.load.api.names import dns_subdomain, port_name, port_number


class NewService(msgspec.Struct, frozen=True, kw_only=True):
    """What ``create service`` was given.

    ``tcp`` are ports as ``PORT``, ``PORT:TARGET``; all of them get ``node_port``, where it is not 0. The
    namespace is written only where it was given.
    """

    name: str
    type: str
    tcp: tuple[str, ...] = ()
    cluster_ip: str = ""
    node_port: int = 0
    external_name: str = ""
    namespace: str = ""


def create_service(new: NewService) -> dict[str, Any]:
    """The Service; :class:`KubectlError` in kubectl's words for what it refuses."""
    if new.cluster_ip == "None" and new.type != "ClusterIP":
        raise KubectlError("ClusterIP=None can only be used with ClusterIP service type")
    if new.cluster_ip != "None" and not new.tcp and new.type != "ExternalName":
        raise KubectlError("at least one tcp port specifier must be provided")
    if new.type == "ExternalName" and dns_subdomain(new.external_name):
        raise KubectlError(f"invalid service external name {new.external_name}")
    return service_of(
        {"name": new.name, "namespace": new.namespace, "labels": {"app": new.name}},
        {
            "ports": [_port(each, new.node_port) for each in new.tcp],
            "selector": {"app": new.name},
            "clusterIP": new.cluster_ip,
            "type": new.type,
            "externalName": new.external_name,
        },
    )


def _port(text: str, node_port: int) -> dict[str, Any]:
    number, *rest = text.split(":")
    port = _unsigned(number)
    return {
        "name": text.replace(":", "-"),
        "protocol": "TCP",
        "port": port,
        "targetPort": _target(rest[0]) if rest else port,
        "nodePort": int32(node_port),
    }


def _unsigned(text: str) -> int:
    if not re.fullmatch(r"[0-9]+", text, re.ASCII):
        raise KubectlError(f"strconv.ParseUint: parsing {quoted(text)}: invalid syntax")
    if int(text) > 0xFFFF:
        raise KubectlError(f"strconv.ParseUint: parsing {quoted(text)}: value out of range")
    return int(text)


def _target(text: str) -> int | str:
    number = atoi(text)
    if isinstance(number, int):
        faults = port_number(number)
    else:
        faults = port_name(text)
    if faults:
        raise KubectlError(",".join(faults))
    return text if isinstance(number, str) else number


def atoi(text: str) -> int | str:
    """The number that ``strconv.Atoi`` reads, or what it says is wrong."""
    if not re.fullmatch(r"[+-]?[0-9]+", text, re.ASCII):
        return f"strconv.Atoi: parsing {quoted(text)}: invalid syntax"
    number = int(text)
    if not -(2**63) <= number < 2**63:
        return f"strconv.Atoi: parsing {quoted(text)}: value out of range"
    return number


def int32(number: int) -> int:
    """The lowest 32 bits, as Go keeps them where kubectl converts a number without a look."""
    return (number + 2**31) % 2**32 - 2**31
