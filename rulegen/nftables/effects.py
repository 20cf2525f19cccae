"""What a rule or an element does to traffic, and what its absence does, in plain words.

Everything is said from the rule itself, the chain it stands in, and where chains lead; the meaning of the
chains is that of pkg/proxy/nftables/proxier.go (1.37).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rulegen.nftables import names
from rulegen.nftables.element import Element
from rulegen.nftables.references import target
from rulegen.nftables.show import constants
from rulegen.nftables.statements import Statement
from rulegen.nftables.views import Views, address, destinations, endpoint_of_name, spread_to
from rulegen.plan.addresses import join_host_port

PACKETS = {
    "filter-prerouting-pre-dnat": "new connections that come into the node",
    "filter-output-pre-dnat": "new connections that the node opens",
    "filter-input": "new connections to the node itself",
    "filter-forward": "new connections that the node forwards",
    "filter-output": "new connections that the node opens",
    "nat-prerouting": "connections that come into the node",
    "nat-output": "connections that the node opens",
    "nat-postrouting": "connections that leave the node",
}
"""What passes a base chain."""

_BEHIND = {
    names.SERVICES_CHAIN: "are not sent to any Service",
    names.MASQUERADING_CHAIN: "are not masqueraded where they have to be: replies are lost",
    names.SERVICE_ENDPOINTS_CHECK: "to Services without endpoints are not refused, they time out",
    names.NODE_PORT_ENDPOINTS_CHECK: "to node ports without endpoints are not refused, nor dropped",
    names.FIREWALL_CHECK: "are not dropped where they come from outside loadBalancerSourceRanges",
    names.CLUSTER_IPS_CHECK: "to ports that no cluster IP has are not refused, nor those to unallocated"
    " cluster IPs dropped",
}
"""What happens to packets that do not come to a chain."""

_NO_EFFECT = "only the comment differs, traffic is the same"
_FEW = 4


# --- rules


def who(statements: Sequence[Statement], views: Views) -> str:
    """Which traffic a rule matches; ``all traffic`` where it matches everything."""
    words = [word for statement in statements for word in _conditions(statement, views)]
    return f"traffic {' '.join(words)}" if words else "all traffic"


def _conditions(statement: Statement, views: Views) -> Iterator[str]:
    match statement.get("match"):
        case {"left": {"payload": {"field": "saddr"}}, "right": str(right)} if right[:1] == "@":
            end = endpoint_of_name(right[1:])
            yield f"of clients that endpoint {end} remembers" if end else f"from an address in {right[1:]}"
        case {"left": {"payload": {"field": "saddr"}}, "op": op, "right": right}:
            yield f"{'from outside' if op == '!=' else 'from'} {constants(right)}"
        case {"left": {"payload": {"field": "daddr"}}, "op": op, "right": right}:
            where = {
                f"@{names.CLUSTER_IPS}": "cluster IPs", f"@{names.NODE_PORT_IPS}": "addresses of node ports",
            }.get(str(right), constants(right))  # fmt: skip
            yield f"{'to anything but' if op == '!=' else 'to'} {where}"
        case {"left": {"payload": {"field": field}}, "op": op, "right": right}:
            yield f"{'without' if op == '!=' else 'with'} {field} {constants(right)}"
        case {"left": {"meta": {"key": "iifname"}}, "op": op, "right": device}:
            yield f"{'not ' if op == '!=' else ''}coming in by {constants(device)}"
        case {"left": {"meta": {"key": "l4proto"}}, "op": op, "right": protocol}:
            yield f"{'not ' if op == '!=' else ''}of {constants(protocol)}"
        case {"left": {"&": [{"meta": {"key": "mark"}}, int(mask)]}}:
            yield f"with mark 0x{mask:08x}"
        case {"left": {"fib": {"flags": [flag], "result": "type"}}, "right": "local"}:
            yield "from the node itself" if flag == "saddr" else "to the node's own addresses"
        case {"left": {"ct": {"key": "state"}}, "op": op, "right": state}:
            yield f"{'not ' if op == '!=' else ''}in state {constants(state)}"
        case {"left": {"ct": {"key": "status"}}, "right": "dnat"}:
            yield "of Services"
        case {"left": {"concat": _}, "right": right} if right == f"@{names.HAIRPIN}":
            yield "of endpoints to themselves"
        case {"left": left, "right": right}:
            yield f"that matches {next(iter(left))} {constants(right)}"


def does(statements: Sequence[Statement], views: Views) -> str:
    """What a rule does, as the end of a sentence that begins with "it"."""
    if not statements:
        return "does something that kube-proxy never does"
    whom = who(statements, views)
    masquerades = any("masquerade" in statement for statement in statements)
    last = statements[-1]
    ends = destinations(list(statements)) or [
        views.endpoints.get(to, to) for to in spread_to(list(statements))
    ]
    if ends:
        return f"sends {whom} to {_listed(ends)}"
    if masquerades:
        return f"gives {whom} another source address"
    match last:
        case {"drop": _}:
            return f"drops {whom}"
        case {"reject": _}:
            return f"refuses {whom}"
        case {"accept": _}:
            return f"lets {whom} pass without the rules after it"
        case {"return": _} | {"continue": _}:
            return f"ends the chain for {whom}" if "return" in last else f"only matches {whom}"
        case {"mangle": {"key": {"meta": {"key": "mark"}}, "value": {"|": _}}}:
            return f"masquerades {whom}"
        case {"mangle": _}:
            return f"changes the mark of {whom}"
        case {"set": _}:
            return f"remembers the client of {whom}"
        case {"vmap": {"data": str(name)}}:
            return f"looks {whom} up in {name.removeprefix('@')}"
        case {"goto": {"target": to}} | {"jump": {"target": to}}:
            return f"sends {whom} to {_called(to, views)}"
        case {"dnat": _}:
            return f"changes where {whom} goes"
    return f"only matches {whom}"


def _called(chain: str, views: Views) -> str:
    end = views.endpoints.get(chain) or (endpoint_of_name(chain) if chain.startswith(names.ENDPOINT) else "")
    return f"endpoint {end}" if end else chain


def _listed(ends: Sequence[str]) -> str:
    if len(ends) == 1:
        return f"endpoint {ends[0]}"
    few = ", ".join(ends[:_FEW]) + (", ..." if len(ends) > _FEW else "")
    return f"{len(ends)} endpoints by chance ({few})"


def instead(before: Sequence[Statement], after: Sequence[Statement], is_now: Views, wanted: Views) -> str:
    """What a rule does in place of the one that should be there."""
    if before and before == after:
        return _NO_EFFECT
    was, should = does(before, is_now), does(after, wanted)
    old, new = list(before), list(after)
    here = destinations(old) or [is_now.endpoints.get(to, to) for to in spread_to(old)]
    there = destinations(new) or [wanted.endpoints.get(to, to) for to in spread_to(new)]
    if here and there:
        said = [f"endpoint {end} gets no connections" for end in dict.fromkeys(there) if end not in here]
        said += [f"{end}, which is no endpoint, gets connections" for end in dict.fromkeys(here)
                 if end not in there]  # fmt: skip
        if not said and sorted(here) != sorted(there):
            said = ["the endpoints do not get even shares of the connections"]
        if said:
            return "; ".join(said)
    if was != should:
        return f"it {was}, instead of one that {should}"
    return f"it {was}, but not as kube-proxy has it"


def lacking(chain: str, statements: Sequence[Statement], views: Views) -> str:
    """What happens while a rule is missing from its chain."""
    last = statements[-1] if statements else {}
    to = next((told["target"] for word in ("goto", "jump") if (told := last.get(word))), "")
    if chain in PACKETS:
        return f"{PACKETS[chain]} {_BEHIND.get(to, f'do not come to {to}')}"
    if chain.startswith((names.CLUSTER, names.LOCAL)):
        if to:
            return f"clients do not stay at {_called(to, views)}"
        return "connections that come here are sent to no endpoint"
    if chain.startswith(names.ENDPOINT):
        end = views.endpoints.get(chain) or endpoint_of_name(chain)
        if "set" in last:
            return f"clients of endpoint {end} are not remembered: they do not stay there"
        return f"what is sent to endpoint {end} does not arrive there: its address is not translated"
    if chain.startswith(names.FIREWALL):
        return "clients outside loadBalancerSourceRanges are not dropped"
    if chain.startswith(names.EXTERNAL):
        return _lacking_external(statements, to, views)
    return _lacking_base(chain, statements, last, views)


def _lacking_external(statements: Sequence[Statement], to: str, views: Views) -> str:
    whom = who(statements, views)
    if "mangle" in statements[-1]:
        return f"{whom} keeps its source address: replies may not come back through this node"
    if whom != "all traffic":
        return f"{whom} does not reach all endpoints by outside addresses"
    return "connections to outside addresses and node ports are not sent to endpoints"


_LOOKED_UP = {
    names.SERVICE_IPS: "no cluster IP and no outside address of a Service is served",
    names.SERVICE_NODE_PORTS: "no node port is served",
    names.FIREWALL_IPS: "no loadBalancerSourceRanges are enforced",
    names.NO_ENDPOINT_SERVICES: "Services without endpoints are not refused: connections time out",
    names.NO_ENDPOINT_NODE_PORTS: "node ports without endpoints are not refused, nor dropped",
    names.LOCALHOST_REJECTS: "node ports on localhost are not refused: connections are not answered",
}


def _lacking_base(chain: str, statements: Sequence[Statement], last: Statement, views: Views) -> str:
    match last:
        case {"vmap": {"data": str(name)}}:
            return _LOOKED_UP.get(name.removeprefix("@"), f"nothing is looked up in {name}")
    if chain == names.MASQUERADING_CHAIN:
        if any("concat" in statement.get("match", {}).get("left", {}) for statement in statements):
            return (
                "endpoints do not reach themselves through a Service: they would answer themselves directly"
            )
        return "nothing is masqueraded: replies to marked traffic are lost"
    if chain == names.SERVICES_CHAIN:
        return f"{who(statements, views)} keeps its source address: replies may not come back this way"
    if chain == names.CLUSTER_IPS_CHECK:
        if "drop" in last:
            return "traffic to unallocated cluster IPs is not dropped"
        return "traffic to ports that no cluster IP has is not refused: it may leave the node"
    if chain == names.REJECT_CHAIN:
        return "Services without endpoints are not refused: connections time out"
    if chain.startswith(names.LOCALHOST_REJECT_CHAIN):
        return "node ports on localhost are neither refused nor counted"
    return f"nothing {does(statements, views)}"


# --- elements


def lacking_element(element: Element) -> str:
    """What happens while an element is missing."""
    where, key = address(element), element.key
    match element.container:
        case names.CLUSTER_IPS:
            return (
                f"ports of {key} that no Service has are not refused, and traffic to it from outside the"
                " cluster is not masqueraded"
            )
        case names.HAIRPIN:
            return (
                f"endpoint {_itself(key)} does not reach itself through the Service: it would answer itself"
            )
        case names.NODE_PORT_IPS:
            return f"no node port is served on {key}"
        case names.SERVICE_IPS | names.SERVICE_NODE_PORTS:
            return f"connections to {_at(where)} are not sent to its endpoints"
        case names.FIREWALL_IPS:
            return f"clients outside loadBalancerSourceRanges are not dropped at {where}"
        case names.LOCALHOST_REJECTS:
            return f"connections to {_at(where)} on localhost are neither refused nor counted"
        case names.NO_ENDPOINT_SERVICES | names.NO_ENDPOINT_NODE_PORTS:
            if element.value == "drop":
                return f"connections to {_at(where)} are not dropped, though no endpoint here may take them"
            return f"connections to {_at(where)} are not refused: they time out"
    return f"{key} is not in {element.container}"


def present_element(element: Element) -> str:
    """What an element does that should not be there."""
    where, key = address(element), element.key
    match element.container:
        case names.CLUSTER_IPS:
            return f"ports of {key} that no Service has are refused, though it is no cluster IP"
        case names.HAIRPIN:
            return f"connections of {_itself(key)} to itself are masqueraded, though it is no endpoint here"
        case names.NODE_PORT_IPS:
            return f"node ports are served on {key} too"
    to = target(element.value)
    if element.value:
        return f"connections to {_at(where)} are {_verdict(element.value, to)}"
    return f"{key} is in {element.container}"


def changed_element(before: Element, after: Element) -> str:
    """What an element does in place of the one that should be there."""
    if before.value == after.value:
        return _NO_EFFECT
    where = _at(address(after))
    is_now = _verdict(before.value, target(before.value))
    return f"connections to {where} are {is_now}, instead of {_verdict(after.value, target(after.value))}"


def _verdict(value: str, to: str) -> str:
    if to == names.REJECT_CHAIN or to.startswith(names.LOCALHOST_REJECT_CHAIN):
        return "refused"
    return f"sent to {to}" if to else {"drop": "dropped", "accept": "accepted"}.get(value, value)


def _at(where: str) -> str:
    return f"node port {where}" if where[:1] == ":" else where


def _itself(key: str) -> str:
    parts = key.split(" . ")
    if len(parts) == 4 and parts[3].isdecimal():
        return f"{join_host_port(parts[0], int(parts[3]))}/{parts[2]}"
    return key
