"""What makes one state of the ipvs mode of another, without touching what is not kube-proxy's.

Pure: both sides are states, compiled or read from a node. Connections outlive a change: a virtual server that
stays is edited, its real servers come, go and change one by one. As kube-proxy does it, virtual servers of
the family that no Service has are removed whoever made them, unless ``ipvs.excludeCIDRs`` cover them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, TypeAlias

import msgspec

from rulegen.iptables import diff as rules_diff
from rulegen.iptables.changes import ChainChange
from rulegen.iptables.dump import Chain, Dump
from rulegen.iptables.dump import Transaction as RulesTransaction
from rulegen.iptables.owned import is_owned
from rulegen.ipvs.ipsets import IpSet
from rulegen.ipvs.servers import RealServer, Server
from rulegen.ipvs.state import State
from rulegen.ipvs.transaction import SPARE_SET, Transaction
from rulegen.model import Family

UNORDERED = frozenset({"KUBE-IPVS-OUT-FILTER"})
"""The one chain with rules of several Services; kube-proxy walks a hash map to write them."""

Action: TypeAlias = Literal["add", "delete", "edit", "replace"]


class ServerChange(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to a virtual server; ``edit`` may concern its options, its real servers, or both."""

    action: Action
    before: Server | None = None
    after: Server | None = None

    @property
    def server(self) -> Server:
        found = self.after or self.before
        assert found is not None
        return found

    @property
    def lost(self) -> list[RealServer]:
        return [real for address, real in _reals(self.before).items() if address not in _reals(self.after)]

    @property
    def gained(self) -> list[RealServer]:
        return [real for address, real in _reals(self.after).items() if address not in _reals(self.before)]

    @property
    def changed(self) -> list[tuple[RealServer, RealServer]]:
        """Real servers whose weight or method is another one: as they were, and as they are to be."""
        old = _reals(self.before)
        return [
            (old[address], real)
            for address, real in _reals(self.after).items()
            if address in old and _options(old[address]) != _options(real)
        ]


