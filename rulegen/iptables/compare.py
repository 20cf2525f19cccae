"""Is this node as it should be: a dump against the rules that were compiled for it.

Counters do not count, nor does the order of Services in the chains that they share, nor what is not
kube-proxy's. What kube-proxy itself leaves as it is becomes a note (pkg/proxy/iptables/proxier.go, 1.37): it
looks for each jump but not at its place, and in a large cluster neither rewrites rules that only have a
comment too many nor always deletes chains that nothing leads to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from rulegen.collector import paused
from rulegen.findings import Comparison, Facts, Finding
from rulegen.iptables import effects
from rulegen.iptables.base import INVALID_COUNTER, KUBELET_CHAIN, LOCALHOST_COUNTER
from rulegen.iptables.changes import ChainChange
from rulegen.iptables.diff import changes
from rulegen.iptables.dump import BUILTIN, Dump
from rulegen.iptables.names import ENDPOINT, PREFIXES
from rulegen.iptables.normal import normal
from rulegen.iptables.owned import (
    CANARY,
    KUBELET_CHAINS,
    SHARED_CHAINS,
    is_jump,
    is_owned,
    is_service_chain,
)
from rulegen.iptables.rule import Rule, read, target_of, write
from rulegen.iptables.ruleset import Ruleset
from rulegen.iptables.save import as_dump
from rulegen.iptables.views import NOBODY, PortName, Views, label, parsed, port_of, views
from rulegen.model import Family

_ACTORS = (
    ("cali", "calico"), ("DOCKER", "docker"), ("CNI-", "CNI plugins"), ("CILIUM_", "cilium"),
    ("OLD_CILIUM_", "cilium"), ("ISTIO_", "istio"), ("FLANNEL", "flannel"), ("WEAVE", "weave"),
    ("KUBE-ROUTER-", "kube-router"), ("KUBE-POD-FW-", "kube-router"), ("KUBE-NWPLCY-", "kube-router"),
    ("LIBVIRT_", "libvirt"), ("f2b-", "fail2ban"), ("ufw", "ufw"), ("NETAVARK", "podman"),
    ("LINKERD", "linkerd"), ("PROXY_INIT_", "linkerd"), ("ANTREA-", "antrea"),
    ("OVN-KUBE-", "ovn-kubernetes"),
)  # fmt: skip


class Manner(msgspec.Struct, frozen=True):
    """What a mode's chains are like: in which of them order means nothing, and what it means to lack a rule.

    ``lacking`` takes table, chain, rule and the wanted views; ``unprogrammed`` says what happens without any
    rule at all, empty where no Service is served then.
    """

    unordered: Collection[str] = SHARED_CHAINS
    lacking: Callable[[str, str, Rule, Views], str] = effects.lacking
    unprogrammed: str = ""


_MANNER = Manner()


def compare(current: Dump, desired: Ruleset) -> Comparison:
    """What differs on a node; raises ValueError where the families differ."""
    with paused():
        return against(current, as_dump(desired), len(desired.fragments), large=desired.large)


def against(
    current: Dump, wanted: Dump, ports: int, *, large: bool = False, manner: Manner = _MANNER
) -> Comparison:
    """The same for the rules of any mode, as a state; ``ports`` is how many service ports have them.

    ``large`` says that kube-proxy writes no comments.
    """
    if current.family == wanted.family and not _is_programmed(current):
        finding = _nothing(wanted.family, ports, manner)
        return Comparison(findings=(finding,), foreign=foreign(current))
    found = changes(current, wanted, unordered=manner.unordered)
    notes: list[str] = []
    leads = _leading_to(current, {change.chain for change in found if change.action == "delete"})
    if large:
        found = _but_for_old_comments(current, wanted, found, leads, notes)
    findings: list[Finding] = []
    if found:
        told = _Teller(current, wanted, leads, manner)
        for change in found:
            findings += told.findings(change)
    notes += _ahead_of_jumps(current)
    return Comparison(findings=tuple(findings), notes=tuple(notes), foreign=foreign(current))


def _is_programmed(current: Dump) -> bool:
    """Whether there is anything of kube-proxy's; kubelet makes KUBE-FIREWALL, too."""
    return any(
        is_owned(name) and name != KUBELET_CHAIN for chains in current.tables.values() for name in chains
    )


def _nothing(family: Family, ports: int, manner: Manner) -> Finding:
    """That kube-proxy has not been at work at all."""
    served = f"no Service is served on this node ({ports} service port{'s' if ports != 1 else ''})"
    return Finding(
        what="missing",
        family=family,
        place="every table",
        rule="all chains and rules of kube-proxy",
        effect=manner.unprogrammed or served,
    )


