"""Which addresses are the node's own, where packets leave, and with which source."""

from __future__ import annotations

import pytest

from rulegen.model import Family, Node, ProxyConfig
from rulegen.trace.host import Host, route
from rulegen.trace.hosts import of_listings, of_node
from rulegen.trace.packet import number, packet, shown

INTERFACES = {
    "lo": ["127.0.0.1/8", "::1/128"],
    "eth0": ["192.168.10.11/24", "192.168.10.12/24", "2001:db8:1::b/64", "2001:db8:1::c/64"],
    "eth1": ["10.11.12.13/16"],
    "veth0": ["10.180.254.1/32", "fd00:10:180::fe:1/128"],
}


def host(family: Family = "IPv4") -> Host:
    nets = {"IPv4": ("10.180.0.0/15", "0.0.0.0/0"), "IPv6": ("fd00:10:180::/64", "::/0")}[family]
    return Host(family, INTERFACES, [route(nets[0], "veth0"), route(nets[1], "eth0")])


@pytest.mark.parametrize(
    ("destination", "source"),
    [
        ("203.0.113.9", "192.168.10.11"),
        ("10.180.3.4", "10.180.254.1"),
        ("10.11.0.9", "10.11.12.13"),
        ("192.168.10.12", "192.168.10.11"),  # a secondary address: its local route prefers the first one
        ("127.0.0.5", "127.0.0.1"),
        ("10.180.254.1", "10.180.254.1"),
    ],
)
def test_the_source_of_the_node_s_own_connections(destination: str, source: str) -> None:
    own = host().source_for(number(destination))
    assert own is not None and shown(own, "IPv4") == source


@pytest.mark.parametrize(
    ("destination", "source"),
    [
        ("2001:db8:99::1", "2001:db8:1::c"),  # both fit alike: the newest address comes first
        ("2001:db8:1::b", "2001:db8:1::b"),
        ("fd00:10:180::7", "fd00:10:180::fe:1"),
        ("fd00:10:96::1", "2001:db8:1::c"),  # the way out is asked before the label of fc00::/7
        ("::1", "::1"),
    ],
)
def test_ipv6_sources_follow_rfc_6724(destination: str, source: str) -> None:
    own = host("IPv6").source_for(number(destination))
    assert own is not None and shown(own, "IPv6") == source


@pytest.mark.parametrize(
    ("device", "destination", "source"),
    [
        ("eth0", "203.0.113.9", "192.168.10.11"),
        ("veth0", "10.180.3.4", "10.180.254.1"),
        ("lo", "192.168.10.11", "192.168.10.11"),  # loopback has no address for others: any device's
        ("docker0", "10.180.3.4", "192.168.10.11"),
    ],
)
def test_masquerading_takes_an_address_of_the_device(device: str, destination: str, source: str) -> None:
    own = host().masquerade(number(destination), device)
    assert own is not None and shown(own, "IPv4") == source


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("192.168.10.12", "LOCAL"),
        ("127.8.9.1", "LOCAL"),
        ("192.168.10.13", "UNICAST"),
        ("192.168.10.255", "BROADCAST"),
        ("224.0.0.1", "MULTICAST"),
    ],
)
def test_kinds_of_addresses(address: str, kind: str) -> None:
    assert host().address_type(number(address)) == kind


def test_limited_to_a_device_only_its_own_addresses_are_local() -> None:
    assert host().address_type(number("10.11.12.13"), "eth1") == "LOCAL"
    assert host().address_type(number("10.11.12.13"), "eth0") == "UNICAST"


def test_a_node_without_listings_has_its_pods_behind_one_device() -> None:
    node = Node(
        name="n1",
        ips=("192.168.10.1",),
        pod_cidrs=("10.10.0.0/24",),
        interfaces={"eth0": ("192.168.10.1/24",)},
    )
    made = of_node(node, ProxyConfig(), "IPv4", pods=["10.10.7.7"])
    devices = {ip: made.route(number(ip)) for ip in ("10.10.0.9", "10.10.7.7", "10.10.7.8")}
    assert {ip: way.device for ip, way in devices.items() if way} == {
        "10.10.0.9": "pods",
        "10.10.7.7": "pods",
        "10.10.7.8": "eth0",
    }
    bridged = ProxyConfig(detect_local_mode="BridgeInterface", bridge_interface="cbr0")
    way = of_node(node, bridged, "IPv4").route(number("10.10.0.9"))
    assert way is not None and way.device == "cbr0"


LINKS = """[
 {"ifname": "lo", "addr_info": [{"family": "inet", "local": "127.0.0.1", "prefixlen": 8, "scope": "host"}]},
 {"ifname": "eth0", "addr_info": [{"family": "inet", "local": "192.168.10.1", "prefixlen": 24}]},
 {"ifname": "kube-ipvs0", "addr_info": [{"family": "inet", "local": "10.96.0.1", "prefixlen": 32}]},
 {"ifname": "cni0", "addr_info": [{"family": "inet", "local": "10.10.0.1", "prefixlen": 24}]},
 {"ifname": "veth1", "master": "cni0", "addr_info": []}
]"""
ROUTES = """[
 {"dst": "default", "gateway": "192.168.10.254", "dev": "eth0", "flags": []},
 {"dst": "10.10.1.0/24", "gateway": "192.168.10.2", "dev": "eth0", "prefsrc": "192.168.10.1", "flags": []},
 {"type": "blackhole", "dst": "10.99.0.0/16", "dev": "", "flags": []}
]"""


def test_listings_of_ip_tell_the_node_s_network() -> None:
    listings = {
        "ip -j addr": LINKS,
        "ip -j route": ROUTES,
        "sysctl": "net.ipv4.conf.all.route_localnet = 1\nnet.bridge.bridge-nf-call-iptables = 1\n",
    }
    made = of_listings(listings, "IPv4")
    assert made is not None
    assert made.is_local(number("10.96.0.1")), "kube-ipvs0 counts"
    way = made.route(number("10.10.1.7"))
    assert way is not None and way.gateway is not None and shown(way.gateway, "IPv4") == "192.168.10.2"
    assert made.address_type(number("10.99.0.1")) == "BLACKHOLE"
    assert (made.route_localnet, made.bridges) == (True, frozenset({"cni0"}))


def test_packets_of_two_families_are_refused() -> None:
    with pytest.raises(ValueError, match="different families"):
        packet("10.0.0.1", "fd00::1", 80)
    with pytest.raises(ValueError, match="needs a port"):
        packet("10.0.0.1", "10.0.0.2")
    with pytest.raises(ValueError, match="no protocol"):
        packet("10.0.0.1", "10.0.0.2", 80, "quic")