class SetChange(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to a set: it is made, filled, or (``replace``) of another kind than it should be.

    ``lost`` and ``gained`` are entries.
    """

    action: Action
    before: IpSet | None = None
    after: IpSet
    lost: tuple[str, ...] = ()
    gained: tuple[str, ...] = ()


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """All that changes. ``bound`` and ``unbound`` are addresses of the dummy device."""

    sets: tuple[SetChange, ...] = ()
    servers: tuple[ServerChange, ...] = ()
    device: bool = False
    bound: tuple[str, ...] = ()
    unbound: tuple[str, ...] = ()
    chains: tuple[ChainChange, ...] = ()

    def __bool__(self) -> bool:
        return any((self.sets, self.servers, self.device, self.bound, self.unbound, self.chains))


def diff(current: State, desired: State) -> Transaction:
    """What makes ``desired`` of ``current``; empty where nothing has to be done.

    What one of the sides does not tell is left alone. Raises ValueError where the families differ.
    """
    found = changes(current, desired)
    if not found:
        return Transaction(current.family)
    of_rules = rules_diff.transaction(found.chains)
    # A set of another type cannot be swapped in, and cannot go while a rule looks into it.
    retyped = {change.after.name for change in found.sets if _is_retyped(change)}
    cleared = RulesTransaction()
    if retyped and current.rules is not None and desired.rules is not None:
        emptied, lines = _without_rules_on(current.rules, retyped)
        cleared = rules_diff.transaction(lines)
        of_rules = rules_diff.transaction(rules_diff.changes(emptied, desired.rules, unordered=UNORDERED))
    return msgspec.structs.replace(lines_of(current.family, found, of_rules), cleared=cleared)


def lines_of(family: Family, found: Changes, of_rules: RulesTransaction) -> Transaction:
    """The lines for each tool; those of iptables are given."""
    return Transaction(
        family,
        sets=tuple(_set_lines(found.sets)),
        servers=tuple(_server_lines(found.servers)),
        device=found.device,
        bound=found.bound,
        unbound=found.unbound,
        rules=of_rules,
    )


def changes(current: State, desired: State) -> Changes:
    """The same, thing by thing, in the order of ``desired``; what goes comes last."""
    if current.family != desired.family:
        raise ValueError(f"{current.family} and {desired.family} cannot be compared")
    bound: tuple[str, ...] = ()
    unbound: tuple[str, ...] = ()
    device = False
    if current.addresses is not None and desired.addresses is not None:
        device = desired.device and not current.device
        old, new = dict.fromkeys(current.addresses), dict.fromkeys(desired.addresses)
        bound = tuple([ip for ip in new if ip not in old])
        unbound = tuple([ip for ip in old if ip not in new])
    chains: list[ChainChange] = []
    if current.rules is not None and desired.rules is not None:
        chains = rules_diff.changes(current.rules, desired.rules, unordered=UNORDERED)
    return Changes(
        sets=tuple(_of_sets(current.sets, desired.sets)),
        servers=tuple(_of_servers(current, desired)),
        device=device,
        bound=bound,
        unbound=unbound,
        chains=tuple(chains),
    )


def _of_sets(current: Mapping[str, IpSet] | None, desired: Mapping[str, IpSet] | None) -> Iterator[SetChange]:
    if current is None or desired is None:
        return
    for name, after in desired.items():
        before = current.get(name)
        if before is None:
            yield SetChange(action="add", after=after, gained=after.entries)
            continue
        if before.entries == after.entries and before.header == after.header and before.type == after.type:
            continue
        old, new = dict.fromkeys(before.entries), dict.fromkeys(after.entries)
        lost = tuple([entry for entry in old if entry not in new])
        gained = tuple([entry for entry in new if entry not in old])
        if before.shape != after.shape:
            yield SetChange(action="replace", before=before, after=after, lost=lost, gained=gained)
        elif lost or gained:
            yield SetChange(action="edit", before=before, after=after, lost=lost, gained=gained)
    # A set that ``desired`` has not at all stays: kube-proxy has a fixed list of them, and removes none.


def _of_servers(current: State, desired: State) -> Iterator[ServerChange]:
    if current.servers is None or desired.servers is None:
        return
    for key, after in desired.servers.items():
        before = current.servers.get(key)
        if before is None:
            yield ServerChange(action="add", after=after)
        elif before != after:
            change = ServerChange(action="edit", before=before, after=after)
            if before.options != after.options or change.lost or change.gained or change.changed:
                yield change
    for key, before in current.servers.items():
        if key not in desired.servers and not desired.is_excluded(before):
            yield ServerChange(action="delete", before=before)


def _reals(server: Server | None) -> dict[str, RealServer]:
    return {real.address: real for real in server.reals} if server is not None else {}


def _options(real: RealServer) -> tuple[str, int]:
    """Limits of connections (``-x``, ``-y``) are not told by every listing, and kube-proxy sets none."""
    return real.method, real.weight


# --- lines


def _set_lines(found: Iterable[SetChange]) -> Iterator[str]:
    """For ``ipset restore``."""
    for change in found:
        after = change.after
        match change.action:
            case "add":
                yield after.create
                yield from [f"add {after.name} {entry}" for entry in change.gained]
            case "edit":
                yield from [f"add {after.name} {entry}" for entry in change.gained]
                yield from [f"del {after.name} {_bare(entry)}" for entry in change.lost]
            case _ if _is_retyped(change):
                yield f"destroy {after.name}"
                yield after.create
                yield from [f"add {after.name} {entry}" for entry in after.entries]
            case _:
                spare = msgspec.structs.replace(after, name=SPARE_SET)
                yield spare.create
                yield from [f"add {SPARE_SET} {entry}" for entry in after.entries]
                yield f"swap {SPARE_SET} {after.name}"
                yield f"destroy {SPARE_SET}"


def _bare(entry: str) -> str:
    """An entry without the options behind it, which do not name it."""
    return entry.partition(" ")[0]


def _is_retyped(change: SetChange) -> bool:
    """Whether the kernel refuses to swap a new set for the old one: types and families must be the same."""
    before, after = change.before, change.after
    if change.action != "replace" or before is None:
        return False
    return before.type != after.type or _family(before) != _family(after)


def _family(found: IpSet) -> str:
    words = found.header.split()
    return words[words.index("family") + 1] if "family" in words else ""


def _server_lines(found: Iterable[ServerChange]) -> Iterator[str]:
    """For ``ipvsadm -R``: real servers come before others go."""
    for change in found:
        before, after = change.before, change.after
        if after is None:
            yield f"-D {change.server.name}"
            continue
        if before is None:
            yield f"-A {after.name} {after.options}"
        elif before.options != after.options:
            yield f"-E {after.name} {after.options}"
        yield from [f"-a {after.name} -r {real.address} {real.options}" for real in change.gained]
        yield from [f"-e {after.name} -r {real.address} {real.options}" for _, real in change.changed]
        yield from [f"-d {after.name} -r {real.address}" for real in change.lost]


def _without_rules_on(rules: Dump, names: set[str]) -> tuple[Dump, list[ChainChange]]:
    """The rules with kube-proxy's chains that look into these sets emptied, and what empties them."""
    tables = {table: dict(chains) for table, chains in rules.tables.items()}
    lines = []
    for table, chains in rules.tables.items():
        for name, chain in chains.items():
            if is_owned(name) and any(names.intersection(rule.split()) for rule in chain.rules):
                tables[table][name] = Chain()
                lines.append(
                    ChainChange(table=table, chain=name, action="rewrite", lines=(f":{name} - [0:0]",))
                )
    return msgspec.structs.replace(rules, tables=tables), lines
