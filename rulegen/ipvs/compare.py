"""Is this node as it should be: a node's listings against what was compiled for it.

Each listing is compared that is there. What kube-proxy itself leaves alone, or has to leave as it is, becomes
a note: virtual servers of excluded networks, and real servers that it lets drain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from rulegen.findings import Comparison, Facts, Finding, What
from rulegen.iptables.compare import Manner, against
from rulegen.iptables.dump import Dump
from rulegen.ipvs import effects
from rulegen.ipvs.base import DUMMY
from rulegen.ipvs.diff import UNORDERED, ServerChange, SetChange, changes
from rulegen.ipvs.ipsets import IpSet
from rulegen.ipvs.owners import Owners, where
from rulegen.ipvs.ruleset import Ruleset
from rulegen.ipvs.servers import RealServer
from rulegen.ipvs.state import BASE_NAMES, State, state
from rulegen.plan.addresses import join_host_port

_MANNER = Manner(
    unordered=UNORDERED,
    lacking=effects.lacking_rule,
    unprogrammed="addresses of Services are not masqueraded, nor guarded by a firewall",
)
_FEW = 4
_VIRTUAL = re.compile(r"--(vaddr|vport|vproto) (\S+)")
_PROTOCOLS = {"6": "TCP", "17": "UDP", "132": "SCTP"}


def compare(current: State, desired: Ruleset) -> Comparison:
    """What differs on a node; raises ValueError where the families differ."""
    wanted = state(desired)
    found = changes(current, wanted)
    teller = _Teller(current, wanted)
    findings: list[Finding] = []
    for server in found.servers:
        findings += teller.of_server(server)
    for change in found.sets:
        findings += teller.of_set(change)
    findings += teller.of_addresses()
    rules = _rules(current.rules, wanted, teller.owners) if current.rules is not None else Comparison()
    return Comparison(
        findings=(*findings, *rules.findings),
        notes=(*teller.notes, *rules.notes, *_excluded(current, wanted)),
        foreign=rules.foreign,
    )


def facts() -> Facts:
    """Rules of the ipvs mode tell no facts that their compiling asks for."""
    return Facts()


class _Teller:
    """Puts changes into words; knows both states, the node's and the wanted one."""

    def __init__(self, current: State, wanted: State) -> None:
        self.family = current.family
        self.current, self.wanted = current, wanted
        self.owners = Owners(wanted, current)
        self.notes: list[str] = []

    def _found(
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

    def of_server(self, change: ServerChange) -> Iterator[Finding]:
        server, service = change.server, self.owners.server(change.server.key)
        at = where(server)
        place = f"virtual server {at}"
        before, after = change.before, change.after
        if before is None or after is None:
            line = f"-A {server.name} {server.options}"
            if before is None:
                yield self._found("missing", place, line, effects.lacking_server(at, server), service)
            else:
                yield self._found("stale", place, line, effects.present_server(at, server), service)
            return
        if before.options != after.options:
            yield self._found(
                "changed",
                place,
                f"{before.name} {before.options}",
                effects.other_options(before, after),
                service,
                f"{after.name} {after.options}",
            )
        for real in change.gained:
            yield self._found("missing", place, _line(real), effects.lacking_real(at, real), service)
        for old, new in change.changed:
            effect = effects.other_real(at, old, new)
            yield self._found("changed", place, _line(old), effect, service, _line(new))
        for real in change.lost:
            if real.weight:
                yield self._found("extra", place, _line(real), effects.present_real(at, real), service)
            else:
                self.notes.append(
                    f"{self.family} {place}: {real.address} has weight 0 (kube-proxy lets connections to an"
                    " endpoint that is gone come to their end)"
                )

    def of_set(self, change: SetChange) -> Iterator[Finding]:
        after, before = change.after, change.before
        base = BASE_NAMES[self.family][after.name]
        place = f"ipset {after.name}"
        if before is None:
            yield self._set_missing(base, place, after)
            return
        if change.action == "replace":
            usable = before.type == after.type
            yield self._found(
                "changed",
                place,
                f"{before.type} {before.header}",
                "it is not as kube-proxy makes it" if usable else "kube-proxy cannot use it",
                wanted=f"{after.type} {after.header}",
            )
        for entry in change.gained:
            rule, effect = f"add {after.name} {entry}", effects.lacking_entry(base, entry)
            yield self._found("missing", place, rule, effect, self._whose(base, entry))
        for entry in change.lost:
            rule, effect = f"add {after.name} {entry}", effects.present_entry(base, entry)
            yield self._found("extra", place, rule, effect, self._whose(base, entry))

    def _set_missing(self, base: str, place: str, wanted: IpSet) -> Finding:
        count = len(wanted.entries)
        names = list(dict.fromkeys([n for entry in wanted.entries for n in self.owners.entry(base, entry)]))
        effect = effects.lacking_set(base)
        if len(names) > 1:
            effect += f" (it is about {', '.join(names[:_FEW])}{', ...' if len(names) > _FEW else ''})"
        rule = f"the set, with {count} entr{'ies' if count != 1 else 'y'}"
        return self._found("missing", place, rule, effect, names[0] if len(names) == 1 else "")

    def _whose(self, base: str, entry: str) -> str:
        return ", ".join(self.owners.entry(base, entry))

    def of_addresses(self) -> Iterator[Finding]:
        """Addresses of the dummy device: by these the node takes packets to virtual servers."""
        bound, wanted = self.current.addresses, self.wanted.addresses or ()
        if bound is None:
            return
        place = f"device {DUMMY}"
        if not self.current.device and wanted:
            effect = "the node takes no packets to addresses of Services"
            yield self._found("missing", place, "the device", effect)
        for ip in wanted:
            if ip not in bound:
                effect = f"packets to {ip} are not taken by the node: they are forwarded, or lost"
                yield self._found("missing", place, f"address {ip}", effect, self._at(ip))
        for ip in bound:
            if ip not in wanted:
                effect = f"packets to {ip} are taken by the node, though it is no address of a Service"
                yield self._found("extra", place, f"address {ip}", effect, self._at(ip))

    def _at(self, ip: str) -> str:
        return ", ".join(self.owners.address(ip))


def _line(real: RealServer) -> str:
    return f"-r {real.address} {real.options}"


def _rules(current: Dump, wanted: State, owners: Owners) -> Comparison:
    assert wanted.rules is not None
    found = against(current, wanted.rules, len(wanted.names), manner=_MANNER)
    findings = [_named(finding, owners) for finding in found.findings]
    return msgspec.structs.replace(found, findings=tuple(findings))


def _named(finding: Finding, owners: Owners) -> Finding:
    """Only the rules of one chain are of a Service: they name its address, not it."""
    told = dict(_VIRTUAL.findall(finding.rule))
    if finding.service or "vaddr" not in told or not told.get("vport", "").isdecimal():
        return finding
    protocol = _PROTOCOLS.get(told.get("vproto", ""), told.get("vproto", "").upper())
    address = join_host_port(told["vaddr"].partition("/")[0], int(told["vport"]))
    return msgspec.structs.replace(finding, service=owners.server((protocol, address)))


def _excluded(current: State, wanted: State) -> Iterator[str]:
    for key, server in (current.servers or {}).items():
        if key not in (wanted.servers or {}) and wanted.is_excluded(server):
            yield (
                f"{current.family} virtual server {where(server)} is of no Service (kube-proxy leaves it:"
                " ipvs.excludeCIDRs covers its address)"
            )
