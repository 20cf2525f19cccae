"""nf_tables in memory: scripts for ``nft -f`` in, listings of ``nft list ruleset`` out.

    kernel = Nftables()
    kernel.run(script(compiled))
    assert kernel.table("IPv4") == table(compiled)
    print(kernel.list())

Refusals are those of nft 1.0.6 on Linux 6: tables, chains, sets, maps, counters and elements that are not
there, or are there with other properties; objects that are in use; jumps to base chains, and loops; ``dnat``
and ``masquerade`` where packets come from other hooks; names and comments that are too long. A script takes
place as a whole or not at all. It is one command a line, as kube-proxy and rulegen write it; rules are known
as far as kube-proxy writes such, others are kept as text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from rulegen.fake.iptables import RefusedError
from rulegen.model import Family
from rulegen.nftables import listing
from rulegen.nftables.commands import Command, ScriptError, parse
from rulegen.nftables.element import Element
from rulegen.nftables.listed import PROTOCOLS, block
from rulegen.nftables.names import TABLE
from rulegen.nftables.references import Reference, of_rule, target
from rulegen.nftables.rule import normal
from rulegen.nftables.statements import split_comment
from rulegen.nftables.table import Chain, Container, Table

FAMILIES = ("ip", "ip6", "inet", "arp", "bridge", "netdev")
LONGEST_NAME = 255
LONGEST_COMMENT = 128

_NAT = {"dnat": ("prerouting", "output"), "masquerade": ("postrouting",)}
"""Statement -> the hooks of nat chains from which it may be reached."""


class Nftables:
    """All tables of a kernel, none at first."""

    def __init__(self) -> None:
        self._tables: dict[tuple[str, str], Table] = {}

    @classmethod
    def from_listing(cls, text: str) -> Nftables:
        """A kernel with kube-proxy's tables of a listing in any of its forms. Raises ListingError."""
        kernel = cls()
        for family, table in listing.read(text).tables.items():
            kernel._tables[PROTOCOLS[family], TABLE] = table
        return kernel

    def copy(self) -> Nftables:
        """Another kernel in the same state; what happens to one does not happen to the other."""
        other = Nftables()
        other._tables = dict(self._tables)
        return other

    def table(self, family: Family = "IPv4") -> Table | None:
        """kube-proxy's table; None where there is none."""
        return self._tables.get((PROTOCOLS[family], TABLE))

    def list(self) -> str:
        """What ``nft list ruleset`` prints. Sets that forget their elements have none, counters are zero."""
        return "".join([block(f"{family} {name}", table) for (family, name), table in self._tables.items()])

    def run(self, script: str, *, check: bool = False) -> None:
        """``nft -f``. Raises RefusedError; then nothing has changed.

        ``check`` (``nft -c``) changes nothing either way.
        """
        try:
            commands = parse(script)
        except ScriptError as fault:
            raise RefusedError(fault.line, fault.fault) from None
        open_tables = {key: _Open(key[0], table) for key, table in self._tables.items()}
        number = 0
        for number, command in commands:
            try:
                _take(open_tables, command)
            except ValueError as fault:
                raise RefusedError(number, str(fault)) from None
        for at_work in open_tables.values():
            try:
                at_work.validate()
            except ValueError as fault:
                raise RefusedError(number, str(fault)) from None
        if not check:
            self._tables = {key: at_work.close() for key, at_work in open_tables.items()}


def _take(tables: dict[tuple[str, str], _Open], command: Command) -> None:
    if command.kind == "ruleset":
        if command.verb != "flush":
            raise ValueError(f"no command: {command.text!r}")
        for key in [key for key in tables if command.family in ("", key[0])]:
            del tables[key]
        return
    if command.family not in FAMILIES:
        raise ValueError(f"no family {command.family!r}")
    key = command.family, command.table
    if command.kind != "table":
        if key not in tables:
            raise ValueError(f"no table {' '.join(key)}")
        tables[key].take(command)
        return
    match command.verb:
        case "add" | "create":
            if command.verb == "create" and key in tables:
                raise ValueError(f"table {' '.join(key)} already exists")
            _short(command.table)
            if key not in tables:
                told = command.properties()
                other = tuple(sorted(f"{k} {v}" for k, v in told.items() if k != "comment"))
                family: Family = "IPv6" if command.family == "ip6" else "IPv4"
                made = Table(family, comment=told.get("comment", ""), other=other)
                tables[key] = _Open(command.family, made)
        case "delete" | "destroy":
            if key in tables:
                del tables[key]
            elif command.verb == "delete":
                raise ValueError(f"no table {' '.join(key)}")
        case "flush":
            if key not in tables:
                raise ValueError(f"no table {' '.join(key)}")
            tables[key].flush()
        case _:
            raise ValueError(f"no command: {command.text!r}")


