"""The node that rules are made for: from its Node object, a node file, and what the command line says."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any, TypeAlias

import msgspec

from rulegen.load.items import Item, Reader
from rulegen.load.jsontext import JsonError
from rulegen.load.problems import LoadError, Problem
from rulegen.load.sources import Source, texts
from rulegen.model import Cluster, KubeNode, Node

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

DEFAULT_NAME = "node"
LOOPBACK = ("127.0.0.1/8", "::1/128")

_device = re.compile(r"[^\s/:,=\"'\\]{1,15}").fullmatch
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LEADING_ZEROS = re.compile(r"\b0+(?=\d)")
_FIELDS = ("name", "labels", "ips", "podCIDRs", "interfaces", "conntrackTCPBeLiberal", "nfacct")


class NodeFacts(msgspec.Struct, frozen=True):
    """The node, and what was assumed of it because nothing said otherwise.

    ``interfaces_note`` says which addresses its interfaces were given; it matters to rules that depend on
    them (ipvs mode, nodePortAddresses with CIDRs) and is empty where they were told.
    """

    node: Node
    notes: tuple[str, ...] = ()
    interfaces_note: str = ""


class _Given(msgspec.Struct, frozen=True, kw_only=True):
    """What one place says of the node; None where it says nothing."""

    name: str | None = None
    labels: Mapping[str, str] | None = None
    ips: tuple[str, ...] | None = None
    pod_cidrs: tuple[str, ...] | None = None
    interfaces: Mapping[str, tuple[str, ...]] | None = None
    conntrack_tcp_be_liberal: bool | None = None
    nfacct: bool | None = None


def node_facts(
    cluster: Cluster,
    *,
    file: Source | None = None,
    name: str | None = None,
    ips: Sequence[str] | None = None,
    interfaces: Sequence[str] | None = None,
    conntrack_liberal: bool | None = None,
    nfacct: bool | None = None,
    configuration: Mapping[str, Any] | None = None,
    stdin: IO[bytes] | IO[str] | None = None,
) -> NodeFacts:
    """What is known of the node: each fact from these arguments, else the node file, else the Node object.

    ``file`` holds a node as recorded cases have it (``name``, ``labels``, ``ips``, ``podCIDRs``,
    ``interfaces``, ``conntrackTCPBeLiberal``, ``nfacct``), or a Node object. ``interfaces`` are texts such as
    ``eth0=192.168.10.11/24,2001:db8::b/64``. The name may also come from ``hostnameOverride`` of the
    ``configuration`` (that of the cluster unless given), whose ``conntrack.tcpBeLiberal`` makes the sysctl be
    set. Without interfaces the node has its IPs on eth0, and a loopback; without a name the only Node object
    is it. Node IPs are chosen as kube-proxy does: InternalIPs before ExternalIPs, one of each family.

    Raises :class:`LoadError` for facts that are malformed, for a name that no Node object has, and where
    several Node objects are there and none is named.
    """
    problems: list[Problem] = []
    settings = cluster.proxy_configuration if configuration is None else configuration
    flags = _of_flags(name, ips or (), interfaces or (), conntrack_liberal, nfacct, problems)
    from_file = _of_file(file, stdin, problems) if file is not None else _Given()
    if problems:
        raise LoadError(sorted(problems, key=lambda problem: problem.line))
    override = str((settings or {}).get("hostnameOverride") or "").strip().lower() or None
    wanted = flags.name or from_file.name or override
    known = _chosen(cluster.nodes, wanted, from_file)
    notes = []
    if known is None and file is None:
        notes.append(
            "no Node object and no node file: a plain default node is used"
            " (--node, --node-ip and --interface say what it is like)"
        )
    from_object = _of_object(known) if known else _Given(name=wanted or DEFAULT_NAME)
    conntrack = (settings or {}).get("conntrack")
    be_liberal = isinstance(conntrack, Mapping) and bool(conntrack.get("tcpBeLiberal"))
    places = (flags, from_file, from_object, _Given(conntrack_tcp_be_liberal=be_liberal or None))
    node_ips = _first([place.ips for place in places]) or ()
    devices = _first([place.interfaces for place in places])
    assumed = ""
    if devices is None:
        devices = _devices_for(node_ips)
        held = ", ".join(f"{device} {' '.join(addresses)}" for device, addresses in devices.items())
        assumed = f"nothing says what addresses the node's interfaces have: {held} is assumed"
    return NodeFacts(
        Node(
            name=_first([place.name for place in places]) or DEFAULT_NAME,
            labels=_first([place.labels for place in places]) or {},
            ips=node_ips,
            pod_cidrs=_first([place.pod_cidrs for place in places]) or (),
            interfaces=devices,
            conntrack_tcp_be_liberal=bool(_first([place.conntrack_tcp_be_liberal for place in places])),
            nfacct=bool(_first([place.nfacct for place in places])),
        ),
        tuple(notes),
        assumed,
    )


def _first(values: Iterable[Any]) -> Any:
    return next((value for value in values if value is not None), None)


def _chosen(nodes: Sequence[KubeNode], wanted: str | None, from_file: _Given) -> KubeNode | None:
    names = sorted(node.metadata.name for node in nodes)
    listed = ", ".join(names)
    if wanted is not None:
        for node in nodes:
            if node.metadata.name == wanted:
                return node
        if nodes and from_file == _Given():
            raise LoadError([Problem("", 0, f"Node {wanted}", "", f"not found; the nodes are {listed}")])
        return None
    if len(nodes) > 1 and from_file == _Given():
        message = f"{len(nodes)} Node objects were given: choose one with --node: {listed}"
        raise LoadError([Problem("", 0, "", "", message)])
    return nodes[0] if len(nodes) == 1 else None


def _of_object(node: KubeNode) -> _Given:
    found = [
        address
        for type_ in ("InternalIP", "ExternalIP")
        for entry in node.status.addresses or ()
        if entry.type == type_ and (address := _sloppy(entry.address)) is not None
    ]
    primary = found[:1]
    secondary = [address for address in found if primary and address.version != primary[0].version][:1]
    pod_cidrs = node.spec.pod_cidrs or ([node.spec.pod_cidr] if node.spec.pod_cidr else [])
    return _Given(
        name=node.metadata.name,
        labels=node.metadata.labels,
        ips=tuple(str(address) for address in primary + secondary),
        pod_cidrs=tuple(pod_cidrs),
    )


def _sloppy(text: str) -> Address | None:
    """An address as ``netutils.ParseIPSloppy`` reads it: leading zeros are passed over."""
    try:
        address = ipaddress.ip_address(_LEADING_ZEROS.sub("", text) if ":" not in text else text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id:
            return None
        return address.ipv4_mapped or address
    return address


def _devices_for(ips: Iterable[str]) -> dict[str, tuple[str, ...]]:
    own = tuple(f"{ip}/{128 if ':' in ip else 32}" for ip in ips)
    return {"lo": LOOPBACK, "eth0": own} if own else {"lo": LOOPBACK}


def _of_flags(
    name: str | None,
    ips: Sequence[str],
    interfaces: Sequence[str],
    conntrack_liberal: bool | None,
    nfacct: bool | None,
    problems: list[Problem],
) -> _Given:
    def report(field: str, message: str) -> None:
        problems.append(Problem("", 0, "Node", field, message))

    if name is not None:
        _check_name("name", name, report)
    for index, ip in enumerate(ips):
        _check_ip(f"ips[{index}]", ip, report)
    devices: dict[str, list[str]] = {}
    for text in interfaces:
        device, equals, addresses = text.partition("=")
        if not equals:
            report("interfaces", f'Invalid value: "{text}": must be DEVICE=ADDRESS/LENGTH,...')
            continue
        listed = [part.strip() for part in addresses.split(",") if part.strip()]
        devices.setdefault(device, []).extend(listed)
    for device, listed in devices.items():
        _check_device(f"interfaces[{device}]", device, report)
        for address in listed:
            _check_interface_address(f"interfaces[{device}]", address, report)
    if devices:
        devices.setdefault("lo", list(LOOPBACK))
    return _Given(
        name=name,
        ips=tuple(ips) or None,
        interfaces={device: tuple(listed) for device, listed in devices.items()} if devices else None,
        conntrack_tcp_be_liberal=conntrack_liberal,
        nfacct=nfacct,
    )


def plain_node(data: Mapping[str, Any]) -> Node:
    """A node from plain data, of a node file's form or a Node object, with nothing assumed.

    Raises :class:`LoadError` for unknown keys and for values that a node file may not have.
    """
    problems: list[Problem] = []
    given = _of_file(data, None, problems) if data else _Given()
    if problems:
        raise LoadError(problems)
    return Node(
        name=given.name or "",
        labels=dict(given.labels or {}),
        ips=given.ips or (),
        pod_cidrs=given.pod_cidrs or (),
        interfaces=dict(given.interfaces or {}),
        conntrack_tcp_be_liberal=bool(given.conntrack_tcp_be_liberal),
        nfacct=bool(given.nfacct),
    )


def _of_file(source: Source, stdin: IO[bytes] | IO[str] | None, problems: list[Problem]) -> _Given:
    items: list[Item] = []
    file = ""
    for text in texts([source], recursive=False, stdin=stdin, problems=problems):
        file = text.file
        items.extend(Reader(text, 0, problems).items())
    if problems:
        return _Given()
    if len(items) != 1:
        problems.append(Problem(file, 0, "", "", f"a node file holds one node, this one holds {len(items)}"))
        return _Given()
    item = items[0]
    if item.kind == "Node":
        node = item.typed(KubeNode)
        if node is not None:
            return _of_object(node)
        problems.append(Problem(item.file, item.line, "Node", "", "is no Node object of Kubernetes"))
        return _Given()
    try:
        return _of_node_file(item, problems)
    except JsonError as error:
        problems.append(Problem(item.file, item.line + error.line, "Node", "", error.message))
        return _Given()


def _of_node_file(item: Item, problems: list[Problem]) -> _Given:
    data = {key: value for key, value in item.data().items() if value is not None}
    before = len(problems)

    def report(field: str, message: str) -> None:
        problems.append(Problem(item.file, item.line_of(field), "Node", field, message))

    def texts_of(field: str, value: Any) -> list[str]:
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
            report(field, "Invalid value: must be a list of strings")
            return []
        return listed

    for field in data:
        if field not in _FIELDS:
            report(field, f'unknown field "{field}"; a node file has {", ".join(_FIELDS)}')
    name = data.get("name")
    if name is not None:
        _check_name("name", name, report)
    labels = data.get("labels")
    if labels is not None and not (
        isinstance(labels, dict) and all(isinstance(value, str) for value in labels.values())
    ):
        report("labels", "Invalid value: must be a mapping of strings")
    ips = texts_of("ips", data["ips"]) if "ips" in data else None
    for index, ip in enumerate(ips or ()):
        _check_ip(f"ips[{index}]", ip, report)
    pod_cidrs = texts_of("podCIDRs", data["podCIDRs"]) if "podCIDRs" in data else None
    for index, cidr in enumerate(pod_cidrs or ()):
        _check_cidr(f"podCIDRs[{index}]", cidr, report)
    devices = None
    if "interfaces" in data:
        devices = {}
        if isinstance(data["interfaces"], dict):
            for device, value in data["interfaces"].items():
                path = f"interfaces.{device}"
                _check_device(path, device, report)
                devices[device] = tuple(texts_of(path, value if value is not None else []))
                for index, address in enumerate(devices[device]):
                    _check_interface_address(f"{path}[{index}]", address, report)
        else:
            report("interfaces", "Invalid value: must map devices to lists of addresses")
    for field in ("conntrackTCPBeLiberal", "nfacct"):
        if field in data and not isinstance(data[field], bool):
            report(field, "Invalid value: must be true or false")
    if len(problems) > before:
        return _Given()
    return _Given(
        name=name,
        labels=labels,
        ips=None if ips is None else tuple(ips),
        pod_cidrs=None if pod_cidrs is None else tuple(pod_cidrs),
        interfaces=devices,
        conntrack_tcp_be_liberal=data.get("conntrackTCPBeLiberal"),
        nfacct=data.get("nfacct"),
    )


def _check_name(field: str, name: Any, report: Any) -> None:
    if not isinstance(name, str) or len(name) > 253 or not _SUBDOMAIN.fullmatch(name):
        shown = f'"{name}"' if isinstance(name, str) else str(name)
        report(field, f"Invalid value: {shown}: must be the name of a node, a lowercase DNS subdomain")


def _check_ip(field: str, text: str, report: Any) -> None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        report(
            field,
            f'Invalid value: "{text}": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        )
        return
    if isinstance(address, ipaddress.IPv6Address) and (address.scope_id or address.ipv4_mapped):
        report(field, f'Invalid value: "{text}": must be an address without zone and not IPv4-mapped')


def _check_cidr(field: str, text: str, report: Any) -> None:
    try:
        ipaddress.ip_network(text, strict=False)
        if "/" not in text:
            raise ValueError
    except ValueError:
        report(
            field,
            f'Invalid value: "{text}": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
        )


def _check_interface_address(field: str, text: str, report: Any) -> None:
    try:
        length = text.partition("/")[2]
        if not length.isdecimal():
            raise ValueError
        ipaddress.ip_interface(text)
    except ValueError:
        report(
            field, f'Invalid value: "{text}": must be an address with its prefix length, as 192.168.10.11/24'
        )


def _check_device(field: str, device: object, report: Any) -> None:
    if (
        not isinstance(device, str)
        or not _device(device)
        or not device.isprintable()
        or device in (".", "..")
    ):
        detail = "must be the name of a network interface (at most 15 characters)"
        report(field, f'Invalid value: "{device}": {detail}')
