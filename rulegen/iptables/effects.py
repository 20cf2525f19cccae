"""What a rule does to traffic, and what its absence does, in plain words.

Everything is said from the rule itself, the chain it stands in, and where chains lead; the meaning of the
chains is that of pkg/proxy/iptables/proxier.go (1.37).
"""

from __future__ import annotations

from rulegen.iptables.base import LOCALHOST_COUNTER
from rulegen.iptables.names import CLUSTER, ENDPOINT, EXTERNAL, FIREWALL, LOCAL, PREFIXES
from rulegen.iptables.owned import LAST_RULE
from rulegen.iptables.rule import Rule
from rulegen.iptables.views import Views, destination, host

PACKETS = {
    ("filter", "INPUT"): "packets for the node itself",
    ("filter", "FORWARD"): "packets that the node forwards",
    ("filter", "OUTPUT"): "packets that the node sends",
    ("nat", "PREROUTING"): "connections that come into the node",
    ("nat", "INPUT"): "connections to the node itself",
    ("nat", "OUTPUT"): "connections that the node opens",
    ("nat", "POSTROUTING"): "connections that leave the node",
}
"""What passes a chain of the kernel's."""

_BEHIND = {
    ("nat", "KUBE-SERVICES"): "are not sent to any Service",
    ("nat", "KUBE-POSTROUTING"): "are not masqueraded where they have to be: replies are lost",
    ("filter", "KUBE-SERVICES"): "to Services without endpoints are not refused, they time out",
    (
        "filter",
        "KUBE-EXTERNAL-SERVICES",
    ): "to outside addresses of Services without endpoints are not refused",
    ("filter", "KUBE-NODEPORTS"): "and are health checks of load balancers are left to other firewall rules",
    ("filter", "KUBE-FORWARD"): "for Services are left to other firewall rules and the policy of FORWARD",
    (
        "filter",
        "KUBE-PROXY-FIREWALL",
    ): "are not dropped where they come from outside loadBalancerSourceRanges",
    ("nat", "KUBE-PORTALS-CONTAINER"): "are not sent to any Service",
    ("nat", "KUBE-PORTALS-HOST"): "are not sent to any Service",
    ("nat", "KUBE-NODEPORT-CONTAINER"): "are not sent to any node port",
    ("nat", "KUBE-NODEPORT-HOST"): "are not sent to any node port",
    ("filter", "KUBE-NODEPORT-NON-LOCAL"): "and are for the proxy are left to other firewall rules",
    ("filter", "KUBE-FIREWALL"): "are not dropped where neighbours send them to 127.0.0.0/8",
}
"""What happens to packets that do not come to a chain."""


def who(rule: Rule) -> str:
    """Which traffic a rule matches; ``all traffic`` where it matches everything."""
    words = []
    fields = rule.fields
    if "-s" in fields:
        source = host(fields["-s"].value)
        words.append(f"from outside {source}" if fields["-s"].negated else f"from {source}")
    for name, text in (("-i", "coming in by"), ("-o", "going out by")):
        if name in fields:
            words.append(f"{'not ' if fields[name].negated else ''}{text} {fields[name].value}")
    addresses = rule.match("addrtype")
    if addresses is not None:
        for given in addresses.options:
            if given.name == "--src-type" and given.value == "LOCAL":
                words.append("from other machines" if given.negated else "from the node itself")
            elif given.name == "--dst-type" and given.value == "LOCAL" and "--dport" not in _options(rule):
                words.append("to other machines" if given.negated else "to the node's own addresses")
            elif given.value != "LOCAL":
                words.append(given.text)
    where = destination(rule)
    if where and "-d" in fields and fields["-d"].negated:
        words.append(f"to anything but {where}")
    elif where:
        words.append(f"to any local address {where}" if where.startswith(":") else f"to {where}")
    state = rule.match("conntrack") or rule.match("state")
    if state is not None:
        words += [f"in state {given.value}" if not given.negated else f"not in state {given.value}"
                  for given in state.options]  # fmt: skip
    mark = rule.match("mark")
    if mark is not None:
        words += [f"{'without' if given.negated else 'with'} mark {given.value}" for given in mark.options]
    protocol = fields.get("-p")
    if protocol is not None and not where:
        words.append(f"of {protocol.value}")
    known = {"comment", "addrtype", "conntrack", "state", "mark", "tcp", "udp", "sctp", "statistic",
             "recent", "nfacct"}  # fmt: skip
    words += [f"matched by -m {part.name}" for part in rule.matches if part.name not in known]
    return "traffic " + " ".join(words) if words else "all traffic"


def _options(rule: Rule) -> set[str]:
    return {given.name for part in rule.matches for given in part.options}


def target(rule: Rule) -> str:
    return rule.target.name if rule.target is not None else ""


