"""A rule, read into its parts and printed as iptables-save prints it.

iptables takes options in almost any order and keeps: addresses, interfaces and protocol as fields, matches in
the order in which they were loaded, one target. That is also the order in which iptables-save prints them.
"""

from __future__ import annotations

import msgspec

from rulegen.iptables import values
from rulegen.iptables.options import MATCHES, PROTOCOL_MATCHES, TARGETS, Option
from rulegen.model import Family


class Given(msgspec.Struct, frozen=True):
    """An option as it was given: its place in the output, its name, its value in canonical form."""

    rank: int
    name: str
    value: str = ""
    negated: bool = False

    @property
    def text(self) -> str:
        text = f"{self.name} {self.value}" if self.value else self.name
        return f"! {text}" if self.negated else text


class Part(msgspec.Struct):
    """A match or the target, with its options in the order of the text."""

    name: str
    options: list[Given] = msgspec.field(default_factory=list)

    def value(self, option: str) -> str | None:
        return next((given.value for given in self.options if given.name == option), None)


class Rule(msgspec.Struct):
    """A rule in parts. ``fields`` are those of the header: ``-s``, ``-d``, ``-i``, ``-o``, ``-p``, ``-f``.

    ``target`` is None for a rule that only counts; ``goto`` says that it is reached by ``-g``.
    """

    fields: dict[str, Given] = msgspec.field(default_factory=dict)
    matches: list[Part] = msgspec.field(default_factory=list)
    target: Part | None = None
    goto: bool = False

    def match(self, name: str) -> Part | None:
        return next((part for part in self.matches if part.name == name), None)

    @property
    def comment(self) -> str:
        """What ``-m comment`` says, without quotes; empty where it says nothing."""
        part = self.match("comment")
        text = (part.value("--comment") if part else None) or ""
        return words(text)[0][0] if text else ""


_FIELDS = {
    "-s": "-s", "--source": "-s", "--src": "-s",
    "-d": "-d", "--destination": "-d", "--dst": "-d",
    "-i": "-i", "--in-interface": "-i",
    "-o": "-o", "--out-interface": "-o",
    "-p": "-p", "--protocol": "-p", "--proto": "-p",
}  # fmt: skip
_ORDER = ("-s", "-d", "-i", "-o", "-p", "-f")


def words(text: str) -> list[tuple[str, bool]]:
    """The words of a line as iptables-restore splits it, and whether each was in double quotes.

    A backslash in quotes keeps the character after it. Raises ValueError where a quote is not closed.
    """
    found: list[tuple[str, bool]] = []
    index, end = 0, len(text)
    while True:
        while index < end and text[index] in " \t":
            index += 1
        if index == end:
            return found
        pieces: list[str] = []
        was_quoted = False
        while index < end and text[index] not in " \t":
            if text[index] != '"':
                start = index
                while index < end and text[index] not in ' \t"':
                    index += 1
                pieces.append(text[start:index])
                continue
            was_quoted = True
            index += 1
            while True:
                stop = text.find('"', index)
                if stop < 0:
                    raise ValueError("a quote that is not closed")
                escape = text.find("\\", index, stop)
                if escape < 0:
                    pieces.append(text[index:stop])
                    index = stop + 1
                    break
                pieces.append(text[index:escape] + text[escape + 1 : escape + 2])
                index = escape + 2
        found.append(("".join(pieces), was_quoted))


def read(text: str, family: Family) -> Rule:
    """Read a rule (without ``-A CHAIN``). Raises ValueError where it cannot be one.

    Options that no known extension has are kept with the words that follow them.
    """
    if '"' in text:
        given = words(text)
        tokens = [token for token, _ in given]
        in_quotes = {index for index, (_, was) in enumerate(given) if was}
    else:
        tokens = text.split()
        in_quotes = set()
    rule = Rule()
    current: Part | None = None
    negated = False
    index, end = 0, len(tokens)
    while index < end:
        token = tokens[index]
        index += 1
        if token == "!" and index - 1 not in in_quotes:
            negated = True
            continue
        if token in _FIELDS:
            if index == end:
                raise ValueError(f"nothing follows {token}")
            _field(rule, _FIELDS[token], tokens[index], negated, family)
            index += 1
        elif token in ("-m", "--match", "-j", "--jump", "-g", "--goto"):
            if index == end:
                raise ValueError(f"nothing follows {token}")
            current = Part(tokens[index])
            index += 1
            if token in ("-m", "--match"):
                rule.matches.append(current)
            else:
                rule.target = current
                rule.goto = token in ("-g", "--goto")
        elif token in ("-f", "--fragment"):
            rule.fields["-f"] = Given(0, "-f", "", negated)
        elif token in ("-c", "--set-counters"):
            index += 1 if index < end and "," in tokens[index] else 2
        else:
            part, option = _owner(rule, current, token)
            if option is not None:
                if index + option.words > end:
                    raise ValueError(f"too little follows {token}")
                value = " ".join(tokens[index : index + option.words])
                index += option.words
                if option.canonical is not None:
                    value = option.canonical(value, family)
                part.options.append(Given(option.rank, option.name or token, value, negated))
            else:
                start = index
                while index < end and (index in in_quotes or not tokens[index].startswith(("-", "!"))):
                    index += 1
                shown = [
                    values.quoted(tokens[i]) if i in in_quotes else tokens[i] for i in range(start, index)
                ]
                part.options.append(Given(0, token, " ".join(shown), negated))
        negated = False
    return rule


