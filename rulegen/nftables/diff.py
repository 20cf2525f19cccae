"""The smallest change that makes one table of the other, as one atomic script.

Pure: both sides are tables, compiled or read from a node. What is not mentioned stays as it is: other
tables, clients that session affinity remembers, and what counters counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from rulegen.model import Family
from rulegen.nftables.changes import (
    ChainChange,
    Changes,
    ContainerChange,
    CounterChange,
    ElementChange,
)
from rulegen.nftables.commands import Command, script
from rulegen.nftables.element import Element
from rulegen.nftables.listed import PROTOCOLS
from rulegen.nftables.names import TABLE
from rulegen.nftables.references import of_rules, target
from rulegen.nftables.table import Chain, Container, Table, same_chain, same_shape, unlike


class Transaction(msgspec.Struct, frozen=True):
    """Input of ``nft -f``: all commands take place together, or none does."""

    commands: tuple[Command, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.commands)

    @property
    def text(self) -> str:
        """One command a line."""
        return script(self.commands)


def diff(current: Table | None, desired: Table | None) -> Transaction:
    """What makes ``desired`` of ``current``; empty where nothing has to be done.

    None, like a table that is ``absent``, is a node without one. Raises ValueError where the families differ.
    """
    return transaction(changes(current, desired))


def changes(current: Table | None, desired: Table | None) -> Changes:
    """The same, object by object: new and changed ones in the order of ``desired``, stale ones last.

    Facts that one side's listing does not tell (``nft -j`` 1.0.6: comments of the table and of chains) are
    taken to be equal.
    """
    if current is not None and desired is not None and current.family != desired.family:
        raise ValueError(f"{current.family} and {desired.family} tables cannot be compared")
    if desired is None or desired.absent:
        if current is None or current.absent:
            return Changes(family="IPv4")
        return Changes(family=current.family, table="delete", before=current)
    if current is None or current.absent:
        return _made(desired, None)
    if current.other != desired.other or unlike(current.comment, desired.comment):
        # The kernel keeps the comment of a table for its lifetime.
        return _made(desired, current)
    containers = tuple(_containers(current.containers, desired.containers))
    remade = {change.name for change in containers if change.action == "replace"}
    chains = tuple(_chains(current.chains, desired.chains, remade))
    renewed = {change.name for change in chains if change.action == "replace"}
    elements = tuple(_elements(current.containers, desired.containers, remade, renewed))
    now, wanted = set(current.counters), set(desired.counters)
    counters = [CounterChange(name=n, action="add") for n in desired.counters if n not in now]
    counters += [CounterChange(name=n, action="delete") for n in current.counters if n not in wanted]
    return Changes(
        family=desired.family,
        before=current,
        after=desired,
        chains=chains,
        containers=containers,
        elements=elements,
        counters=tuple(counters),
    )


def _made(desired: Table, before: Table | None) -> Changes:
    return Changes(
        family=desired.family,
        table="add" if before is None else "replace",
        before=before,
        after=desired,
        chains=tuple(ChainChange(name=n, action="add", after=c) for n, c in desired.chains.items()),
        containers=tuple(
            ContainerChange(name=n, action="add", after=c) for n, c in desired.containers.items()
        ),
        counters=tuple(CounterChange(name=name, action="add") for name in desired.counters),
    )


def _containers(now: Mapping[str, Container], wanted: Mapping[str, Container]) -> Iterator[ContainerChange]:
    for name, container in wanted.items():
        present = now.get(name)
        if present is None:
            yield ContainerChange(name=name, action="add", after=container)
        elif present is not container and not same_shape(present, container):
            yield ContainerChange(name=name, action="replace", before=present, after=container)
    for name, container in now.items():
        if name not in wanted:
            yield ContainerChange(name=name, action="delete", before=container)


def _chains(now: Mapping[str, Chain], wanted: Mapping[str, Chain], remade: set[str]) -> Iterator[ChainChange]:
    renewed = {name for name, chain in wanted.items() if name in now and not same_chain(now[name], chain)}
    anew = {("container", name) for name in remade} | {("chain", name) for name in renewed}
    for name, chain in wanted.items():
        present = now.get(name)
        if present is None:
            yield ChainChange(name=name, action="add", after=chain)
        elif name in renewed:
            yield ChainChange(name=name, action="replace", before=present, after=chain)
        elif present.rules != chain.rules or (anew and not anew.isdisjoint(of_rules(present.rules))):
            yield ChainChange(name=name, action="rewrite", before=present, after=chain)
    for name, chain in now.items():
        if name not in wanted:
            yield ChainChange(name=name, action="delete", before=chain)


def _elements(
    now: Mapping[str, Container], wanted: Mapping[str, Container], remade: set[str], renewed: set[str]
) -> Iterator[ElementChange]:
    """Elements of sets and maps that stay."""
    for name, container in wanted.items():
        present = now.get(name)
        if present is None or name in remade or (present.elements == container.elements and not renewed):
            continue
        before = present.elements
        for key, element in container.elements.items():
            known = before.get(key)
            if known != element or target(element.value) in renewed:
                yield ElementChange(container=name, key=key, before=known, after=element)
        for key, element in before.items():
            if key not in container.elements:
                yield ElementChange(container=name, key=key, before=element)


def transaction(changes: Changes) -> Transaction:
    """The commands of these changes, in an order that the kernel accepts.

    Whatever leads to an object goes before the object does; whatever is named is there before it is named.
    """
    writer = _Writer(changes.family)
    if changes.table in ("replace", "delete"):
        writer.say("delete", "table")
    if changes.table in ("add", "replace") and changes.after is not None:
        said = [
            *changes.after.other,
            *([f'comment "{comment}"'] if (comment := changes.after.comment) else []),
        ]
        writer.say("add", "table", rest=f"{{ {' ; '.join(said)} ; }}" if said else "")
    writer.take_down(changes)
    writer.put_up(changes)
    return Transaction(tuple(writer.commands))


class _Writer:
    def __init__(self, family: Family) -> None:
        self.family = PROTOCOLS[family]
        self.commands: list[Command] = []

    def say(self, verb: str, kind: str, name: str = "", rest: str = "") -> None:
        self.commands.append(Command(verb, kind, self.family, TABLE, name, rest))

    def take_down(self, changes: Changes) -> None:
        for change in changes.elements:
            if change.before is not None:
                self.say("delete", "element", change.container, f"{{ {change.key} }}")
        for chain in changes.chains:
            if chain.before is not None and chain.before.rules:
                self.say("flush", "chain", chain.name)
        going = [c for c in changes.containers if c.before is not None]
        for container in going:
            if container.before is not None and container.before.kind == "map":
                # Older kernels take a chain for used until the elements that lead to it are gone.
                self.say("flush", "map", container.name)
        for container in going:
            if container.before is not None:
                self.say("delete", container.before.kind, container.name)
        for counter in changes.counters:
            if counter.action == "delete":
                self.say("delete", "counter", counter.name)
        for chain in changes.chains:
            if chain.action in ("replace", "delete"):
                self.say("delete", "chain", chain.name)

    def put_up(self, changes: Changes) -> None:
        for chain in changes.chains:
            if chain.action in ("add", "replace") and chain.after is not None:
                self.say("add", "chain", chain.name, _declared(chain.after))
        for container in changes.containers:
            if container.after is not None:
                self.say("add", container.after.kind, container.name, _told(container.after))
        for counter in changes.counters:
            if counter.action == "add":
                self.say("add", "counter", counter.name)
        for chain in changes.chains:
            for rule in chain.after.rules if chain.after is not None else ():
                self.say("add", "rule", chain.name, rule)
        for container in changes.containers:
            if container.after is not None:
                self.elements(container.after.elements.values())
        self.elements([change.after for change in changes.elements if change.after is not None])

    def elements(self, elements: Iterable[Element]) -> None:
        for element in elements:
            self.say("add", "element", element.container, f"{{ {element.text} }}")


def _declared(chain: Chain) -> str:
    said = ""
    if chain.hook:
        kind, hook, priority = chain.hook.split()
        said = f"type {kind} hook {hook} priority {priority} ; "
        if chain.policy != "accept":
            said += f"policy {chain.policy} ; "
    if chain.comment:
        said += f'comment "{chain.comment}" ; '
    return f"{{ {said}}}" if said else ""


def _told(container: Container) -> str:
    said = f"type {container.type} ; "
    flags = [line.removeprefix("flags ") for line in container.other if line.startswith("flags ")]
    if container.dynamic:
        flags.append("dynamic")
    if container.timeout:
        flags.append("timeout")
    if flags:
        said += f"flags {','.join(flags)} ; "
    if container.timeout:
        said += f"timeout {container.timeout}s ; "
    said += "".join([f"{line} ; " for line in container.other if not line.startswith("flags ")])
    if container.comment:
        said += f'comment "{container.comment}" ; '
    return f"{{ {said}}}"
