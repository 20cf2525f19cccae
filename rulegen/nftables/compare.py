"""Is this node as it should be: a table against the one that was compiled for it.

What counters counted and whom session affinity remembers does not count, nor do other tables. Where two
Services ask for the same key of a map, kube-proxy gives it to the one that it meets last (of a hash map):
each of them is as it should be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from rulegen.findings import Comparison, Facts, Finding, What
from rulegen.iptables.changes import Listed, sorted_out
from rulegen.iptables.edit import Slot, kept, replacements
from rulegen.iptables.views import NOBODY, PortName, label
from rulegen.model import FAMILIES, Family
from rulegen.nftables import effects, names
from rulegen.nftables.element import Element
from rulegen.nftables.references import Reference, of_rules, target
from rulegen.nftables.ruleset import Ruleset
from rulegen.nftables.table import Chain, Container, Table, same_chain, same_shape, table, unlike
from rulegen.nftables.views import endpoint_of_name, owner_of_name, owners, parsed, spread_to, views

_ONLY_COMMENT = "only the comment differs, traffic is the same"
_CIDRS = re.compile(
    r"ip6? daddr (?:\{ (.+) \}|(\S+)) drop comment \"Drop traffic to unallocated ClusterIPs\""
)


def compare(current: Table | None, desired: Ruleset) -> Comparison:
    """What differs on a node; raises ValueError where the families differ."""
    wanted = table(desired)
    if current is None or current.absent:
        ports = len(desired.fragments)
        missing = Finding(
            what="missing",
            family=wanted.family,
            place=f"table {names.TABLE}",
            rule="the table",
            effect=f"no Service is served on this node ({ports} service port{'s' if ports != 1 else ''})",
        )
        return Comparison(findings=(missing,))
    if current.family != wanted.family:
        raise ValueError(f"{current.family} and {wanted.family} tables cannot be compared")
    teller = _Teller(current, wanted)
    found = [
        *teller.of_table(),
        *teller.of_chains(),
        *teller.of_containers(_asked_for(desired)),
        *teller.of_counters(),
    ]
    return Comparison(findings=tuple(found))


def facts(states: Iterable[Table | None]) -> Facts:
    """What the tables of a node tell about it: the ServiceCIDRs that kube-proxy knew, by family.

    nft joins ranges that touch each other, so there may be fewer than the cluster has.
    """
    found: dict[Family, tuple[str, ...]] = {}
    for state in states:
        chain = state.chains.get(names.CLUSTER_IPS_CHECK) if state is not None else None
        if state is None or chain is None or state.family not in FAMILIES:
            continue
        found.setdefault(state.family, ())
        for rule in chain.rules:
            told = _CIDRS.fullmatch(rule)
            if told is not None:
                found[state.family] = tuple((told[1] or told[2]).split(" , "))
    return Facts(service_cidrs=found)


def _asked_for(desired: Ruleset) -> dict[tuple[str, str], list[Element]]:
    """Elements that are asked for in more than one way, by container and key."""
    found: dict[tuple[str, str], list[Element]] = {}
    for fragment in desired.fragments.values():
        for element in fragment.elements:
            asked = found.setdefault((element.container, element.key), [])
            if element not in asked:
                asked.append(element)
    return {place: asked for place, asked in found.items() if len(asked) > 1}


class _Teller:
    """Puts differences into words; knows both tables, the node's and the wanted one."""

    def __init__(self, current: Table, wanted: Table) -> None:
        self.family = wanted.family
        self.current, self.wanted = current, wanted
        self.is_now, self.should_be = views(current), views(wanted)

    def _finding(
        self, what: What, place: str, rule: str, effect: str, service: str = "", wanted: str = ""
    ) -> Finding:
        return Finding(
            what=what,
            family=self.family,
            place=place,
            rule=rule,
            effect=effect,
            service=service,
            wanted=wanted,
        )

    # --- the table

    def of_table(self) -> Iterator[Finding]:
        now, wanted = self.current, self.wanted
        place = f"table {names.TABLE}"
        if unlike(now.comment, wanted.comment):
            yield self._finding(
                "changed",
                place,
                f"comment {now.comment!r}",
                _ONLY_COMMENT,
                wanted=f"comment {wanted.comment!r}",
            )
        for line in now.other:
            asleep = line == "flags dormant"
            effect = (
                "the kernel passes over it: no Service is served" if asleep else "kube-proxy sets no such"
            )
            yield self._finding("extra", place, line, effect)

    # --- chains

    def of_chains(self) -> Iterator[Finding]:
        for name, chain in self.wanted.chains.items():
            present = self.current.chains.get(name)
            if present is None:
                yield self._chain_missing(name, chain)
                continue
            if not same_chain(present, chain):
                yield from self._chain_itself(name, present, chain)
            if present.rules != chain.rules:
                yield from self._rules(name, present.rules, chain.rules)
        for name, chain in self.current.chains.items():
            if name not in self.wanted.chains:
                yield self._chain_stale(name, chain)

    def _chain_missing(self, name: str, chain: Chain) -> Finding:
        said = {
            effects.lacking(name, parsed(rule, self.wanted), self.should_be): None for rule in chain.rules
        }
        end = self.should_be.endpoints.get(name)
        if end:
            said = {f"endpoint {end} is not reached": None}
        count = len(chain.rules)
        return self._finding(
            "missing",
            f"chain {name}",
            f"the chain, with {count} rule{'s' if count != 1 else ''}",
            "; ".join(said) or "nothing: it would be empty",
            _label(name),
        )

    def _chain_itself(self, name: str, present: Chain, chain: Chain) -> Iterator[Finding]:
        place, service = f"chain {name}", _label(name)
        packets = effects.PACKETS.get(name, "packets")
        if present.hook != chain.hook:
            effect = f"{packets} come here at another time, or not at all"
            if chain.hook and present.hook.split()[:2] == chain.hook.split()[:2]:
                effect = f"{packets} come here before or after other rules than they should"
            yield self._finding(
                "changed", place, present.hook or "no hook", effect, service, chain.hook or "no hook"
            )
        if present.policy != chain.policy:
            fate = "dropped" if present.policy == "drop" else "accepted"
            effect = f"{packets} that no rule of it decides about are {fate}"
            yield self._finding(
                "changed",
                place,
                f"policy {present.policy or 'none'}",
                effect,
                service,
                f"policy {chain.policy or 'none'}",
            )
        if unlike(present.comment, chain.comment):
            yield self._finding(
                "changed", place, f"comment {present.comment!r}", _ONLY_COMMENT, service,
                f"comment {chain.comment!r}",
            )  # fmt: skip

    def _chain_stale(self, name: str, chain: Chain) -> Finding:
        count = len(chain.rules)
        rules = f"{count} rule{'s' if count != 1 else ''}"
        sources = self._leading_to.get(("chain", name), [])
        end = endpoint_of_name(name)
        if chain.hook:
            does = [effects.does(parsed(rule, self.current), self.is_now) for rule in chain.rules]
            effect = f"its hook is {chain.hook}: it {'; it '.join(does)}" if does else "it has no rules"
            if chain.policy == "drop":
                effect += "; it drops all the rest"
            return self._finding("extra", f"chain {name}", f"a base chain, with {rules}", effect)
        effect = "nothing leads to it: no effect on traffic"
        if sources:
            effect = f"{', '.join(sources)} still lead{'s' if len(sources) == 1 else ''} to it"
        return self._finding(
            "stale",
            f"chain {name}",
            f"a chain of no Service, with {rules}" + (f", for endpoint {end}" if end else ""),
            effect,
            _label(name),
        )

    @cached_property
    def _leading_to(self) -> dict[Reference, list[str]]:
        """Chain or set -> the chains and maps of the node that name it, in the node's order."""
        found: dict[Reference, dict[str, None]] = {}
        for chain, told in self.current.chains.items():
            for named in of_rules(told.rules):
                found.setdefault(named, {})[chain] = None
        for container, held in self.current.containers.items():
            for element in held.elements.values():
                if target(element.value):
                    found.setdefault(("chain", target(element.value)), {})[f"@{container}"] = None
        return {named: list(sources) for named, sources in found.items()}

    # --- rules

    def _rules(self, chain: str, before: Sequence[str], after: Sequence[str]) -> Iterator[Finding]:
        places = {index: place for place, index in kept(before, after)}
        slots = [Slot(rule, rule, places.get(index)) for index, rule in enumerate(after)]
        staying = set(places.values())
        lost = {i: Listed(rule, rule) for i, rule in enumerate(before, 1) if i - 1 not in staying}
        gained = {i: Listed(slot.key, slot.text) for i, slot in enumerate(slots, 1) if slot.place is None}
        told = sorted_out(lost, gained, replacements(len(before), slots))
        service = _label(chain)
        for number, old, new in told.changed:
            was, should = parsed(old, self.current), parsed(new, self.wanted)
            effect = effects.instead(was, should, self.is_now, self.should_be)
            yield self._finding("changed", f"chain {chain} rule {number}", old, effect, service, new)
        for number, text in told.gained:
            effect = effects.lacking(chain, parsed(text, self.wanted), self.should_be)
            yield self._finding("missing", f"chain {chain} rule {number}", text, effect, service)
        for number, text in told.lost:
            effect = f"it {effects.does(parsed(text, self.current), self.is_now)}"
            if text in after:
                effect += ", as another rule of the chain already does"
            yield self._finding("extra", f"chain {chain} rule {number}", text, effect, service)
        for number, text in told.moved:
            effect = "rules that should come after it are met before it, or the other way round"
            if spread_to(parsed(text, self.current)):
                effect = "clients that an endpoint remembers are sent anywhere"
            yield self._finding("moved", f"chain {chain} rule {number}", text, effect, service)

    # --- sets, maps and counters

    def of_containers(self, asked: dict[tuple[str, str], list[Element]]) -> Iterator[Finding]:
        for name, container in self.wanted.containers.items():
            present = self.current.containers.get(name)
            if present is None:
                yield self._container_missing(name, container)
                continue
            if not same_shape(present, container):
                yield from self._container_itself(name, present, container)
            if present.elements != container.elements:
                yield from self._elements(name, present, container, asked)
        for name, container in self.current.containers.items():
            if name not in self.wanted.containers:
                count = len(container.elements)
                readers = self._leading_to.get(("container", name), [])
                effect = f"{', '.join(readers)} still asks it" if readers else "no rule asks it: no effect"
                yield self._finding(
                    "stale",
                    f"{container.kind} {name}",
                    f"a {container.kind} of no Service, with {count} element{'s' if count != 1 else ''}",
                    effect,
                    _label(name),
                )

    def _container_missing(self, name: str, container: Container) -> Finding:
        said = {effects.lacking_element(element): None for element in container.elements.values()}
        end = endpoint_of_name(name)
        if end:
            said = {f"clients of endpoint {end} are not remembered": None}
        count = len(container.elements)
        return self._finding(
            "missing",
            f"{container.kind} {name}",
            f"the {container.kind}, with {count} element{'s' if count != 1 else ''}",
            "; ".join(said) or "nothing: it would be empty",
            _label(name),
        )

    def _container_itself(self, name: str, present: Container, wanted: Container) -> Iterator[Finding]:
        end = endpoint_of_name(name)
        said: list[tuple[str, str, str]] = []
        if (present.kind, present.type) != (wanted.kind, wanted.type):
            said.append(
                (f"{present.kind} of type {present.type}", f"{wanted.kind} of type {wanted.type}",
                 "its elements mean something else")
            )  # fmt: skip
        if present.timeout != wanted.timeout:
            effect = f"clients stay at endpoint {end} for {present.timeout} s, not {wanted.timeout} s"
            if not end:
                effect = (
                    "its elements are forgotten after a while" if present.timeout else "they stay for ever"
                )
            said.append((f"timeout {present.timeout}s", f"timeout {wanted.timeout}s", effect))
        if unlike(present.dynamic, wanted.dynamic):
            effect = (
                f"clients of endpoint {end} cannot be remembered" if wanted.dynamic else "rules may add to it"
            )
            said.append((_dynamic(present), _dynamic(wanted), effect))
        if present.other != wanted.other:
            said.append(
                (", ".join(present.other) or "no such", ", ".join(wanted.other) or "no such properties",
                 "kube-proxy does not set that")
            )  # fmt: skip
        if present.comment != wanted.comment:
            said.append((f"comment {present.comment!r}", f"comment {wanted.comment!r}", _ONLY_COMMENT))
        for is_now, should, effect in said:
            yield self._finding("changed", f"{present.kind} {name}", is_now, effect, _label(name), should)

    def _elements(
        self,
        name: str,
        present: Container,
        wanted: Container,
        asked: dict[tuple[str, str], list[Element]],
    ) -> Iterator[Finding]:
        place = f"{present.kind} {name}"
        for key, element in wanted.elements.items():
            found = present.elements.get(key)
            if found == element:
                continue
            if found is None:
                effect = effects.lacking_element(element)
                yield self._finding("missing", place, element.text, effect, self._service(element))
            elif found not in asked.get((name, key), ()):
                effect = effects.changed_element(found, element)
                yield self._finding(
                    "changed", place, found.text, effect, self._service(element, found), element.text
                )
        for key, element in present.elements.items():
            if key not in wanted.elements:
                effect = effects.present_element(element)
                yield self._finding("extra", place, element.text, effect, self._service(element))

    def _service(self, *elements: Element) -> str:
        for element in elements:
            for known in (self.should_be, self.is_now):
                found = owners(element, known)
                if found:
                    return ", ".join(dict.fromkeys(map(label, found)))
        return ""

    def of_counters(self) -> Iterator[Finding]:
        for name in sorted(set(self.wanted.counters) - set(self.current.counters)):
            yield self._finding("missing", f"counter {name}", "the counter", "refusals are not counted")
        for name in sorted(set(self.current.counters) - set(self.wanted.counters)):
            yield self._finding("extra", f"counter {name}", "the counter", "no effect on traffic")


def _dynamic(container: Container) -> str:
    return "dynamic" if container.dynamic else "not dynamic"


def _label(name: str) -> str:
    """The service port that a chain or set is named for, for people; empty where it is none's."""
    owner: PortName = owner_of_name(name)
    return label(owner) if owner != NOBODY else ""