def _field(rule: Rule, name: str, value: str, negated: bool, family: Family) -> None:
    if name in ("-s", "-d"):
        value = ",".join(values.address(part, family) for part in value.split(","))
        if value.endswith("/0") and not negated and "," not in value:
            return
    elif name == "-p":
        value = values.protocol(value)
        if not value:
            return
    elif value == "+":
        return
    rule.fields[name] = Given(0, name, value, negated)


def _owner(rule: Rule, current: Part | None, token: str) -> tuple[Part, Option | None]:
    """The extension that an option belongs to: the last one that has it, or else the last one."""
    if not token.startswith("-"):
        raise ValueError(f"unexpected word {token!r}")
    if current is not None:
        known = TARGETS.get(current.name) if current is rule.target else MATCHES.get(current.name)
        option = known.get(token) if known is not None else None
        if option is not None:
            return current, option
    if rule.target is not None and rule.target is not current:
        option = TARGETS.get(rule.target.name, {}).get(token)
        if option is not None:
            return rule.target, option
    for part in reversed(rule.matches):
        option = MATCHES.get(part.name, {}).get(token)
        if option is not None:
            return part, option
    protocol = rule.fields.get("-p")
    implied = PROTOCOL_MATCHES.get(protocol.value, "") if protocol is not None else ""
    option = MATCHES.get(implied, {}).get(token)
    if option is not None:
        part = Part(implied)
        rule.matches.append(part)
        return part, option
    if current is None:
        raise ValueError(f"unknown option {token}")
    return current, None


def target_of(text: str) -> str:
    """The target of a rule (a chain or an extension) by its text alone; empty where it has none."""
    at = max(text.rfind(" -j "), text.rfind(" -g "))
    if at < 0:
        if not text.startswith(("-j ", "-g ")):
            return _target_read(text) if "--jump" in text or "--goto" in text else ""
        at = -1
    rest = text[at + 4 :]
    # A prefix for a log may hold anything, and comes after the target.
    return _target_read(text) if '"' in rest else rest.partition(" ")[0]


def _target_read(text: str) -> str:
    try:
        target = read(text, "IPv4").target
    except ValueError:
        return ""
    return target.name if target is not None else ""


def write(rule: Rule, family: Family) -> str:
    """The rule as iptables-save of 1.8 prints it, without ``-A CHAIN``."""
    pieces = [rule.fields[name].text for name in _ORDER if name in rule.fields]
    for part in rule.matches:
        pieces.append(f"-m {part.name}")
        pieces += _options(part, family)
    if rule.target is not None:
        pieces.append(f"-g {rule.target.name}" if rule.goto else f"-j {rule.target.name}")
        pieces += _target_options(rule.target, family)
    return " ".join(pieces)


ALL_BITS = {"IPv4": "255.255.255.255", "IPv6": ":".join(["ffff"] * 8)}


def _options(part: Part, family: Family) -> list[str]:
    options = part.options
    if part.name == "recent":
        names = {given.name for given in options}
        options = list(options)
        if "--name" not in names:
            options.append(Given(5, "--name", "DEFAULT"))
        if "--mask" not in names:
            options.append(Given(6, "--mask", ALL_BITS[family]))
        if "--rsource" not in names and "--rdest" not in names:
            options.append(Given(7, "--rsource"))
    elif part.name == "limit":
        options = [given for given in options if (given.name, given.value) != ("--limit-burst", "5")]
    elif part.name == "nfacct":
        # iptables-save prints two blanks there.
        options = [Given(0, given.name, f" {given.value}", given.negated) for given in options]
    return [given.text for given in sorted(options, key=_rank)]


def _target_options(part: Part, family: Family) -> list[str]:
    options = part.options
    if part.name == "REJECT" and not options:
        shown = "icmp-port-unreachable" if family == "IPv4" else "icmp6-port-unreachable"
        options = [Given(0, "--reject-with", shown)]
    elif part.name == "LOG":
        options = [given for given in options if (given.name, given.value) != ("--log-level", "4")]
    return [given.text for given in sorted(options, key=_rank)]


def _rank(given: Given) -> int:
    return given.rank