def does(rule: Rule, views: Views) -> str:
    """What a rule does, as the end of a sentence that begins with "it"."""
    name = target(rule)
    told = rule.target.options[0].value if rule.target is not None and rule.target.options else ""
    whom = who(rule)
    recent = rule.match("recent")
    kept = " and remembers the client" if recent is not None and recent.value("--set") is not None else ""
    if name == "DNAT":
        return f"sends {whom} to {told}{kept}"
    if name == "REDIRECT":
        return f"sends {whom} to port {told} of this node"
    if name == "KUBE-MARK-MASQ":
        return f"masquerades {whom}"
    if name in ("DROP", "REJECT"):
        return f"{'drops' if name == 'DROP' else 'refuses'} {whom}"
    if name in ("ACCEPT", "RETURN"):
        return (
            f"lets {whom} pass without the rules after it"
            if name == "ACCEPT"
            else f"ends the chain for {whom}"
        )
    if name in ("MASQUERADE", "SNAT"):
        return f"gives {whom} another source address"
    if name == "MARK":
        return f"changes the mark of {whom} ({told})"
    if name.startswith(ENDPOINT):
        end = views.endpoints.get(name) or name
        statistic = rule.match("statistic")
        if recent is not None:
            return f"keeps clients seen in the last {recent.value('--seconds')} s at endpoint {end}"
        if statistic is not None and statistic.value("--probability") is not None:
            share = 100 * float(statistic.value("--probability") or 0)
            return f"sends {share:.6g}% of {whom} to endpoint {end}"
        return f"sends {whom} to endpoint {end}"
    if not name:
        return f"only counts {whom}"
    return f"sends {whom} to {name}"


def lacking(table: str, chain: str, rule: Rule, views: Views) -> str:
    """What happens while a rule is missing from its chain."""
    name = target(rule)
    if (table, chain) in PACKETS:
        return f"{PACKETS[table, chain]} {_BEHIND.get((table, name), f'do not come to {name}')}"
    if chain.startswith(PREFIXES):
        return _lacking_in_service(chain, rule, name, views)
    where = destination(rule)
    if table == "nat" and chain == "KUBE-SERVICES":
        if name == "KUBE-NODEPORTS" or LAST_RULE in rule.comment:
            ips = f" on {where}" if where and not rule.fields["-d"].negated else ""
            return f"no node port is served{ips}"
        return f"connections to {where} are not sent to its endpoints"
    if table == "nat" and chain == "KUBE-NODEPORTS":
        if rule.match("nfacct") is not None:
            return f"connections to node port {where} on loopback are not counted in {LOCALHOST_COUNTER}"
        return f"connections to node port {where} are not sent to its endpoints"
    if table == "nat" and chain.startswith(("KUBE-PORTALS-", "KUBE-NODEPORT-")):
        whence = "from the node itself" if chain.endswith("-HOST") else "from pods and outside"
        return f"connections {whence} to {where} do not reach the proxy"
    if name == "REJECT":
        return f"{who(rule)} is not refused: connections time out"
    if chain == "KUBE-PROXY-FIREWALL":
        return f"clients outside loadBalancerSourceRanges are not dropped at {where}"
    if chain in ("KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES"):
        return f"{who(rule)} is not dropped, though no endpoint on this node may take it"
    return _LACKING.get(
        (table, chain, name), f"nothing {does(rule, views)}".replace("nothing only", "nothing")
    )


_LACKING = {
    ("filter", "KUBE-NODEPORT-NON-LOCAL", "ACCEPT"): "new connections to the proxy are left to other rules",
    ("filter", "KUBE-NODEPORTS", "ACCEPT"): "health checks are left to other firewall rules",
    ("filter", "KUBE-FORWARD", "DROP"): "packets that conntrack cannot place pass, and may reset connections",
    ("filter", "KUBE-FORWARD", "ACCEPT"): "forwarded packets of Services are left to the policy of FORWARD",
    ("filter", "KUBE-FIREWALL", "DROP"): "neighbours reach what listens on the node's loopback addresses",
    ("nat", "KUBE-POSTROUTING", "RETURN"): "all that leaves the node is masqueraded, marked or not",
    ("nat", "KUBE-POSTROUTING", "MARK"): "packets keep the mark, and may be masqueraded twice",
    ("nat", "KUBE-POSTROUTING", "MASQUERADE"): "nothing is masqueraded: replies to marked traffic are lost",
    ("nat", "KUBE-MARK-MASQ", "MARK"): "no connection is marked for masquerading: replies are lost",
}  # fmt: skip


def _lacking_in_service(chain: str, rule: Rule, name: str, views: Views) -> str:
    end = views.endpoints.get(chain) or views.endpoints.get(name) or name
    if chain.startswith(ENDPOINT):
        if name == "DNAT":
            return f"what is sent to endpoint {end} does not arrive there: its address is not translated"
        return f"endpoint {end} does not reach itself through the Service: it would answer itself directly"
    if chain.startswith(FIREWALL):
        if not name:
            return "nothing: the rule only counts"
        return f"{who(rule)} is dropped"
    if name == "KUBE-MARK-MASQ":
        return f"{who(rule)} keeps its source address: replies may not come back through this node"
    if name.startswith(ENDPOINT):
        if rule.match("recent") is not None:
            return f"clients do not stay at endpoint {end}"
        if rule.match("statistic") is not None:
            return f"endpoint {end} gets no new connections, the others get its share"
        return f"connections that were meant for endpoint {end} are sent nowhere"
    if chain.startswith(EXTERNAL):
        if name.startswith(CLUSTER) and rule.match("addrtype") is not None:
            return "the node itself does not reach all endpoints by outside addresses"
        if name.startswith(CLUSTER) and (rule.fields.keys() & {"-s", "-i"}):
            return "pods do not reach all endpoints by outside addresses"
        if name.startswith((CLUSTER, LOCAL)):
            return "connections to outside addresses and node ports are not sent to endpoints"
    return f"{who(rule)} does not come to {name}" if name else "nothing: the rule only counts"
