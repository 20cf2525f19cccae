"""Answers of the cluster DNS: Kubernetes DNS specification 1.1 as CoreDNS 1.15.0 follows it.

CoreDNS' kubernetes plugin with ``pods insecure``, the cluster's zone and both reverse zones, nothing
upstream (plugin/kubernetes and plugin/backend_lookup.go). Where it goes beyond the specification, so does
this: a pod's name needs no pod, ``_http._tcp`` names have addresses, too, and endpoints of a Service with a
cluster IP have names.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

from rulegen.dns.directory import NO_PORT, Directory, Entry, Key, Port, Target
from rulegen.dns.names import (
    IPV4_REVERSE,
    IPV6_REVERSE,
    absolute,
    address_text,
    is_within,
    labelled_address,
    labels,
    lower,
    packed_address,
    reversed_address,
)
from rulegen.dns.records import Record, Reply

DEFAULT_DOMAIN = "cluster.local"
DEFAULT_TTL = 30
"""Seconds, as in the Corefile that kubeadm writes."""
SPECIFICATION = "1.1.0"
SPECIFICATION_TTL = 28800
MAX_CNAMES = 10
SERVER_NAME = ("ns", "dns")
"""Labels of the name server's own name in a zone."""


class NoSuchNameError(Exception):
    """The name does not exist, with no type at all."""


class Found(NamedTuple):
    """A piece of an answer before its type is looked at: an address or a name, a port, the name it has."""

    host: str
    port: int = 0
    name: str = ""
    text: str = ""
    ttl: int | None = None


class Place(NamedTuple):
    """A question's place: the name as it was asked, and the zone it is in, spelled as in the name."""

    name: str
    zone: str
    labels: tuple[str, ...]
    """The labels in front of the zone, lower case."""


