"""KubeProxyConfiguration: kube-proxy's defaults and validation (v1alpha1 as of 1.37, on Linux).

The paths are those that kube-proxy prints, which are the names of its Go fields
(``KubeProxyConfiguration.BindAddress``). Feature gates and logging are decoded, but not checked against what
the release knows: no rule depends on them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rulegen.load.api.addresses import parse_cidr, parse_ip
from rulegen.load.api.answers import (
    Errors,
    duplicate,
    invalid,
    invalid_json,
    unsupported,
)
from rulegen.load.duration import seconds

_ROOT = "KubeProxyConfiguration"
_MODES = ("iptables", "ipvs", "nftables")
_LOCAL_MODES = ("ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix", "")
_KEYWORDS = ("primary", "localhost", "all")
_MASQUERADE_BIT = 14
_HEALTHZ_PORT, _METRICS_PORT = 10256, 10249
_interface = re.compile(r"""[^\s"'\\/:\x00-\x1f\x7f-\U0010ffff]{1,15}""").fullmatch
_scheduler = re.compile("[a-z0-9_-]*").fullmatch
_number = re.compile("[+-]?[0-9]+").fullmatch


def default_configuration(config: dict[str, Any]) -> None:
    """Fill in what kube-proxy runs with where the configuration is silent; durations as Go prints them."""
    config["bindAddress"] = config["bindAddress"] or "0.0.0.0"
    ip = parse_ip(config["bindAddress"])
    hosts = ("0.0.0.0", "127.0.0.1") if ip is not None and ip.family == "IPv4" else ("[::]", "[::1]")
    for field, host, port in (
        ("healthzBindAddress", hosts[0], _HEALTHZ_PORT),
        ("metricsBindAddress", hosts[1], _METRICS_PORT),
    ):
        config[field] = _with_port(config[field], port) if config[field] else f"{host}:{port}"
    _default(config, "oomScoreAdj", -999)
    iptables, nftables, conntrack = config["iptables"], config["nftables"], config["conntrack"]
    for part, shortest in ((iptables, "1s"), (nftables, "1s"), (config["ipvs"], "0s")):
        _default_duration(part, "syncPeriod", "30s")
        _default_duration(part, "minSyncPeriod", shortest)
    for field in ("tcpTimeout", "tcpFinTimeout", "udpTimeout"):
        _default_duration(config["ipvs"], field, "0s")
    _default(iptables, "localhostNodePorts", True)
    _default(iptables, "masqueradeBit", _MASQUERADE_BIT)
    _default(nftables, "masqueradeBit", _MASQUERADE_BIT)
    _default(conntrack, "maxPerCore", 32 * 1024)
    _default(conntrack, "min", 128 * 1024)
    for field, length in (("tcpEstablishedTimeout", "24h0m0s"), ("tcpCloseWaitTimeout", "1h0m0s")):
        # A pointer: zero is a value of its own, and the kernel's setting stays.
        conntrack[field] = length if conntrack[field] is None else go_duration(conntrack[field])
    for field in ("udpTimeout", "udpStreamTimeout"):
        _default_duration(conntrack, field, "0s")
    _default_duration(config, "configSyncPeriod", "15m0s")
    logging = config["logging"]
    logging["format"] = logging.get("format") or "text"
    if logging["flushFrequency"] in ("0s", 0):
        logging["flushFrequency"] = "5s"
    client = config["clientConnection"]
    client["contentType"] = client["contentType"] or "application/vnd.kubernetes.protobuf"
    client["qps"] = client["qps"] or 5
    client["burst"] = client["burst"] or 10


def _default(part: dict[str, Any], field: str, value: Any) -> None:
    if part[field] is None:
        part[field] = value


def _default_duration(part: dict[str, Any], field: str, text: str) -> None:
    shown = go_duration(part[field])
    part[field] = text if shown == "0s" else shown


def go_duration(text: str | None) -> str:
    """A duration as Go's ``time.Duration`` prints it: ``1m30s``, ``1.5s``, ``2ms``; ``0s`` for none."""
    nanoseconds = round(seconds(text) * 10**9) if text else 0
    sign, rest = ("-" if nanoseconds < 0 else ""), abs(nanoseconds)
    if rest < 10**9:
        for unit, size in (("ms", 10**6), ("µs", 10**3), ("ns", 1)):
            if rest >= size:
                return f"{sign}{_decimal(rest, size)}{unit}"
        return "0s"
    minutes, rest = divmod(rest, 60 * 10**9)
    shown = f"{_decimal(rest, 10**9)}s"
    if minutes:
        hours, minutes = divmod(minutes, 60)
        shown = f"{hours}h{minutes}m{shown}" if hours else f"{minutes}m{shown}"
    return sign + shown


