"""What others have in a namespace: a CNI plugin, docker, a firewall, somebody with a shell."""

from __future__ import annotations

from tests.kernel.netns import Namespace

_RULES = """\
*filter
:DOCKER-USER - [0:0]
:cali-FORWARD - [0:0]
-A cali-FORWARD -i cali+ -m comment --comment "cali:wUHhoiAYhphO9Mso" -j ACCEPT
-A DOCKER-USER -j RETURN
-A FORWARD -j cali-FORWARD
-A FORWARD -j DOCKER-USER
-A INPUT -i lo -j ACCEPT
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -i lo -j ACCEPT
-A OUTPUT -o lo -j ACCEPT
COMMIT
*nat
:DOCKER - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination {container}:80
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A PREROUTING -m comment --comment "a b" -j CNI-HOSTPORT-DNAT
-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A POSTROUTING -o eth7 -j MASQUERADE
COMMIT
*raw
-A PREROUTING -i eth7 -j ACCEPT
COMMIT
"""

_LATER = """\
*filter
-I INPUT -i wg0 -j ACCEPT
-I INPUT 3 -i wg1 -j ACCEPT
-I FORWARD 2 -i wg2 -j DROP
-I OUTPUT 2 -o wg3 -j ACCEPT
COMMIT
*nat
:MINE - [0:0]
-A MINE -o wg4 -j RETURN
-I PREROUTING -j MINE
-I OUTPUT -j MINE
-A POSTROUTING -j MINE
COMMIT
"""

_TABLES = """\
table inet firewalld {
    chain in {
        type filter hook input priority 10;
        tcp dport 7 drop
    }
}
table ip mine {
    set known {
        type ipv4_addr
        elements = { 192.0.2.1 }
    }
}
"""

TABLES = ("inet firewalld", "ip mine")


def neighbours(namespace: Namespace) -> None:
    """Chains, and rules in all that the kernel calls, in both families and variants; tables of nft."""
    for tool, container in (("iptables", "172.17.0.2"), ("ip6tables", "[fd00::2]")):
        for variant in ("legacy", "nft"):
            restored = _RULES.format(container=container)
            namespace.run(f"{tool}-{variant}-restore", "--noflush", stdin=restored)
    namespace.run("nft", "-f", "-", stdin=_TABLES)


def latecomers(namespace: Namespace) -> None:
    """Rules in front of kube-proxy's jumps, between them and behind."""
    for tool in ("iptables", "ip6tables"):
        for variant in ("legacy", "nft"):
            namespace.run(f"{tool}-{variant}-restore", "--noflush", stdin=_LATER)