class DnsServer:
    """Answers questions about one cluster, without a network.

    ``domain`` is the cluster domain; ``addresses`` are those on which the server itself listens: where no
    Service has one of them as an endpoint, they are the name server's in the zone. ``serial`` is the zone's.
    Raises ValueError where ``domain`` is no domain name.
    """

    def __init__(
        self,
        directory: Directory,
        domain: str = DEFAULT_DOMAIN,
        *,
        addresses: Sequence[str] = (),
        ttl: int = DEFAULT_TTL,
        serial: int = 1,
    ) -> None:
        self.directory = directory
        self.domain = lower(absolute(domain))
        self.zones = (self.domain, IPV4_REVERSE, IPV6_REVERSE)
        self.addresses = tuple(addresses)
        self.ttl = ttl
        self.serial = serial
        if not labels(domain):
            raise ValueError("the cluster domain cannot be the root")
        self._zones = sorted(((labels(zone), zone) for zone in self.zones), key=lambda zone: -len(zone[1]))
        self._answering: dict[str, Callable[[Place], tuple[list[Record], list[Record]]]] = {
            "A": lambda place: (self._addresses(place, "A", []), []),
            "AAAA": lambda place: (self._addresses(place, "AAAA", []), []),
            "SRV": self._srv,
            "CNAME": lambda place: (self._cname(place), []),
            "TXT": lambda place: (self._txt(place), []),
            "PTR": lambda place: (self._ptr(place), []),
            "SOA": self._soa_answer,
            "NS": self._ns,
        }

    def ask(self, name: str, kind: str) -> Reply:
        """The reply to a question: ``kind`` is a type's name in upper case (``A``, ``SRV``, ``TYPE65``).

        Raises ValueError where ``name`` is no domain name.
        """
        place = self._place(absolute(name))
        if place is None or kind in ("AXFR", "IXFR"):
            return Reply(rcode="REFUSED")
        try:
            answers, additional = self._answering.get(kind, self._other)(place)
        except NoSuchNameError:
            return Reply(rcode="NXDOMAIN", authority=(self.soa(place.zone),))
        authority = () if answers else (self.soa(place.zone),)
        return Reply(
            rcode="NOERROR", answers=tuple(answers), authority=authority, additional=tuple(additional)
        )

    def soa(self, zone: str) -> Record:
        """The start of a zone's authority; the numbers are CoreDNS' own (plugin ``SOA``)."""
        data = f"ns.dns.{zone} hostmaster.{zone} {self.serial} 7200 1800 86400 {self.ttl}"
        return Record(zone, "SOA", data, min(self.ttl, 300))

    def _place(self, name: str) -> Place | None:
        parts = labels(name)
        for zone_labels, zone in self._zones:
            if is_within(parts, zone_labels):
                own = parts[: len(parts) - len(zone_labels)]
                return Place(name, name[len(name) - len(zone) :], tuple(map(lower, own)))
        return None

    # What there is at a name, whatever type is asked for.

    def _found(self, place: Place, kind: str = "") -> list[Found]:
        if place.labels == SERVER_NAME and place.zone == lower(place.zone):
            return [
                Found(address, name=place.name)
                for _, address in self.name_servers(place.zone)
                if _kind(address) == kind
            ]
        return self._at(place)

    def _at(self, place: Place) -> list[Found]:
        parts = place.labels
        if not parts or parts in (("svc",), ("pod",)):
            return []
        *rest, branch = parts
        if branch not in ("svc", "pod"):
            raise NoSuchNameError
        if len(rest) > 4:
            raise NoSuchNameError
        if lower(place.zone) != self.domain or rest[-1] not in self.directory.namespaces:
            raise NoSuchNameError
        namespace = rest.pop()
        if not rest:
            return []
        name = rest.pop()
        if branch == "pod":
            return [self._pod(namespace, name, place.zone)]
        label = rest[0] if len(rest) == 1 else ""
        port, protocol = (part.removeprefix("_") for part in rest) if len(rest) == 2 else ("", "")
        return self._service((namespace, name), label, port, protocol, place.zone)

    def _pod(self, namespace: str, label: str, zone: str) -> Found:
        """The address that a pod's name spells: nobody looks whether such a Pod exists."""
        address = labelled_address(label)
        if packed_address(address) is None:
            raise NoSuchNameError
        return Found(address, name=f"{label}.{namespace}.pod.{zone}")

    def _service(self, key: Key, label: str, port: str, protocol: str, zone: str) -> list[Found]:
        entry = self.directory.services.get(key)
        if entry is None:
            raise NoSuchNameError
        name = f"{entry.name}.{entry.namespace}.svc.{zone}"
        if entry.external_name is not None:
            if label or port or protocol or packed_address(entry.external_name) is not None:
                raise NoSuchNameError
            return [Found(entry.external_name, name=name)]
        if entry.headless or label:
            found = [
                Found(target.address, each.number, f"{target.label}.{name}")
                for target in self.directory.targets(key, label)
                for each in target.ports
                if _matches(each, port, protocol)
            ]
            if not found:
                raise NoSuchNameError
            return found
        ports = [each for each in entry.ports if _matches(each, port, protocol)]
        if not ports:
            raise NoSuchNameError
        return [Found(address, each.number, name) for each in ports for address in entry.addresses]

    # The types.

    def _other(self, place: Place) -> tuple[list[Record], list[Record]]:
        """A type of which there are no records: only whether the name exists is looked at."""
        self._addresses(place, "A", [])
        return [], []

    def _addresses(self, place: Place, kind: str, chain: list[str]) -> list[Record]:
        """The A or AAAA records at a name; ``chain`` are the targets of the CNAMEs that led there."""
        records: list[Record] = []
        seen: set[str] = set()
        for found in self._found(place, kind):
            what = _kind(found.host)
            if what == kind and found.host not in seen:
                seen.add(found.host)
                records.append(self._record(place.name, kind, _canonical(found.host)))
            elif what == "CNAME":
                # Named once for each port of an endpoint, as CoreDNS has it.
                records += self._follow(place, found.host, kind, chain)
        return records

    def _follow(self, place: Place, host: str, kind: str, chain: list[str]) -> list[Record]:
        """A CNAME with what its target has; nothing where it leads in a circle or inside to no address."""
        target = absolute(host)
        inside = is_within(labels(target), labels(place.name))
        if inside or len(chain) > MAX_CNAMES or target in chain:
            return []
        cname = self._record(place.name, "CNAME", target)
        zone = labels(place.zone)
        if not is_within(labels(target), zone):
            return [cname, *self.ask(target, kind).answers]
        parts = labels(target)
        below = Place(target, place.zone, tuple(map(lower, parts[: len(parts) - len(zone)])))
        try:
            further = self._addresses(below, kind, [*chain, target])
        except NoSuchNameError:
            return []
        return [cname, *further] if further else []

    def _srv(self, place: Place) -> tuple[list[Record], list[Record]]:
        found = [each for each in self._found(place, "SRV") if _kind(each.host) != "CNAME"]
        # All count for the weight, those without a port and duplicates, too.
        weight = max(math.floor(100.0 / (100 * len(found)) * 100), 1) if found else 0
        answers: dict[tuple[str, int], Record] = {}
        additional: dict[tuple[str, str], Record] = {}
        for each in found:
            if each.port == NO_PORT:
                continue
            target = each.name
            answers.setdefault(
                (target, each.port),
                self._record(place.name, "SRV", f"0 {weight} {each.port} {target}"),
            )
            additional.setdefault(
                (target, each.host), self._record(target, _kind(each.host), _canonical(each.host))
            )
        return list(answers.values()), list(additional.values())

    def _cname(self, place: Place) -> list[Record]:
        found = self._found(place, "CNAME")
        if not found or _kind(found[0].host) != "CNAME":
            return []
        return [self._record(place.name, "CNAME", absolute(found[0].host))]

    def _txt(self, place: Place) -> list[Record]:
        if place.labels == ("dns-version",):
            return [Record(place.name, "TXT", f'"{SPECIFICATION}"', SPECIFICATION_TTL)]
        if not self._at(place):
            raise NoSuchNameError
        return []

    def _ptr(self, place: Place) -> list[Record]:
        address = reversed_address(lower(place.name))
        if address is None:
            self._at(place)
            return []
        names = self.names_of(address)
        if not names:
            raise NoSuchNameError
        return [self._record(place.name, "PTR", name) for name in dict.fromkeys(names)]

    def names_of(self, address: str) -> list[str]:
        """The names that an address has: of the Service whose cluster IP it is, else of endpoints."""
        entry = self.directory.by_cluster_ip.get(address)
        if entry is not None:
            return [self.service_name(entry)]
        return [
            f"{label}.{name}.{namespace}.svc.{self.domain}"
            for (namespace, name), label in self.directory.owners(address)
        ]

    def service_name(self, entry: Entry) -> str:
        return f"{entry.name}.{entry.namespace}.svc.{self.domain}"

    def _soa_answer(self, place: Place) -> tuple[list[Record], list[Record]]:
        return ([self.soa(place.zone)] if place.name == place.zone else []), []

    def _ns(self, place: Place) -> tuple[list[Record], list[Record]]:
        if lower(place.name) != place.zone:
            return self._other(place)
        servers = self.name_servers(place.zone)
        answers = [self._record(place.name, "NS", name) for name in dict.fromkeys(n for n, _ in servers)]
        return answers, [self._record(name, _kind(address), _canonical(address)) for name, address in servers]

    def name_servers(self, zone: str) -> list[tuple[str, str]]:
        """Name and address of the servers of a zone: the Services that the server is an endpoint of.

        Where there are none, the server's own addresses under ``ns.dns`` (CoreDNS ``nsAddrs``). A Service of
        type ExternalName is passed over; CoreDNS makes ``CNAME <nil>.`` of it, which no client can use.
        """
        pieces = self._own_pieces
        if not pieces:
            return [(f"ns.dns.{zone}", address) for address in self.addresses]
        servers: list[tuple[str, str]] = []
        for key, targets in pieces:
            entry = self.directory.services.get(key)
            if entry is None or entry.external_name is not None:
                continue
            name = f"{entry.name}.{entry.namespace}.svc.{zone}"
            if entry.headless:
                servers += [(f"{target.label}.{name}", target.address) for target in targets]
            else:
                servers += [(name, address) for address in entry.addresses]
        return servers

    @cached_property
    def _own_pieces(self) -> list[tuple[Key, tuple[Target, ...]]]:
        """The slices that the server's own addresses are in, once for each address."""
        return [piece for own in self.addresses for piece in self.directory.pieces_with(own)]

    def _record(self, owner: str, kind: str, data: str) -> Record:
        return Record(owner, kind, data, self.ttl)


def _matches(port: Port, name: str, protocol: str) -> bool:
    return (not name or name == lower(port.name)) and (not protocol or protocol == lower(port.protocol))


def _kind(host: str) -> str:
    """``A`` or ``AAAA`` for an address, ``CNAME`` for anything else (CoreDNS ``HostType``)."""
    packed = packed_address(host)
    if packed is None:
        return "CNAME"
    return "A" if len(packed) == 4 else "AAAA"


def _canonical(host: str) -> str:
    packed = packed_address(host)
    return host if packed is None else address_text(packed)


def sorted_records(records: Iterable[Record]) -> list[Record]:
    """Records in a fixed order: names by their labels from the right, as zones are listed (RFC 4034, 6.1)."""
    return sorted(records, key=lambda r: (tuple(reversed(labels(lower(r.owner)))), r.type, r.data))
