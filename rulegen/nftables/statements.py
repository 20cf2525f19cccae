"""Rules as nft's own JSON tells them (libnftables-json(5)), read from their text.

kube-proxy writes rules in one form (``mark set mark or 0x00004000``, ``{ a , b }``) and ``nft list`` prints
them in another (``meta mark set meta mark | 0x00004000``, ``{ a, b }``); both are read into the same
statements. What kube-proxy never writes is not known here.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from rulegen.plan.addresses import canonical

Statement: TypeAlias = dict[str, Any]
Expression: TypeAlias = Any

_COMMENT = ' comment "'
_PAYLOADS = frozenset({"ip", "ip6", "th"})
_INTERFACES = frozenset({"iifname", "oifname"})
_BITS = {"and": "&", "&": "&", "or": "|", "|": "|", "xor": "^", "^": "^"}
_VERDICTS = frozenset({"drop", "accept", "return", "continue"})


def split_comment(rule: str) -> tuple[str, str]:
    """A rule's statements, and its comment or ``""``."""
    text, found, comment = rule.partition(_COMMENT)
    return (text, comment.rstrip().removesuffix('"')) if found else (rule, "")


def read(rule: str, family: str) -> list[Statement]:
    """The statements of a rule of a table of the nft family ``ip`` or ``ip6``; its comment is left out.

    Raises ValueError for what kube-proxy never writes.
    """
    text, _ = split_comment(rule)
    reader = _Reader(text, family)
    found: list[Statement] = []
    while reader.more:
        found.append(reader.statement())
    return found


def value(word: str) -> Expression:
    """A constant: a number, an address, a prefix, a range of addresses, or a name."""
    if word.isdecimal():
        return int(word)
    if word.startswith('"'):
        return word.strip('"')
    first, separator, length = word.partition("/")
    if separator and length.isdecimal():
        return {"prefix": {"addr": first, "len": int(length)}}
    if word.startswith("0x"):
        return int(word, 16)
    first, separator, last = word.partition("-")
    if separator and canonical(first) is not None:
        return {"range": [first, last]}
    return word


def key(text: str) -> Expression:
    """A key of a set or map: constants, joined by `` . `` where there are several."""
    parts = [value(part) for part in text.split(" . ")]
    return parts[0] if len(parts) == 1 else {"concat": parts}


def verdict(text: str) -> Statement:
    """``drop``, ``goto CHAIN`` and the like."""
    kind, _, target = text.partition(" ")
    return {kind: {"target": target}} if target else {kind: None}


class _Reader:
    """Reads words one after the other. Commas only part what can be told apart without them."""

    def __init__(self, text: str, family: str) -> None:
        self.text = text
        self.family = family
        self.words = text.replace(",", " ").split()
        self.at = 0

    @property
    def more(self) -> bool:
        return self.at < len(self.words)

    @property
    def word(self) -> str:
        return self.words[self.at] if self.at < len(self.words) else ""

    def take(self) -> str:
        if self.at >= len(self.words):
            raise ValueError(f"rule ends early: {self.text!r}")
        self.at += 1
        return self.words[self.at - 1]

    def taken(self, *words: str) -> bool:
        """Whether these words come next; if so they are taken."""
        end = self.at + len(words)
        if tuple(self.words[self.at : end]) != words:
            return False
        self.at = end
        return True

    def expect(self, *words: str) -> None:
        if not self.taken(*words):
            raise ValueError(f"expected {' '.join(words)!r}, found {self.word!r}: {self.text!r}")

    def statement(self) -> Statement:
        word = self.word
        if word in _VERDICTS:
            return {self.take(): None}
        match word:
            case "jump" | "goto":
                return {self.take(): {"target": self.take()}}
            case "reject":
                self.take()
                # What nft makes of a plain "reject".
                kind = "icmp" if self.family == "ip" else "icmpv6"
                return {"reject": {"type": kind, "expr": "port-unreachable"}}
            case "masquerade":
                self.take()
                return {"masquerade": {"flags": "fully-random"} if self.taken("fully-random") else None}
            case "counter":
                self.take()
                self.expect("name")
                return {"counter": value(self.take())}
            case "update":
                return self.update()
            case "dnat":
                return self.dnat()
        return self.match()

    def update(self) -> Statement:
        operation, container = self.take(), self.take()
        self.expect("{")
        element = self.expression()
        self.expect("}")
        return {"set": {"op": operation, "elem": element, "set": container}}

    def dnat(self) -> Statement:
        self.take()
        if self.taken("to"):
            ip, _, port = self.take().rpartition(":")
            return {"dnat": {"addr": ip.strip("[]"), "port": int(port)}}
        family = self.take()
        self.taken("addr", ".", "port")
        self.expect("to")
        return {"dnat": {"family": family, "addr": self.expression()}}

    def match(self) -> Statement:
        left = self.expression()
        if self.taken("set"):
            return {"mangle": {"key": left, "value": self.expression()}}
        if self.taken("vmap"):
            return {"vmap": {"key": left, "data": self.constants()}}
        flags = "ct" in left
        operator = "in" if flags else "=="
        if self.word in ("!=", "=="):
            operator = self.take()
        return {"match": {"op": operator, "left": left, "right": self.constants()}}

    def expression(self) -> Expression:
        """What a packet is asked for: one selector, several joined, or one with bits masked or looked up."""
        parts = [self.selector()]
        while self.taken("."):
            parts.append(self.selector())
        found: Expression = parts[0] if len(parts) == 1 else {"concat": parts}
        if self.word in _BITS:
            found = {_BITS[self.take()]: [found, value(self.take())]}
        if self.taken("map"):
            found = {"map": {"key": found, "data": self.constants()}}
        return found

    def selector(self) -> Expression:
        word = self.take()
        if word in _PAYLOADS:
            return {"payload": {"protocol": word, "field": self.take()}}
        if word == "mark" or word in _INTERFACES:
            return {"meta": {"key": word}}
        match word:
            case "meta":
                return {"meta": {"key": self.take()}}
            case "ct":
                return {"ct": {"key": self.take()}}
            case "fib":
                return {"fib": {"flags": [self.take()], "result": self.take()}}
            case "numgen":
                mode = self.take()
                self.expect("mod")
                return {"numgen": {"mode": mode, "mod": int(self.take()), "offset": 0}}
        raise ValueError(f"{word!r} is not known: {self.text!r}")

    def constants(self) -> Expression:
        """A named set or map, an anonymous one, or one constant."""
        if not self.taken("{"):
            return value(self.take())
        elements: list[Expression] = []
        while not self.taken("}"):
            element = self.constant()
            if self.taken(":"):
                element = [element, self.constant()]
            elements.append(element)
        return {"set": elements}

    def constant(self) -> Expression:
        word = self.take()
        if word in ("goto", "jump"):
            return {word: {"target": self.take()}}
        if word in _VERDICTS:
            return {word: None}
        parts = [value(word)]
        while self.taken("."):
            parts.append(value(self.take()))
        return parts[0] if len(parts) == 1 else {"concat": parts}
