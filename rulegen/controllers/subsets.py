"""The canonical layout of an Endpoints object: which addresses share which ports (pkg/api/v1/endpoints)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from rulegen.controllers import order
from rulegen.model.objects import EndpointAddress, EndpointSubset, SubsetPort

Identity: TypeAlias = Callable[[EndpointAddress], str]
_AddressKey: TypeAlias = tuple[str, str]


class Offer(NamedTuple):
    """One address serves one port, or no port at all. Ports of the same ``key`` are the same port."""

    key: Hashable
    port: SubsetPort | None
    address: EndpointAddress
    ready: bool


def target_uid(address: EndpointAddress) -> str:
    """What tells two addresses with the same IP apart: the UID of their target, empty for none."""
    return address.target_ref.uid if address.target_ref is not None else ""


def repack(subsets: Iterable[EndpointSubset]) -> list[EndpointSubset]:
    """Subsets rearranged so that each port stands in one subset, with all addresses that serve it."""
    return pack(offer for number, subset in enumerate(subsets) for offer in _offers(number, subset))


def _offers(number: int, subset: EndpointSubset) -> Iterator[Offer]:
    ports: list[tuple[Hashable, SubsetPort | None]] = [(None, None)]
    if subset.ports:
        # Upstream compares ports with their pointer to appProtocol: where that is set, no two are the same.
        ports = [
            (
                (port.name, port.port, port.protocol, None if port.app_protocol is None else (number, index)),
                port,
            )
            for index, port in enumerate(subset.ports)
        ]
    for key, port in ports:
        for addresses, ready in ((subset.addresses, True), (subset.not_ready_addresses, False)):
            for address in addresses or ():
                yield Offer(key, port, address, ready)


def pack(offers: Iterable[Offer], identity: Identity = target_uid) -> list[EndpointSubset]:
    """Subsets in which ports stand together that the same addresses serve.

    An address that is offered as ready and as not ready for a port is not ready; of two addresses with the
    same IP and ``identity`` the first is kept. Addresses are sorted by their text, then by ``identity``,
    ports and subsets by the controllers' hash.
    """
    known: dict[_AddressKey, EndpointAddress] = {}
    ports: dict[Hashable, SubsetPort | None] = {}
    readiness: dict[Hashable, dict[_AddressKey, bool]] = {}
    for offer in offers:
        address_key = (offer.address.ip, identity(offer.address))
        known.setdefault(address_key, offer.address)
        ports.setdefault(offer.key, offer.port)
        states = readiness.setdefault(offer.key, {})
        states[address_key] = offer.ready and states.get(address_key, True)

    def rank(key: _AddressKey) -> tuple[bytes, bool, str]:
        return key[0].encode(), known[key].target_ref is not None, key[1]

    groups: dict[tuple[tuple[_AddressKey, bool], ...], list[SubsetPort]] = {}
    for key, states in readiness.items():
        served = groups.setdefault(tuple((each, states[each]) for each in sorted(states, key=rank)), [])
        port = ports[key]
        if port is not None:
            served.append(port)
    return order.subsets(
        [
            EndpointSubset(
                addresses=[known[key] for key, ready in group if ready] or None,
                not_ready_addresses=[known[key] for key, ready in group if not ready] or None,
                ports=order.subset_ports(served) or None,
            )
            for group, served in groups.items()
        ]
    )