def facts(states: Iterable[Dump]) -> Facts:
    """What the rules of a node (of both families, where both are there) tell about it.

    nfacct counters are used where one is named. The sysctl net.netfilter.nf_conntrack_tcp_be_liberal is one
    for both families: it is set where kube-proxy drops invalid packets in none of them.
    """
    nfacct = liberal = None
    for state in states:
        forward = state.chain("filter", "KUBE-FORWARD")
        if forward is None:
            continue
        node_ports = state.rules("nat", "KUBE-NODEPORTS")
        counted = any(INVALID_COUNTER in rule for rule in forward.rules)
        counted = counted or any(LOCALHOST_COUNTER in rule for rule in node_ports)
        drops = any("--ctstate INVALID" in rule for rule in forward.rules)
        nfacct = bool(nfacct) or counted
        liberal = (liberal is None or liberal) and not drops
    return Facts(nfacct=nfacct, conntrack_tcp_be_liberal=liberal)


def foreign(dump: Dump) -> dict[str, int]:
    """Rules of others on the node, counted by whose their chains seem to be, else as of ``others``."""
    counts: dict[str, int] = {}
    for table, chains in dump.tables.items():
        for name, chain in chains.items():
            if name in BUILTIN.get(table, ()):
                for rule in chain.rules:
                    if not is_jump(rule, dump.family):
                        actor = _actor(target_of(rule))
                        counts[actor] = counts.get(actor, 0) + 1
            elif chain.rules and not is_owned(name) and name != CANARY and name not in KUBELET_CHAINS:
                counts[_actor(name)] = counts.get(_actor(name), 0) + len(chain.rules)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _actor(name: str) -> str:
    return next((actor for start, actor in _ACTORS if name.startswith(start)), "others")


def _ahead_of_jumps(current: Dump) -> Iterator[str]:
    family = current.family
    for table in ("nat", "filter"):
        for name in BUILTIN[table]:
            ahead: dict[str, None] = {}
            for rule in current.rules(table, name):
                if not is_jump(rule, family):
                    ahead[target_of(rule) or "a rule without target"] = None
                    continue
                if ahead:
                    others = ", ".join(ahead)
                    yield (
                        f"{family} {table} {name}: {others} {'is' if len(ahead) == 1 else 'are'} ahead of"
                        f" {target_of(rule)} (kube-proxy leaves that as it is)"
                    )
                    break


def _but_for_old_comments(
    current: Dump,
    wanted: Dump,
    found: Sequence[ChainChange],
    leads: Mapping[str, list[str]],
    notes: list[str],
) -> list[ChainChange]:
    """Without the chains in which a large cluster has only comments left over, or that nothing leads to."""
    family = current.family
    commented, unused = 0, 0
    left = []
    for change in found:
        if is_service_chain(change.chain) and change.table == "nat":
            if change.action == "delete" and not leads.get(change.chain):
                unused += 1
                continue
            if change.action in ("edit", "rewrite"):
                before, after = current.rules("nat", change.chain), wanted.rules("nat", change.chain)
                if [_bare(rule, family) for rule in before] == [_bare(rule, family) for rule in after]:
                    commented += 1
                    continue
        left.append(change)
    if commented:
        notes.append(
            f"{family}: old comments in {_chains(commented)} (above 1,000 endpoints kube-proxy writes none,"
            " and leaves those)"
        )
    if unused:
        notes.append(
            f"{family}: {_chains(unused)} of no Service that nothing leads to (above 1,000 endpoints"
            " kube-proxy deletes such chains now and then only)"
        )
    return left


def _chains(count: int) -> str:
    return f"{count} chain" if count == 1 else f"{count} chains"


def _bare(rule: str, family: Family) -> str:
    """The normal form of a rule without its comments."""
    try:
        parts = read(normal(rule, family), family)
    except ValueError:
        return rule
    parts.matches = [part for part in parts.matches if part.name != "comment"]
    return write(parts, family)


def _leading_to(dump: Dump, names: Collection[str]) -> dict[str, list[str]]:
    """Chain -> the chains that have a rule leading to it, other ones of ``names`` aside."""
    found: dict[str, list[str]] = {}
    if not names:
        return found
    for chains in dump.tables.values():
        for name, chain in chains.items():
            if name in names:
                continue
            for rule in chain.rules:
                if " KUBE-" in rule and (target := target_of(rule)) in names:
                    found.setdefault(target, []).append(name)
    return found