def _decimal(number: int, size: int) -> str:
    whole, part = divmod(number, size)
    digits = f"{part:0{len(str(size)) - 1}d}".rstrip("0") if part else ""
    return f"{whole}.{digits}" if digits else str(whole)


def _with_port(address: str, port: int) -> str:
    if _split_host_port(address) is not None or parse_ip(address) is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _split_host_port(address: str) -> tuple[str, str] | None:
    """Host and port of ``host:port`` or ``[host]:port``; None for any other form, as in Go's net package."""
    if address.startswith("["):
        host, closed, port = address[1:].partition("]")
        good = bool(closed) and port.startswith(":") and port.count(":") == 1
        port = port[1:]
    else:
        host, colon, port = address.rpartition(":")
        good = bool(colon) and ":" not in host
    return (host, port) if good and not any(each in host + port for each in "[]") else None


def validate_configuration(config: Mapping[str, Any], *, stored: bool) -> Errors:
    """The errors of a configuration that has its defaults."""
    mode = config["mode"]
    of_mode = config[mode] if mode in ("ipvs", "nftables") else config["iptables"]
    errors = _check_masquerade_bit(config["iptables"], "IPTables")
    if mode == "ipvs":
        errors += _check_ipvs(config["ipvs"])
    elif mode == "nftables":
        errors += _check_masquerade_bit(config["nftables"], "NFTables")
    errors += _check_linux(config)
    modes = [each for each in _MODES if each != "ipvs" or _has_ipvs(config)]
    if mode and mode not in modes:
        detail = (
            f"must be {', '.join(modes)} or blank (blank means the best-available proxy [currently iptables])"
        )
        errors.append(invalid(f"{_ROOT}.Mode.ProxyMode", mode, detail))
    burst = config["clientConnection"]["burst"]
    if burst < 0:
        place = f"{_ROOT}.ClientConnection.Burst"
        errors.append(invalid(place, burst, "must be greater than or equal to 0"))
    errors += _check_periods(config, of_mode)
    if parse_ip(config["bindAddress"]) is None:
        detail = "not a valid textual representation of an IP address"
        errors.append(invalid(f"{_ROOT}.BindAddress", config["bindAddress"], detail))
    errors += _check_host_port(f"{_ROOT}.HealthzBindAddress", config["healthzBindAddress"])
    errors += _check_host_port(f"{_ROOT}.MetricsBindAddress", config["metricsBindAddress"])
    errors += _check_node_port_addresses(config["nodePortAddresses"] or [])
    return errors + _check_detect_local(config)


def _has_ipvs(config: Mapping[str, Any]) -> bool:
    gates: Mapping[str, bool] = config.get("featureGates") or {}
    return gates.get("KubeProxyIPVS", True)


def _check_masquerade_bit(part: Mapping[str, Any], name: str) -> Errors:
    bit = part["masqueradeBit"]
    if 0 <= bit <= 31:
        return []
    field = f"{_ROOT}.KubeProxy{name}Configuration.MasqueradeBit"
    return [invalid(field, bit, "must be within the range [0, 31]")]


def _check_ipvs(ipvs: Mapping[str, Any]) -> Errors:
    field = f"{_ROOT}.KubeProxyIPVSConfiguration"
    errors = []
    for part, name in (
        ("tcpTimeout", "TCPTimeout"),
        ("tcpFinTimeout", "TCPFinTimeout"),
        ("udpTimeout", "UDPTimeout"),
    ):
        errors += _not_negative(f"{field}.{name}", ipvs[part])
    if not _scheduler(ipvs["scheduler"]):
        # Not kube-proxy's own check: the name stands in what is printed of a virtual server.
        errors.append(invalid(f"{field}.Scheduler", ipvs["scheduler"], "must be the name of a scheduler"))
    for i, cidr in enumerate(ipvs["excludeCIDRs"] or ()):
        if parse_cidr(cidr) is None:
            errors.append(invalid(f"{field}.ExcludeCidrs[{i}]", cidr, "must be a valid CIDR"))
    return errors


def _not_negative(field: str, duration: str) -> Errors:
    if duration.startswith("-"):
        return [invalid_json(field, duration, "must be greater than or equal to 0")]
    return []


