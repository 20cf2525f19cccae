"""The part of the ipvs mode that no Service owns: settings of the node, base chains, and jumps."""

from __future__ import annotations

import msgspec

from rulegen.iptables.base import Jump, chain_line, mark_text
from rulegen.model import Family
from rulegen.plan import Detector, Machine
from rulegen.plan.addresses import networks_of, parse

DUMMY = "kube-ipvs0"
"""The device that holds the addresses of virtual servers, so that the node takes packets to them."""

DEFAULT_SCHEDULER = "rr"
PERSISTENT = 0x1
SOURCE_HASH = 0x10

NAT_CHAINS = ("KUBE-SERVICES", "KUBE-POSTROUTING", "KUBE-NODE-PORT", "KUBE-LOAD-BALANCER", "KUBE-MARK-MASQ")
FILTER_CHAINS = (
    "KUBE-FORWARD",
    "KUBE-NODE-PORT",
    "KUBE-PROXY-FIREWALL",
    "KUBE-SOURCE-RANGES-FIREWALL",
    "KUBE-IPVS-FILTER",
    "KUBE-IPVS-OUT-FILTER",
)

# In the order in which kube-proxy 1.37 ensures them; each is put first, so the last one ends up at the top.
JUMPS = (
    Jump("nat", "OUTPUT", "KUBE-SERVICES", "kubernetes service portals"),
    Jump("nat", "PREROUTING", "KUBE-SERVICES", "kubernetes service portals"),
    Jump("nat", "POSTROUTING", "KUBE-POSTROUTING", "kubernetes postrouting rules"),
    Jump("filter", "FORWARD", "KUBE-FORWARD", "kubernetes forwarding rules"),
    Jump("filter", "INPUT", "KUBE-NODE-PORT", "kubernetes health check rules"),
    Jump("filter", "INPUT", "KUBE-PROXY-FIREWALL", "kube-proxy firewall rules"),
    Jump("filter", "FORWARD", "KUBE-PROXY-FIREWALL", "kube-proxy firewall rules"),
    Jump("filter", "INPUT", "KUBE-IPVS-FILTER", "kubernetes ipvs access filter"),
    Jump("filter", "OUTPUT", "KUBE-IPVS-OUT-FILTER", "kubernetes ipvs access filter"),
)

_SCHEDULER_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")
_SCHEDULER_LENGTH = 15  # IP_VS_SCHEDNAME_MAXLEN without its final zero


class Sysctl(msgspec.Struct, frozen=True, kw_only=True):
    """A kernel setting, by its path below ``/proc/sys``.

    ``since`` and ``before`` are kernel versions (major, minor) between which it is set; None: always.
    """

    path: str
    value: int
    since: tuple[int, int] | None = None
    before: tuple[int, int] | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the node's facts and kube-proxy's configuration mean for the whole ruleset.

    ``node_port_ips`` are the addresses on which node ports are served, ``node_ips`` those of the node's own
    devices (an address there is not bound again). ``timeouts`` are seconds of TCP, TCP after FIN, and UDP,
    0 where the kernel's is kept; None where none is set. ``exclude_cidrs`` are networks whose virtual servers
    are left alone when stale ones are removed. ``masquerade`` is how traffic to cluster IPs is matched that
    is masqueraded, after the set's name.
    """

    family: Family
    scheduler: str
    node_port_ips: tuple[str, ...]
    node_ips: frozenset[str]
    sysctls: tuple[Sysctl, ...]
    timeouts: tuple[int, int, int] | None
    exclude_cidrs: tuple[str, ...]
    mark: str
    masquerade: str

    @property
    def modules(self) -> tuple[str, ...]:
        """The kernel modules of IPVS; those of iptables and ipset are loaded by the kernel itself."""
        return ("ip_vs", f"ip_vs_{self.scheduler}", "nf_conntrack", "dummy")

    @property
    def flags(self) -> int:
        """Flags that every virtual server has: ``mh`` hashes the source port too."""
        return SOURCE_HASH if self.scheduler == "mh" else 0


def settings(machine: Machine) -> Settings:
    """The settings of one node and family (pkg/proxy/ipvs/proxier.go, ``NewProxier``, 1.37).

    Raises ValueError for what cannot be the name of a scheduler.
    """
    config = machine.config
    scheduler = config.ipvs_scheduler or DEFAULT_SCHEDULER
    if not _SCHEDULER_LETTERS.issuperset(scheduler) or len(scheduler) > _SCHEDULER_LENGTH:
        raise ValueError(f"ipvs.scheduler: Invalid value: {scheduler!r}: not the name of a scheduler")
    seconds = (
        int(config.ipvs_tcp_timeout),
        int(config.ipvs_tcp_fin_timeout),
        int(config.ipvs_udp_timeout),
    )
    own = _own_addresses(machine)
    return Settings(
        family=machine.family,
        scheduler=scheduler,
        node_port_ips=_node_port_ips(machine, own),
        node_ips=frozenset(own),
        sysctls=_sysctls(strict_arp=config.ipvs_strict_arp),
        timeouts=seconds if any(seconds) else None,
        exclude_cidrs=tuple(map(str, networks_of(config.ipvs_exclude_cidrs, machine.family))),
        mark=mark_text(machine),
        masquerade=_masquerade(machine.detector, everything=machine.masquerade_all),
    )


def _sysctls(*, strict_arp: bool) -> tuple[Sysctl, ...]:
    always = (
        Sysctl(path="net/ipv4/vs/conntrack", value=1),
        # From 5.9 the kernel's own default no longer loses connections (kubernetes issue 93297).
        Sysctl(path="net/ipv4/vs/conn_reuse_mode", value=0, since=(4, 1), before=(5, 9)),
        Sysctl(path="net/ipv4/vs/expire_nodest_conn", value=1),
        Sysctl(path="net/ipv4/vs/expire_quiescent_template", value=1),
        Sysctl(path="net/ipv4/ip_forward", value=1),
    )
    if not strict_arp:
        return always
    return (
        *always,
        Sysctl(path="net/ipv4/conf/all/arp_ignore", value=1),
        Sysctl(path="net/ipv4/conf/all/arp_announce", value=2),
    )


def _masquerade(detector: Detector | None, *, everything: bool) -> str:
    if everything:
        return "dst,dst"
    if detector is None:
        # The node's own connections leave with a virtual server's address as their source, because the
        # dummy device holds it; without knowing the pods' addresses these are all that can be told apart.
        return "src,dst"
    option, value = {
        "cidr": ("-s", detector.value),
        "interface": ("-i", detector.value),
        "prefix": ("-i", detector.value + "+"),
    }[detector.kind]
    return f"dst,dst ! {option} {value}"


def _own_addresses(machine: Machine) -> list[str]:
    """Addresses of the node's devices but the dummy one, without loopback and IPv6 link-local ones."""
    found: dict[str, None] = {}
    for device, ips in machine.interfaces.items():
        for ip in ips if device != DUMMY else ():
            address = parse(ip)
            if address is None or address.is_loopback:
                continue
            if address.version == 6 and address.is_link_local:
                continue
            found[ip] = None
    return list(found)


def _node_port_ips(machine: Machine, own: list[str]) -> tuple[str, ...]:
    if machine.node_port_all:
        return tuple(own)
    addresses = [(ip, parse(ip)) for ip in machine.node_port_ips]
    return tuple(ip for ip, address in addresses if address is not None and not address.is_loopback)


def chains(names: tuple[str, ...]) -> str:
    return "".join(map(chain_line, names))
