"""Where addresses and ports come from: Service CIDRs and the node port range, each with its two bands.

The lower band is for values that people choose, dynamic allocation begins above it (KEP-3070, KEP-3668;
pkg/registry/core/service/{ipallocator,portallocator}, 1.37).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

import msgspec

from rulegen.model import Family, ServiceCIDR
from rulegen.plan.addresses import Network, network, parse

DEFAULT_CIDRS = "10.96.0.0/12"
DEFAULT_NODE_PORTS = "30000-32767"
_IPV6_SIZE = 1 << 16
"""Of a larger IPv6 range the allocator's band is computed as if it were this large."""


class Ranges(msgspec.Struct, frozen=True):
    """Service CIDRs by family, the first family being the default, and the first and last node port."""

    cidrs: dict[Family, tuple[Network, ...]]
    node_ports: tuple[int, int]

    @property
    def families(self) -> tuple[Family, ...]:
        return tuple(self.cidrs)

    def family_of(self, ip: str) -> Family | None:
        """The family of an address that can be allocated, None for any other text.

        The first address of a network is kept free, and so is the broadcast address.
        """
        address = parse(ip)
        if address is None or str(address) != ip:
            return None
        family: Family = "IPv4" if address.version == 4 else "IPv6"
        for net in self.cidrs.get(family, ()):
            kept_free = [net.network_address, *([net.broadcast_address] if family == "IPv4" else [])]
            if address in net and address not in kept_free:
                return family
        return None


def ranges(cidrs: str | Sequence[str] = DEFAULT_CIDRS, node_ports: str = DEFAULT_NODE_PORTS) -> Ranges:
    """Read ``10.96.0.0/12,fd00::/112`` and ``30000-32767``. Raises ValueError.

    A text is what ``--service-cluster-ip-range`` of the API server takes, one CIDR of each family; a list is
    what ServiceCIDR objects hold, and may have more.
    """
    texts = cidrs.split(",") if isinstance(cidrs, str) else cidrs
    found: dict[Family, tuple[Network, ...]] = {}
    for text in texts:
        net = network(text)
        if net is None:
            raise ValueError(f"--service-cidr {text}: must be a CIDR, such as 10.96.0.0/12")
        family: Family = "IPv4" if net.version == 4 else "IPv6"
        if family in found and isinstance(cidrs, str):
            raise ValueError(f"--service-cidr: two {family} CIDRs; one of each family may be given")
        found[family] = (*found.get(family, ()), net)
    low, dash, high = node_ports.partition("-")
    if not (dash and low.isdigit() and high.isdigit() and 0 < int(low) <= int(high) <= 65535):
        raise ValueError(f"--service-node-port-range {node_ports}: must be FIRST-LAST, as in 30000-32767")
    return Ranges(found, (int(low), int(high)))


def service_cidrs(objects: Iterable[ServiceCIDR]) -> list[str]:
    """The CIDRs of ServiceCIDR objects: the cluster's own first (``kubernetes``), then by name.

    From one that is being deleted nothing is allocated any more (KEP-1880).
    """
    ordered = sorted(objects, key=lambda item: (item.metadata.name != "kubernetes", item.metadata.name))
    return [
        cidr for item in ordered if item.metadata.deletion_timestamp is None for cidr in item.spec.cidrs or ()
    ]


def addresses(net: Network, identity: str) -> Iterator[str]:
    """All addresses that may be allocated, in the order in which ``identity`` tries them.

    First those above the static band, from a place that a hash of ``identity`` gives; then the band.
    """
    size = min(net.num_addresses, _IPV6_SIZE) if net.version == 6 else net.num_addresses
    band = 0 if size <= 16 else min(max(size // 16, 16), 256)
    first = int(net.network_address) + 1
    last = int(net.broadcast_address) - (1 if net.version == 4 else 0)
    upper = first + band
    # More than anybody has Services; a hash beyond it would only make addresses hard to read.
    last_upper = min(last, upper + _IPV6_SIZE - 1) if net.version == 6 else last
    for start, end in ((upper, last_upper), (first, min(upper - 1, last))):
        for number in _from(start, end, identity):
            yield str(net.network_address + (number - int(net.network_address)))


def ports(node_ports: tuple[int, int], identity: str) -> Iterator[int]:
    """All node ports in the order in which ``identity`` tries them; the static band comes last."""
    low, high = node_ports
    size = high - low + 1
    band = 0 if size <= 16 else min(max(size // 32, 16), 128)
    yield from _from(low + band, high, identity)
    yield from _from(low, low + band - 1, identity)


def _from(first: int, last: int, identity: str) -> Iterator[int]:
    """``first`` to ``last``, beginning at a place that a hash gives and going round."""
    count = last - first + 1
    if count <= 0:
        return
    start = int.from_bytes(sha256(identity.encode()).digest()[:8], "big") % count
    for step in range(count):
        yield first + (start + step) % count