def _check_linux(config: Mapping[str, Any]) -> Errors:
    conntrack = config["conntrack"]
    field = f"{_ROOT}.KubeProxyLinuxConfiguration.KubeProxyConntrackConfiguration"
    errors: Errors = []
    for part, name in (("maxPerCore", "MaxPerCore"), ("min", "Min")):
        if conntrack[part] < 0:
            errors.append(invalid(f"{field}.{name}", conntrack[part], "must be greater than or equal to 0"))
    for part, name in (
        ("tcpEstablishedTimeout", "TCPEstablishedTimeout"),
        ("tcpCloseWaitTimeout", "TCPCloseWaitTimeout"),
        ("udpTimeout", "UDPTimeout"),
        ("udpStreamTimeout", "UDPStreamTimeout"),
    ):
        errors += _not_negative(f"{field}.{name}", conntrack[part])
    score = config["oomScoreAdj"]
    if not -1000 <= score <= 1000:
        place = f"{_ROOT}.KubeProxyLinuxConfiguration.OOMScoreAdj"
        errors.append(invalid(place, score, "must be within the range [-1000, 1000]"))
    return errors


def _check_periods(config: Mapping[str, Any], of_mode: Mapping[str, Any]) -> Errors:
    errors: Errors = []
    full, shortest = of_mode["syncPeriod"], of_mode["minSyncPeriod"]
    for name, period in (("ConfigSyncPeriod", config["configSyncPeriod"]), ("SyncPeriod", full)):
        if seconds(period) <= 0:
            errors.append(invalid_json(f"{_ROOT}.{name}", period, "must be greater than 0"))
    errors += _not_negative(f"{_ROOT}.MinSyncPeriod", shortest)
    if seconds(shortest) > seconds(full):
        detail = f"must be greater than or equal to {_ROOT}.MinSyncPeriod"
        errors.append(invalid_json(f"{_ROOT}.SyncPeriod", shortest, detail))
    return errors


def _check_host_port(field: str, address: str) -> Errors:
    split = _split_host_port(address)
    if split is None:
        return [invalid(field, address, "must be IP:port")]
    host, port = split
    errors = [] if parse_ip(host) is not None else [invalid(field, host, "must be a valid IP")]
    if not _number(port) or len(port) > 20 or not 1 <= int(port) <= 65535:
        errors.append(invalid(field, port, "must be a valid port"))
    return errors


def _check_node_port_addresses(addresses: list[str]) -> Errors:
    errors = []
    for i, address in enumerate(addresses):
        field = f"{_ROOT}.NodePortAddresses[{i}]"
        if address in _KEYWORDS:
            if address in addresses[:i]:
                errors.append(duplicate(field, address))
        elif parse_cidr(address) is None:
            detail = "must be a valid CIDR or one of the keywords 'primary', 'localhost', 'all'"
            errors.append(invalid(field, address, detail))
    return errors


def _check_detect_local(config: Mapping[str, Any]) -> Errors:
    mode, detect = config["detectLocalMode"], config["detectLocal"]
    field = f"{_ROOT}.DetectLocalConfiguration"
    if mode not in _LOCAL_MODES:
        return [unsupported(f"{_ROOT}.DetectLocalMode", mode, _LOCAL_MODES, plain=True)]
    if mode == "BridgeInterface":
        return _check_interface(f"{field}.InterfaceName", detect["bridgeInterface"])
    if mode == "InterfaceNamePrefix":
        return _check_interface(f"{field}.InterfacePrefix", detect["interfaceNamePrefix"])
    if mode == "ClusterCIDR" and config["clusterCIDR"]:
        return _check_cluster_cidrs(f"{field}.ClusterCIDRs", config["clusterCIDR"].split(","))
    return []


def _check_interface(field: str, name: str) -> Errors:
    """kube-proxy asks only for a name; one that would not stand as one word in a rule is refused too."""
    if not name:
        return [invalid(field, name, "must not be empty")]
    if not _interface(name):
        detail = "must be the name of a network device: up to 15 characters, no blank, quote, slash or colon"
        return [invalid(field, name, detail)]
    return []


def _check_cluster_cidrs(field: str, cidrs: list[str]) -> Errors:
    pair = "dual-stack pair of CIDRs (e.g. [10.100.0.0/16, fde4:8dba:82e1::/48]"
    detail = f"must be a either a single CIDR or {pair}"
    if len(cidrs) > 2:
        return [invalid_json(field, cidrs, detail)]
    errors = []
    families = []
    for i, cidr in enumerate(cidrs):
        parsed = parse_cidr(cidr)
        if parsed is None:
            example = "(e.g. 10.100.0.0/16 or fde4:8dba:82e1::/48)"
            errors.append(invalid(f"{field}[{i}]", cidr, f"must be a valid CIDR block {example}"))
        else:
            families.append(parsed.ip.family)
    if len(families) == 2 and families[0] == families[1]:
        errors.append(invalid_json(field, cidrs, detail))
    return errors