class _Teller:
    """Puts changes into words; knows both states, the node's and the wanted one."""

    def __init__(self, current: Dump, wanted: Dump, leads: Mapping[str, list[str]], manner: Manner) -> None:
        self.family = current.family
        self.manner = manner
        self.leads = leads
        self.current, self.wanted = current, wanted
        self.is_now, self.should_be = views(current), views(wanted)
        # A chain that does not translate any more is still known as that of its endpoint.
        known = self.should_be.endpoints
        self.is_now.endpoints = known | {chain: end for chain, end in self.is_now.endpoints.items() if end}

    def findings(self, change: ChainChange) -> Iterator[Finding]:
        if change.action == "add":
            yield self._chain_missing(change)
            return
        if change.action == "delete":
            yield self._stale(change)
            return
        place = f"{change.table} {change.chain}"
        rules = change.rules
        for number, old, new in rules.changed:
            before, after = self._rule(old), self._rule(new)
            yield Finding(
                what="changed",
                family=self.family,
                service=self._service(change.chain, after, before),
                place=f"{place} rule {number}",
                rule=old,
                wanted=new,
                effect=self._instead(before, after),
            )
        for number, text in rules.gained:
            rule = self._rule(text)
            yield Finding(
                what="missing",
                family=self.family,
                service=self._service(change.chain, rule),
                place=place if change.chain in self.manner.unordered else f"{place} rule {number}",
                rule=text or "(a rule that only counts)",
                effect=self.manner.lacking(change.table, change.chain, rule, self.should_be),
            )
        for number, text in rules.lost:
            rule = self._rule(text)
            yield Finding(
                what="extra",
                family=self.family,
                service=self._service(change.chain, rule),
                place=f"{place} rule {number}",
                rule=text or "(a rule that only counts)",
                effect=self._besides(change.table, change.chain, text, rule),
            )
        for number, text in rules.moved:
            rule = self._rule(text)
            yield Finding(
                what="moved",
                family=self.family,
                service=self._service(change.chain, rule),
                place=f"{place} rule {number}",
                rule=text,
                effect=_out_of_order(change.chain, rule),
            )

    def _rule(self, text: str) -> Rule:
        return parsed(text, self.family) or Rule()

    def _service(self, chain: str, *rules: Rule) -> str:
        name = NOBODY
        if chain.startswith(PREFIXES):
            name = self.should_be.owners.get(chain) or self.is_now.owners.get(chain) or NOBODY
        for rule in rules:
            if name == NOBODY:
                name = port_of(rule)
        return label(name)

    def _besides(self, table: str, chain: str, text: str, rule: Rule) -> str:
        does = f"it {effects.does(rule, self.is_now)}"
        key = normal(text, self.family)
        if sum(normal(other, self.family) == key for other in self.current.rules(table, chain)) > 1:
            return f"{does}, as another rule of the chain already does"
        return f"{does}, but nothing leads to this chain" if chain == CANARY else does

    def _instead(self, before: Rule, after: Rule) -> str:
        is_now, should_be = effects.does(before, self.is_now), effects.does(after, self.should_be)
        if is_now != should_be:
            return f"it {is_now}, instead of one that {should_be}"
        for rule in (before, after):
            rule.matches = [part for part in rule.matches if part.name != "comment"]
        if write(before, self.family) == write(after, self.family):
            return "only the comment differs, traffic is the same"
        return f"it {is_now}, but not as kube-proxy has it"

    def _chain_missing(self, change: ChainChange) -> Finding:
        chain = change.chain
        said: dict[str, None] = {}
        for _, text in change.rules.gained:
            said[self.manner.lacking(change.table, chain, self._rule(text), self.should_be)] = None
        if chain.startswith(ENDPOINT) and self.should_be.endpoints.get(chain):
            said = {f"endpoint {self.should_be.endpoints[chain]} is not reached": None}
        count = len(change.rules.gained)
        return Finding(
            what="missing",
            family=self.family,
            service=self._service(chain, *[self._rule(text) for _, text in change.rules.gained[:1]]),
            place=f"{change.table} {chain}",
            rule=f"the chain, with {count} rule{'s' if count != 1 else ''}",
            effect="; ".join(said) or "nothing: it would be empty",
        )

    def _stale(self, change: ChainChange) -> Finding:
        chain = change.chain
        count = len(change.rules.lost)
        from_where = self.leads.get(chain, [])
        effect = "nothing leads to it: no effect on traffic"
        if from_where:
            sources = list(dict.fromkeys(from_where))
            effect = f"{', '.join(sources)} still lead{'s' if len(sources) == 1 else ''} to it"
        end = self.is_now.endpoints.get(chain)
        return Finding(
            what="stale",
            family=self.family,
            service=self._owner_now(chain),
            place=f"{change.table} {chain}",
            rule=f"a chain of no Service, with {count} rule{'s' if count != 1 else ''}"
            + (f", for endpoint {end}" if end else ""),
            effect=effect,
        )

    def _owner_now(self, chain: str) -> str:
        owner: PortName = self.is_now.owners.get(chain, NOBODY)
        return label(owner)


def _out_of_order(chain: str, rule: Rule) -> str:
    if effects.target(rule).startswith(ENDPOINT) and rule.match("recent") is None:
        return "the endpoints do not get even shares of the connections"
    if chain == "KUBE-SERVICES":
        return "rules after it are met too late for the node's own addresses"
    return "rules that should come after it are met before it, or the other way round"
