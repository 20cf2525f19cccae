"""The tables of iptables in memory: ``iptables-restore`` in, ``iptables-save`` out.

    kernel = Iptables("nft")
    kernel.restore(text, noflush=True)
    assert kernel.save() == expected

Refusals are those of iptables 1.8.9 on Linux 6: unknown chains and targets, numbers outside a chain, a rule
to delete that is not there, a chain that is in use or not empty, names that are too long, loops, and targets
outside their table or hooks. As in the kernel each section of a text is atomic, not the text as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from rulegen.iptables.dump import BUILTIN, USER, Chain, Dump, Table, Variant
from rulegen.iptables.options import TARGETS
from rulegen.iptables.parse import numbered, position
from rulegen.iptables.rule import Rule, read, target_of, write
from rulegen.iptables.save import as_saved
from rulegen.model import FAMILIES, Family

LONGEST_NAME = 28
_VERDICTS = frozenset({"ACCEPT", "DROP", "RETURN", "QUEUE"})
_OTHER_TARGETS = frozenset(
    {
        "AUDIT", "CHECKSUM", "CLASSIFY", "CONNMARK", "CONNSECMARK", "CT", "DSCP", "ECN", "HL", "HMARK",
        "IDLETIMER", "LED", "NFQUEUE", "NOTRACK", "RATEEST", "SECMARK", "SET", "SYNPROXY", "TCPMSS",
        "TCPOPTSTRIP", "TEE", "TOS", "TPROXY", "TRACE", "TTL",
    }
)  # fmt: skip
_EXTENSIONS = _VERDICTS | _OTHER_TARGETS | TARGETS.keys()
_NAMES_SET = ("--match-set", "--add-set", "--del-set", "--map-set")
_HOOKS = {
    "DNAT": ("nat", ("PREROUTING", "OUTPUT")),
    "REDIRECT": ("nat", ("PREROUTING", "OUTPUT")),
    "SNAT": ("nat", ("POSTROUTING", "INPUT")),
    "MASQUERADE": ("nat", ("POSTROUTING",)),
    "REJECT": ("filter", ("INPUT", "FORWARD", "OUTPUT")),
}
"""Target -> the only table that takes it, and the kernel's chains from which it may be reached."""


_PORTS = frozenset({"--dport", "--sport", "--dports", "--sports", "--ports"})
_NEW_PORTS = frozenset({"--to-destination", "--to-ports"})


class RefusedError(ValueError):
    """What the kernel, or iptables-restore, does not take; ``line`` counts from 1."""

    def __init__(self, line: int, fault: str) -> None:
        super().__init__(f"line {line}: {fault}")
        self.line = line
        self.fault = fault


class Iptables:
    """The tables of both families, empty at first.

    ``nfacct`` and ``sets`` are the names of counters and ipsets that there are; None for whatever a rule
    names. Where ``sets`` maps to families, rules of the other one are refused. ``save`` prints no comments,
    and all counters as zero.
    """

    def __init__(
        self,
        variant: Variant = "nft",
        *,
        nfacct: Collection[str] | None = None,
        sets: Collection[str] | Mapping[str, Family | None] | None = None,
    ) -> None:
        self.variant: Variant = variant
        self.nfacct = nfacct
        self.sets = sets
        self._tables: dict[Family, dict[str, Table]] = {family: {} for family in FAMILIES}

    def copy(self, *, sets: Mapping[str, Family | None] | None = None) -> Iptables:
        """Another kernel in the same state; what happens to one does not happen to the other.

        ``sets`` are its sets, where they are not the same.
        """
        other = Iptables(self.variant, nfacct=self.nfacct, sets=self.sets if sets is None else sets)
        other._tables = {family: dict(tables) for family, tables in self._tables.items()}
        return other

    def dump(self, family: Family = "IPv4") -> Dump:
        """The state as the kernel prints it."""
        return as_saved(Dump(family=family, tables=self._tables[family]), self.variant)

    def save(self, family: Family = "IPv4") -> str:
        """What ``iptables-save`` (``ip6tables-save``) prints."""
        return self.dump(family).text

    def rules_on(self, name: str, family: Family) -> int:
        """How many matches and targets of rules name an ipset."""
        return sum(
            rule.count(f"-set {name} ")
            for chains in self._tables[family].values()
            for chain in chains.values()
            for rule in chain.rules
        )

    def restore(
        self, text: str, family: Family = "IPv4", *, noflush: bool = False, test: bool = False
    ) -> None:
        """``iptables-restore``. Raises RefusedError; the sections before the one that is refused have
        taken place.

        ``test`` changes nothing.
        """
        tables = dict(self._tables[family]) if test else self._tables[family]
        section: _Section | None = None
        number = 0
        for number, line in enumerate(text.split("\n"), 1):
            if not line or line[0] == "#":
                continue
            if section is None:
                if line[0] != "*":
                    raise RefusedError(number, f"outside any table: {line!r}")
                table = line[1:].strip()
                if table not in BUILTIN:
                    raise RefusedError(number, f"can't initialize table '{table}'")
                section = _Section(table, family, tables.get(table), self, noflush=noflush)
            elif line == "COMMIT":
                section.check(number)
                tables[section.name] = section.chains
                section = None
            else:
                section.take(line, number)
        if section is not None:
            raise RefusedError(number, "COMMIT expected")


