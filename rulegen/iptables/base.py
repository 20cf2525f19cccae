"""The part of the rules that no Service owns: base chains, masquerading, forwarding, jumps."""

from __future__ import annotations

import msgspec

from rulegen.plan import Machine

FILTER_CHAINS = (
    "KUBE-SERVICES",
    "KUBE-EXTERNAL-SERVICES",
    "KUBE-FORWARD",
    "KUBE-NODEPORTS",
    "KUBE-PROXY-FIREWALL",
)
NAT_CHAINS = ("KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ")
KUBELET_CHAIN = "KUBE-FIREWALL"

LOCALHOST_COUNTER = "localhost_nps_accepted_pkts"
INVALID_COUNTER = "ct_state_invalid_dropped_pkts"


class Jump(msgspec.Struct, frozen=True):
    """A rule that kube-proxy prepends to a chain of the kernel, and the chain that it makes sure of first."""

    table: str
    source: str
    target: str
    comment: str = ""
    new_only: bool = False

    @property
    def rule(self) -> str:
        """The rule without its chain, in the order of options in which kube-proxy gives them."""
        state = "-m conntrack --ctstate NEW " if self.new_only else ""
        comment = f'-m comment --comment "{self.comment}" ' if self.comment else ""
        return f"{state}{comment}-j {self.target}"


# In the order in which kube-proxy 1.37 ensures them; each is put first, so the last one ends up at the top.
JUMPS = (
    Jump("filter", "INPUT", "KUBE-EXTERNAL-SERVICES", "kubernetes externally-visible service portals", True),
    Jump(
        "filter", "FORWARD", "KUBE-EXTERNAL-SERVICES", "kubernetes externally-visible service portals", True
    ),
    Jump("filter", "INPUT", "KUBE-NODEPORTS", "kubernetes health check service ports"),
    Jump("filter", "FORWARD", "KUBE-SERVICES", "kubernetes service portals", True),
    Jump("filter", "OUTPUT", "KUBE-SERVICES", "kubernetes service portals", True),
    Jump("filter", "FORWARD", "KUBE-FORWARD", "kubernetes forwarding rules"),
    Jump("filter", "INPUT", "KUBE-PROXY-FIREWALL", "kubernetes load balancer firewall", True),
    Jump("filter", "OUTPUT", "KUBE-PROXY-FIREWALL", "kubernetes load balancer firewall", True),
    Jump("filter", "FORWARD", "KUBE-PROXY-FIREWALL", "kubernetes load balancer firewall", True),
    Jump("nat", "OUTPUT", "KUBE-SERVICES", "kubernetes service portals"),
    Jump("nat", "PREROUTING", "KUBE-SERVICES", "kubernetes service portals"),
    Jump("nat", "POSTROUTING", "KUBE-POSTROUTING", "kubernetes postrouting rules"),
    Jump("filter", "INPUT", KUBELET_CHAIN),
    Jump("filter", "OUTPUT", KUBELET_CHAIN),
)


class Base(msgspec.Struct, frozen=True):
    """Text around the fragments of the service ports, line by line as in the restore text."""

    filter_chains: str
    filter_head: str
    filter_tail: str
    nat_chains: str
    nat_head: str
    nat_tail: str


def chain_line(chain: str) -> str:
    return f":{chain} - [0:0]\n"


def mark_text(machine: Machine) -> str:
    """The masquerade mark as kube-proxy writes it (Go's ``%#08x``)."""
    return f"0x{machine.masquerade_mark:08x}"


def base(machine: Machine) -> Base:
    """The rules that are there without any Service (pkg/proxy/iptables/proxier.go, 1.37)."""
    mark = mark_text(machine)
    filter_chains = [chain_line(chain) for chain in FILTER_CHAINS]
    filter_head = ""
    if machine.family == "IPv4" and machine.localhost_node_ports:
        # route_localnet would let neighbours reach this node's loopback addresses (kubernetes issue 90259).
        filter_chains.append(chain_line(KUBELET_CHAIN))
        filter_head = (
            f'-A {KUBELET_CHAIN} -m comment --comment "block incoming localnet connections" -d 127.0.0.0/8'
            " ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP\n"
        )
    filter_tail = ""
    if not machine.conntrack_liberal:
        counter = f" -m nfacct --nfacct-name {INVALID_COUNTER}" if machine.nfacct else ""
        filter_tail = f"-A KUBE-FORWARD -m conntrack --ctstate INVALID{counter} -j DROP\n"
    filter_tail += (
        '-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules"'
        f" -m mark --mark {mark}/{mark} -j ACCEPT\n"
        '-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule"'
        " -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
    )
    nat_head = (
        f"-A KUBE-POSTROUTING -m mark ! --mark {mark}/{mark} -j RETURN\n"
        f"-A KUBE-POSTROUTING -j MARK --xor-mark {mark}\n"
        '-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT"'
        " -j MASQUERADE --random-fully\n"
        f"-A KUBE-MARK-MASQ -j MARK --or-mark {mark}\n"
    )
    return Base(
        filter_chains="".join(filter_chains),
        filter_head=filter_head,
        filter_tail=filter_tail,
        nat_chains="".join(map(chain_line, NAT_CHAINS)),
        nat_head=nat_head,
        nat_tail=_node_port_jumps(machine),
    )


def _node_port_jumps(machine: Machine) -> str:
    """The last rules of KUBE-SERVICES: what is for one of the node's own addresses may be for a node port."""
    start = (
        "-A KUBE-SERVICES -m comment --comment"
        ' "kubernetes service nodeports; NOTE: this must be the last rule in this chain"'
    )
    if machine.node_port_all:
        if machine.family == "IPv6":
            excluded = " ! -d ::1/128"
        else:
            excluded = "" if machine.localhost_node_ports else " ! -d 127.0.0.0/8"
        return f"{start} -m addrtype --dst-type LOCAL{excluded} -j KUBE-NODEPORTS\n"
    lines = []
    for ip in machine.node_port_ips:
        loopback = ip == "::1" or (machine.family == "IPv4" and ip.startswith("127."))
        if loopback and not (machine.family == "IPv4" and machine.localhost_node_ports):
            continue
        lines.append(f"{start} -d {ip} -j KUBE-NODEPORTS\n")
    return "".join(lines)
