"""The script that gathers a node's listings into one archive."""

from __future__ import annotations

from rulegen.dump.read import file_name

# Reading only: none of these changes anything on the node. A tool that is missing is passed over.
# ipvsadm would have the kernel load its module, if only to say its version.
_COMMANDS: dict[str, str] = {
    "iptables-save": '"$(fullest iptables)"',
    "ip6tables-save": '"$(fullest ip6tables)"',
    "nft list ruleset": "nft list ruleset",
    "nft -j list ruleset": "nft -j list ruleset",
    "ipvsadm -Sn": "ipvs ipvsadm -Sn",
    "ipset save": "ipset save",
    "ip -j addr": "ip -j addr",
    "ip -j route": "ip -j route",
    "ip -j -6 route": "ip -j -6 route",
    "sysctl": "sysctl net.ipv4.ip_forward net.ipv4.conf.all.route_localnet"
    " net.netfilter.nf_conntrack_tcp_be_liberal net.bridge.bridge-nf-call-iptables",
    "uname -r": "uname -r",
    "versions": "sh -c 'iptables --version; nft --version; ipset --version; uname -srm'",
}


def script() -> str:
    """A POSIX shell script for a node; the archive goes to standard output, or to the file it is given."""
    from rulegen.reports import report

    listings = [(file_name(name), command) for name, command in _COMMANDS.items()]
    return report("collect", {}, listings=listings)