def _short(name: str) -> None:
    if len(name) > LONGEST_NAME:
        raise ValueError(f"name {name[:20]}... is too long (more than {LONGEST_NAME} characters)")


class _Open:
    """A table while a script is at work on it; chains and containers are replaced, never changed in place."""

    def __init__(self, family: str, table: Table) -> None:
        self.family = family
        self.before = table
        self.chains = dict(table.chains)
        self.containers = dict(table.containers)
        self.counters = dict.fromkeys(table.counters)
        self.touched = False
        self.rules: dict[str, list[str]] = {}
        self.elements: dict[str, dict[str, Element]] = {}
        self._uses: Counter[Reference] | None = None

    @property
    def uses(self) -> Counter[Reference]:
        """How often rules and elements name each object; counted when it is first asked for."""
        if self._uses is None:
            self._uses = Counter()
            for name in self.chains:
                for rule in self._rules_of(name):
                    self._uses.update(of_rule(rule))
            for name in self.containers:
                self._uses.update(_led_to(self._elements_of(name).values()))
        return self._uses

    def take(self, command: Command) -> None:
        self.touched = True
        handler = getattr(self, f"_{command.verb}_{command.kind}", None)
        if command.verb == "destroy":
            if not self._is_there(command):
                return
            handler = getattr(self, f"_delete_{command.kind}", None)
        if command.verb == "create":
            if self._is_there(command):
                raise ValueError(f"{command.kind} {command.name} already exists")
            handler = getattr(self, f"_add_{command.kind}", None)
        if handler is None:
            raise ValueError(f"no command: {command.text!r}")
        handler(command)

    def flush(self) -> None:
        """All rules of the table go; chains and sets stay."""
        self.touched = True
        self.rules = {name: [] for name in self.chains}
        self._uses = None

    def close(self) -> Table:
        if not self.touched:
            return self.before
        chains = {
            name: msgspec.structs.replace(chain, rules=tuple(self.rules[name]))
            if name in self.rules
            else chain
            for name, chain in self.chains.items()
        }
        containers = {
            name: msgspec.structs.replace(found, elements=self.elements[name])
            if name in self.elements
            else found
            for name, found in self.containers.items()
        }
        return msgspec.structs.replace(
            self.before, chains=chains, containers=containers, counters=tuple(self.counters)
        )

    def _is_there(self, command: Command) -> bool:
        match command.kind:
            case "chain":
                return command.name in self.chains
            case "set" | "map":
                return command.name in self.containers
            case "counter":
                return command.name in self.counters
        found = listing.elements(command.name, command.rest)
        return command.name in self.containers and any(
            e.key in self._elements_of(command.name) for e in found
        )

    # --- chains and rules

    def _rules_of(self, name: str) -> Iterable[str]:
        return self.rules.get(name, self.chains[name].rules)

    def _chain(self, name: str) -> Chain:
        chain = self.chains.get(name)
        if chain is None:
            raise ValueError(f"no chain {name}")
        return chain

    def _add_chain(self, command: Command) -> None:
        told = command.properties()
        words = told.get("type", "").split()
        hook = policy = ""
        if words:
            hook = f"{words[0]} {words[2]} {listing.priority(words[words.index('priority') + 1 :])}"
            policy = told.get("policy", "accept")
        present = self.chains.get(command.name)
        if present is None:
            _short(command.name)
            self.chains[command.name] = Chain((), hook, policy, told.get("comment", ""))
            self.rules[command.name] = []
        elif hook and hook != present.hook:
            raise ValueError(f"chain {command.name} is there with another type, hook or priority")
        elif "policy" in told:
            if not present.hook:
                raise ValueError(f"no policy for chain {command.name}, which has no hook")
            self.chains[command.name] = msgspec.structs.replace(present, policy=told["policy"])

    def _delete_chain(self, command: Command) -> None:
        self._chain(command.name)
        self._flush_chain(command)
        self._unused("chain", command.name)
        del self.chains[command.name], self.rules[command.name]

    def _flush_chain(self, command: Command) -> None:
        self._chain(command.name)
        if self._uses is not None:
            for rule in self._rules_of(command.name):
                self._uses.subtract(of_rule(rule))
        self.rules[command.name] = []

    def _add_rule(self, command: Command) -> None:
        self._rules(command).append(self._rule(command.rest))

    def _insert_rule(self, command: Command) -> None:
        self._rules(command).insert(0, self._rule(command.rest))

    def _rules(self, command: Command) -> list[str]:
        chain = self._chain(command.name)
        return self.rules.setdefault(command.name, list(chain.rules))

    def _rule(self, text: str) -> str:
        if not text:
            raise ValueError("a rule without statements")
        if len(split_comment(text)[1]) > LONGEST_COMMENT:
            raise ValueError(f"comment is too long (more than {LONGEST_COMMENT} characters)")
        for kind, name in of_rule(text):
            match kind:
                case "chain":
                    self._lead_to(name)
                case "container":
                    if name not in self.containers:
                        raise ValueError(f"no set or map {name}")
                case "counter":
                    if name not in self.counters:
                        raise ValueError(f"no counter {name}")
        if self._uses is not None:
            self._uses.update(of_rule(text))
        return normal(text, self.family)

    def _lead_to(self, name: str) -> None:
        if self._chain(name).hook:
            raise ValueError(f"no jump to {name}, which is a base chain")

    def _unused(self, kind: str, name: str) -> None:
        named: Reference = (
            "chain" if kind == "chain" else "counter" if kind == "counter" else "container",
            name,
        )
        if self.uses[named] > 0:
            raise ValueError(f"{kind} {name} is in use")

    # --- sets, maps and counters

    def _elements_of(self, name: str) -> Mapping[str, Element]:
        return self.elements.get(name, self.containers[name].elements)

    def _container(self, command: Command) -> Container:
        found = self.containers.get(command.name)
        if found is None or (command.kind != "element" and found.kind != command.kind):
            raise ValueError(
                f"no {'set or map' if command.kind == 'element' else command.kind} {command.name}"
            )
        return found

    def _add_set(self, command: Command) -> None:
        self._add_container(command)

    def _add_map(self, command: Command) -> None:
        self._add_container(command)

    def _add_container(self, command: Command) -> None:
        told = command.properties()
        flags = told.pop("flags", "").replace(",", " ").split()
        timeout = listing.seconds(told.pop("timeout", ""))
        type_, comment = told.pop("type", ""), told.pop("comment", "")
        if not type_ or (command.kind == "map") != (" : " in type_):
            raise ValueError(f"a {command.kind} of type {type_!r}")
        other = [f"{what} {value}".rstrip() for what, value in told.items()]
        other += [f"flags {flag}" for flag in flags if flag not in ("dynamic", "timeout")]
        made = Container(command.kind, type_, comment, timeout, {}, "dynamic" in flags, tuple(sorted(other)))
        present = self.containers.get(command.name)
        if present is None:
            _short(command.name)
            self.containers[command.name] = made
            self.elements[command.name] = {}
        elif (present.kind, present.type, present.dynamic) != (made.kind, made.type, made.dynamic):
            raise ValueError(f"{present.kind} {command.name} is there with another type")
        else:
            # Of a set that is there only times are changed, since Linux 6.5.
            self.containers[command.name] = msgspec.structs.replace(present, timeout=made.timeout)

    def _delete_set(self, command: Command) -> None:
        self._delete_container(command)

    def _delete_map(self, command: Command) -> None:
        self._delete_container(command)

    def _delete_container(self, command: Command) -> None:
        self._container(command)
        self._unused(command.kind, command.name)
        self._empty(command.name)
        del self.containers[command.name], self.elements[command.name]

    def _flush_set(self, command: Command) -> None:
        self._container(command)
        self._empty(command.name)

    def _flush_map(self, command: Command) -> None:
        self._flush_set(command)

    def _empty(self, name: str) -> None:
        if self._uses is not None:
            self._uses.subtract(_led_to(self._elements_of(name).values()))
        self.elements[name] = {}

    def _add_counter(self, command: Command) -> None:
        _short(command.name)
        self.counters.setdefault(command.name)

    def _delete_counter(self, command: Command) -> None:
        if command.name not in self.counters:
            raise ValueError(f"no counter {command.name}")
        self._unused("counter", command.name)
        del self.counters[command.name]

    def _add_element(self, command: Command) -> None:
        container = self._container(command)
        inside = self._changed(command.name)
        parts = container.type.partition(" : ")[0].count(" . ") + 1
        for element in listing.elements(command.name, command.rest):
            if element.key.count(" . ") + 1 != parts or bool(element.value) != (container.kind == "map"):
                raise ValueError(
                    f"no element of {command.name}, whose type is {container.type}: {element.text}"
                )
            if len(element.comment) > LONGEST_COMMENT:
                raise ValueError(f"comment is too long (more than {LONGEST_COMMENT} characters)")
            if target(element.value):
                self._lead_to(target(element.value))
            present = inside.get(element.key)
            if present is not None and present.value != element.value:
                raise ValueError(f"element {element.key} is in {command.name} with another value")
            if present is None and not container.timeout:
                inside[element.key] = element
                if self._uses is not None:
                    self._uses.update(_led_to([element]))

    def _delete_element(self, command: Command) -> None:
        self._container(command)
        inside = self._changed(command.name)
        for element in listing.elements(command.name, command.rest):
            # The kernel looks at the key alone.
            present = inside.pop(element.key, None)
            if present is None:
                raise ValueError(f"no element {element.key} in {command.name}")
            if self._uses is not None:
                self._uses.subtract(_led_to([present]))

    def _changed(self, name: str) -> dict[str, Element]:
        """The elements of a set or map, to be changed."""
        if name not in self.elements:
            self.elements[name] = dict(self.containers[name].elements)
        return self.elements[name]

    # --- the whole

    def validate(self) -> None:
        """What the kernel looks at before it commits: loops, and nat where no nat hook leads."""
        if not self.touched:
            return
        leads_to: dict[str, set[str]] = {}
        for name in self.chains:
            found: set[str] = set()
            for rule in self._rules_of(name):
                for kind, what in of_rule(rule):
                    if kind == "chain":
                        found.add(what)
                    elif kind == "container" and " vmap @" in rule:
                        found.update(what for _, what in _led_to(self._elements_of(what).values()))
            leads_to[name] = found
        done: set[str] = set()
        for name in self.chains:
            _no_loop(name, leads_to, done)
        for name, chain in self.chains.items():
            if chain.hook:
                self._check_nat(name, chain, leads_to)

    def _check_nat(self, base: str, chain: Chain, leads_to: Mapping[str, set[str]]) -> None:
        kind, hook, _ = chain.hook.split()
        seen, waiting = {base}, [base]
        while waiting:
            name = waiting.pop()
            for rule in self._rules_of(name):
                words = split_comment(rule)[0].split()
                for statement, hooks in _NAT.items():
                    allowed = kind == "nat" and hook in hooks
                    if not allowed and statement in words and not _of_status(words, statement):
                        raise ValueError(f"{statement} in {name} is reached from {base}")
            new = leads_to[name] - seen
            seen |= new
            waiting += new


def _of_status(words: list[str], statement: str) -> bool:
    """Whether the word is only the state that is asked for, as in ``ct status dnat``."""
    places = [at for at, word in enumerate(words) if word == statement]
    return all(words[at - 1] == "status" for at in places)


def _led_to(elements: Iterable[Element]) -> list[Reference]:
    return [("chain", target(element.value)) for element in elements if target(element.value)]


def _no_loop(start: str, leads_to: Mapping[str, set[str]], done: set[str]) -> None:
    path: dict[str, None] = {}
    stack = [(start, False)]
    while stack:
        name, left = stack.pop()
        if left:
            del path[name]
            done.add(name)
            continue
        if name in path:
            raise ValueError(f"loop through chain {name}")
        if name in done:
            continue
        path[name] = None
        stack.append((name, True))
        stack += [(each, False) for each in leads_to[name] if each not in done]