class _Section:
    """One table while a transaction is at work on it: chains are replaced, never changed in place."""

    def __init__(
        self,
        name: str,
        family: Family,
        present: Table | None,
        kernel: Iptables,
        *,
        noflush: bool,
    ) -> None:
        self.name = name
        self.family: Family = family
        self.builtin = BUILTIN[name]
        self.kernel = kernel
        self.strict = kernel.variant == "legacy"
        self.chains: Table = {chain: Chain("ACCEPT") for chain in self.builtin}
        if present is not None:
            self.chains |= present if noflush else {c: Chain(present[c].policy) for c in self.builtin}
        self.fresh: set[str] = set()
        self._commands: dict[str, Callable[[str, str], None]] = {
            "-A": self._append,
            "-I": self._insert,
            "-D": self._delete,
            "-R": self._replace,
            "-F": self._flush,
            "-X": self._remove,
            "-N": self._new,
            "-P": self._policy,
            "-Z": self._zero,
        }

    def take(self, line: str, number: int) -> None:
        try:
            if line[0] == ":":
                self._declare(line)
                return
            if line[0] == "[":
                line = line.partition(" ")[2]
            command, _, rest = line.partition(" ")
            name, _, rest = rest.partition(" ")
            do = self._commands.get(command)
            if do is None or not name:
                raise ValueError(f"unknown command: {line!r}")
            do(name, rest)
        except ValueError as fault:
            raise RefusedError(number, str(fault)) from None

    def check(self, number: int) -> None:
        """What the kernel looks at when a table is committed: loops, and targets where they cannot work."""
        leads_to: dict[str, list[str]] = {}
        special: dict[str, set[str]] = {}
        for name, chain in self.chains.items():
            targets = {target_of(rule) for rule in chain.rules}
            leads_to[name] = [each for each in targets if each in self.chains]
            special[name] = {each for each in targets if each in _HOOKS}
        for start in self.builtin:
            for name in self._reached(start, leads_to, number):
                for each in special[name]:
                    if start not in _HOOKS[each][1]:
                        raise RefusedError(number, f"{each} in {name} is reached from {start}")
        visited: set[str] = set()
        for name in self.chains:
            if name not in visited:
                visited |= self._reached(name, leads_to, number)

    def _reached(self, start: str, leads_to: dict[str, list[str]], number: int) -> set[str]:
        seen: set[str] = set()
        open_chains: set[str] = set()
        stack = [(start, False)]
        while stack:
            name, done = stack.pop()
            if done:
                open_chains.discard(name)
                continue
            if name in open_chains:
                raise RefusedError(number, f"loop through chain {name}")
            if name in seen:
                continue
            seen.add(name)
            open_chains.add(name)
            stack.append((name, True))
            stack += [(each, False) for each in leads_to[name] if each not in seen or each in open_chains]
        return seen

    def _chain(self, name: str) -> Chain:
        """A chain that this section may change."""
        chain = self.chains.get(name)
        if chain is None:
            raise ValueError(f"no chain {name}")
        if name not in self.fresh:
            chain = self.chains[name] = Chain(chain.policy, list(chain.rules))
            self.fresh.add(name)
        return chain

    def _rule(self, text: str) -> str:
        rule = read(text, self.family)
        if rule.target is not None:
            self._target(rule)
        counters = self.kernel.nfacct
        for part in [*rule.matches, *([rule.target] if rule.target is not None else [])]:
            for option in part.options:
                if option.name == "--nfacct-name" and counters is not None and option.value not in counters:
                    raise ValueError(f"no nfacct {option.value}")
                if option.name in _NAMES_SET:
                    self._set(option.value.partition(" ")[0])
                _check_ports(option.name, option.value)
        return write(rule, self.family)

    def _set(self, name: str) -> None:
        sets = self.kernel.sets
        if sets is not None and name not in sets:
            raise ValueError(f"Set {name} doesn't exist.")
        family = sets[name] if isinstance(sets, Mapping) else None
        if family is not None and family != self.family:
            raise ValueError(f"The protocol family of set {name} is {family}, which is not applicable.")

    def _target(self, rule: Rule) -> None:
        assert rule.target is not None
        name = rule.target.name
        if name in self.chains:
            if name in self.builtin:
                raise ValueError(f"no jump to the kernel's own chain {name}")
            return
        if rule.goto or name not in _EXTENSIONS:
            raise ValueError(f"no chain or target {name}")
        if name in _HOOKS and _HOOKS[name][0] != self.name:
            raise ValueError(f"{name} is for table {_HOOKS[name][0]} only")

    def _declare(self, line: str) -> None:
        words = line[1:].split()
        if not 2 <= len(words) <= 3:
            raise ValueError(f"bad chain line: {line!r}")
        name, policy = words[0], words[1]
        if name in self.builtin:
            if policy != USER:
                self._policy(name, policy)
            return
        if policy != USER and self.strict:
            raise ValueError(f"no policy for chain {name}")
        self._check_name(name)
        self.chains[name] = Chain()
        self.fresh.add(name)

    def _check_name(self, name: str) -> None:
        if len(name) > LONGEST_NAME:
            raise ValueError(f"chain name {name} is too long (more than {LONGEST_NAME} characters)")
        if name in _EXTENSIONS:
            raise ValueError(f"chain name {name} is that of a target")

    def _append(self, name: str, rest: str) -> None:
        rule = self._rule(rest)
        self._chain(name).rules.append(rule)

    def _insert(self, name: str, rest: str) -> None:
        place, text = numbered(rest)
        rule = self._rule(text)
        rules = self._chain(name).rules
        index = 0 if place is None else place - 1
        if not 0 <= index <= len(rules):
            raise ValueError(f"index of insertion too big: {place} in a chain of {len(rules)}")
        rules.insert(index, rule)

    def _delete(self, name: str, rest: str) -> None:
        rules = self._chain(name).rules
        del rules[position(rules, rest, self.family)]

    def _replace(self, name: str, rest: str) -> None:
        place, text = numbered(rest)
        rules = self._chain(name).rules
        if place is None or not 1 <= place <= len(rules):
            raise ValueError(f"index of replacement too big: {place} in a chain of {len(rules)}")
        rules[place - 1] = self._rule(text)

    def _flush(self, name: str, rest: str) -> None:
        self._chain(name).rules.clear()

    def _remove(self, name: str, rest: str) -> None:
        chain = self.chains.get(name)
        if chain is None:
            raise ValueError(f"no chain {name}")
        if name in self.builtin and self.strict:
            raise ValueError(f"chain {name} is the kernel's own")
        if chain.rules:
            raise ValueError(f"chain {name} is not empty")
        if name in self.builtin:
            return  # nf_tables lets it go, and iptables makes it again before anything is seen of that
        for other in self.chains.values():
            if any(name in rule and target_of(rule) == name for rule in other.rules):
                raise ValueError(f"chain {name} is in use")
        del self.chains[name]

    def _new(self, name: str, rest: str) -> None:
        if name in self.chains:
            raise ValueError(f"chain {name} already exists")
        self._check_name(name)
        self.chains[name] = Chain()
        self.fresh.add(name)

    def _policy(self, name: str, rest: str) -> None:
        policy = rest.partition(" ")[0]
        if name not in self.builtin:
            raise ValueError(f"no policy for chain {name}")
        if policy not in ("ACCEPT", "DROP"):
            raise ValueError(f"bad policy {policy!r}")
        self._chain(name).policy = policy

    def _zero(self, name: str, rest: str) -> None:
        self._chain(name)


def _check_ports(option: str, value: str) -> None:
    """Refuse numbers of ports as iptables 1.8.9 does; names of services are not looked up."""
    if option in _PORTS:
        for part in value.split(","):
            first, colon, last = part.partition(":")
            for text in (first, last):
                if text.removeprefix("-").isdecimal() and not 0 <= int(text) <= 65535:
                    raise ValueError(f"invalid port/service `{text}' specified")
            if colon and first.isdecimal() and last.isdecimal() and int(first) > int(last):
                raise ValueError("invalid portrange (min > max)")
    elif option in _NEW_PORTS:
        for text in _ports_of(value).split("-"):
            if text.isdecimal() and int(text) > 65535:
                raise ValueError(f"Port `{text}' not valid")


def _ports_of(value: str) -> str:
    """The ports in ``80-90``, ``1.2.3.4:80`` and ``[fd00::1]:80``; a bare IPv6 address has none."""
    if value.startswith("["):
        return value.partition("]:")[2]
    return value.rpartition(":")[2] if value.count(":") < 2 else ""
