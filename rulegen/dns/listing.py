"""Every name that the cluster DNS answers, and the forms in which they are written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rulegen.dns.directory import NO_PORT, Entry
from rulegen.dns.names import (
    IPV4_REVERSE,
    IPV6_REVERSE,
    address_label,
    is_within,
    labels,
    lower,
    packed_address,
    reverse_name,
)
from rulegen.dns.records import Record
from rulegen.dns.server import DnsServer, sorted_records
from rulegen.model import Pod

ENDED = ("Succeeded", "Failed")


def records(server: DnsServer, pods: Iterable[Pod] = ()) -> list[Record]:
    """All records in a fixed order, the cluster's zone first, each as the server answers with it.

    ``pods`` get their address names (``10-1-2-3.default.pod``), those with an address that have not ended:
    the server answers such names of every namespace for any address, which cannot be listed.
    """
    found: dict[Record, None] = {}
    for name, kinds in _names(server, pods):
        for kind in kinds:
            for record in server.ask(name, kind).answers:
                found[record] = None
    zones = [labels(zone) for zone in server.zones]
    by_zone: list[list[Record]] = [[] for _ in zones]
    for record in found:
        owner = labels(record.owner)
        by_zone[next(n for n, zone in enumerate(zones) if is_within(owner, zone))].append(record)
    return [record for group in by_zone for record in sorted_records(group)]


def _names(server: DnsServer, pods: Iterable[Pod]) -> Iterator[tuple[str, tuple[str, ...]]]:
    directory, domain = server.directory, server.domain
    for zone in server.zones:
        yield zone, ("SOA", "NS")
        yield f"dns-version.{zone}", ("TXT",)
        yield f"ns.dns.{zone}", ("A", "AAAA")
    addresses: list[str] = []
    for entry in directory.services.values():
        yield from _service_names(server, entry)
        addresses += entry.addresses
    for pod in pods:
        if pod.status.phase in ENDED:
            continue
        for address in [each.ip for each in pod.status.pod_ips or ()] or [pod.status.pod_ip]:
            if packed_address(address) is not None:
                yield f"{address_label(address)}.{pod.metadata.namespace}.pod.{domain}", ("A", "AAAA")
    for address in (*addresses, *directory.endpoint_addresses):
        if packed_address(address) is not None:
            yield reverse_name(address), ("PTR",)


def _service_names(server: DnsServer, entry: Entry) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The names of a Service, of its ports, and of its endpoints.

    Names of ports are listed with their SRV records only, as the specification has them.
    """
    name = server.service_name(entry)
    if entry.external_name is not None:
        yield name, ("CNAME",)
        return
    yield name, ("A", "AAAA", "SRV")
    targets = list(server.directory.targets((entry.namespace, entry.name)))
    ports = [port for each in targets for port in each.ports] if entry.headless else entry.ports
    named = {(lower(port.name), lower(port.protocol)) for port in ports if port.number != NO_PORT}
    for port, protocol in sorted(named):
        if port and protocol:
            yield f"_{port}._{protocol}.{name}", ("SRV",)
    for label in dict.fromkeys(target.label for target in targets):
        yield f"{label}.{name}", ("A", "AAAA", "SRV")


def about(found: Iterable[Record], name: str) -> list[Record]:
    """The records whose owner is ``name`` (absolute) or below it, and those of addresses that lead there."""
    wanted = labels(name)
    return [
        record
        for record in found
        if is_within(labels(record.owner), wanted)
        or (record.type == "PTR" and is_within(labels(record.data), wanted))
    ]


def hosts(found: Iterable[Record]) -> str:
    """Lines for ``/etc/hosts`` (hosts(5)): an address and a name that has it."""
    lines = [
        f"{record.data}\t{record.owner.removesuffix('.')}\n"
        for record in found
        if record.type in ("A", "AAAA")
    ]
    return "".join(lines)


def zone_file(found: Iterable[Record], server: DnsServer, zone: str) -> str:
    """A zone file (RFC 1035, section 5) with the records of one zone, for a name server to load.

    The SOA record comes first. Raises ValueError where ``zone`` is none of the server's, or lacks the
    address of a name server, without which no server would load it.
    """
    if zone not in server.zones:
        raise ValueError(f"no zone {zone}; known zones: {', '.join(server.zones)}")
    own = [record for record in found if is_within(labels(record.owner), labels(zone))]
    if not any(record.type == "NS" for record in own):
        raise ValueError("a zone needs a name server: give the address of one")
    soa = [record for record in own if record.type == "SOA"]
    rest = [record for record in own if record.type != "SOA"]
    lines = [f"$ORIGIN {zone}\n", f"$TTL {server.ttl}\n"]
    lines += [f"{record.owner} {record.ttl} IN {record.type} {record.data}\n" for record in (*soa, *rest)]
    return "".join(lines)


def zone_named(text: str, server: DnsServer) -> str:
    """The zone that ``forward``, ``IPv4``, ``IPv6`` or a zone's own name stands for."""
    known = {"forward": server.domain, "ipv4": IPV4_REVERSE, "ipv6": IPV6_REVERSE}
    name = lower(text)
    return known.get(name, name if name.endswith(".") else name + ".")
