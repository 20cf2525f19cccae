"""Any rule of nftables, read from its text into the statements of nft's own JSON (libnftables-json(5)).

:mod:`rulegen.nftables.statements` reads what kube-proxy writes, to compare it; here rules of others are read
too, to follow them. What is not understood becomes a statement ``{"unknown": TEXT}``.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

Statement: TypeAlias = dict[str, Any]
Expression: TypeAlias = Any

_WORD = re.compile(r'"[^"]*"|[{}(),]|[^\s{}(),"]+')
_PORTED = frozenset({"tcp", "udp", "sctp", "dccp", "udplite", "th"})
_PAYLOADS = _PORTED | {"ip", "ip6", "icmp", "icmpv6", "ether", "arp", "vlan", "ah", "esp", "comp", "igmp"}
_META = frozenset({
    "iifname", "oifname", "iif", "oif", "mark", "iiftype", "oiftype", "skuid", "skgid", "pkttype", "cpu",
    "iifgroup", "oifgroup", "cgroup", "rtclassid", "iifkind", "oifkind", "ibrname", "obrname",
})  # fmt: skip
_BITS = {"and": "&", "&": "&", "or": "|", "|": "|", "xor": "^", "^": "^", "<<": "<<", ">>": ">>"}
_RELATIONS = {"==": "==", "!=": "!=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "eq": "==", "ne": "!="}
_VERDICTS = frozenset({"drop", "accept", "return", "continue"})
_END = ""


class UnknownError(ValueError):
    """A rule, from some word on, in words that are not known."""


def read(text: str, family: str) -> list[Statement]:
    """The statements of a rule of a table of the family ``ip``, ``ip6`` or ``inet``, comments left out."""
    reader = _Reader(text, family)
    found: list[Statement] = []
    while reader.more:
        start = reader.at
        try:
            statement = reader.statement()
        except (UnknownError, ValueError):
            rest = reader.words[start:]
            found.append({"unknown": " ".join(rest)})
            verdict = _last_verdict(rest)
            if verdict is not None:
                found.append(verdict)
            return found
        if statement:
            found.append(statement)
    return found


def _last_verdict(words: list[str]) -> Statement | None:
    """The verdict at the end of words that are not known."""
    if "comment" in words:
        words = words[: words.index("comment")]
    if words and words[-1] in _VERDICTS:
        return {words[-1]: None}
    if len(words) > 1 and words[-2] in ("jump", "goto"):
        return {words[-2]: {"target": words[-1]}}
    return None


def value(word: str) -> Expression:
    """A constant: a number, an address, a prefix, a range, or a name."""
    if word.isdecimal():
        return int(word)
    if word.startswith('"'):
        return word.strip('"')
    if word.startswith("0x") and "/" not in word:
        return int(word, 16)
    first, separator, length = word.partition("/")
    if separator and length.isdecimal() and first[:1].isalnum() | (first[:1] == ":"):
        return {"prefix": {"addr": int(first, 0) if first.startswith("0x") else first, "len": int(length)}}
    first, separator, last = word.partition("-")
    if (
        separator
        and (first.isdecimal() or first.startswith("0x"))
        and (last.isdecimal() or last.startswith("0x"))
    ):
        return {"range": [int(first, 0), int(last, 0)]}
    if separator and ("." in first or ":" in first) and ("." in last or ":" in last):
        return {"range": [first, last]}
    return word


_QUICK = re.compile(r"([\w:]+(?:\.\w+){0,3}(?: \. [\w.:]+)*)(?: : (goto|jump) (\S+))?")


def element(text: str) -> tuple[Expression, Expression | None]:
    """Key and data (None in a set) of an element; comments, times and counters of it are left out."""
    quick = _QUICK.fullmatch(text)
    if quick is not None:
        # There are tens of thousands of these.
        parts = [value(part) for part in quick[1].split(" . ")]
        key: Expression = parts[0] if len(parts) == 1 else {"concat": parts}
        return key, {quick[2]: {"target": quick[3]}} if quick[2] else None
    reader = _Reader(text, "inet")
    key = reader.constant()
    while reader.more and reader.word != ":":
        reader.take()
    if reader.taken(":"):
        return key, reader.constant()
    return key, None


class _Reader:
    def __init__(self, text: str, family: str) -> None:
        self.words: list[str] = _WORD.findall(text)
        self.family = family
        self.at = 0

    @property
    def more(self) -> bool:
        return self.at < len(self.words)

    @property
    def word(self) -> str:
        return self.words[self.at] if self.at < len(self.words) else _END

    def take(self) -> str:
        if self.at >= len(self.words):
            raise UnknownError("the rule ends early")
        self.at += 1
        return self.words[self.at - 1]

    def taken(self, *words: str) -> bool:
        """Whether these words come next; if so they are taken."""
        end = self.at + len(words)
        if tuple(self.words[self.at : end]) != words:
            return False
        self.at = end
        return True

    def expect(self, word: str) -> None:
        if not self.taken(word):
            raise UnknownError(f"expected {word!r}, found {self.word!r}")

    # --- statements

    def statement(self) -> Statement:
        word = self.word
        if word in _VERDICTS:
            return {self.take(): None}
        simple = getattr(self, f"_{word}_statement", None) if word.isalpha() else None
        if simple is not None:
            found: Statement = simple()
            return found
        return self.match()

    def _jump_statement(self) -> Statement:
        return {self.take(): {"target": self.take()}}

    _goto_statement = _jump_statement

    def _comment_statement(self) -> Statement:
        self.take()
        self.take()
        return {}

    def _counter_statement(self) -> Statement:
        self.take()
        if self.taken("name"):
            return {"counter": value(self.take())}
        if self.taken("packets"):
            self.take()
            self.expect("bytes")
            self.take()
        return {"counter": None}

    def _log_statement(self) -> Statement:
        self.take()
        while self.word in ("prefix", "level", "group", "snaplen", "queue-threshold", "flags"):
            if self.take() == "flags":
                while self.word in ("tcp", "ip", "skuid", "ether", "all", "sequence", "options", ","):
                    self.take()
            else:
                self.take()
        return {"log": None}

    def _limit_statement(self) -> Statement:
        start = self.at
        self.take()
        while self.word in ("rate", "over", "burst", "packets", "bytes", "kbytes", "mbytes", "name") or (
            self.word[:1].isdigit() or "/" in self.word or self.word.startswith('"')
        ):
            self.take()
        return {"limit": " ".join(self.words[start : self.at])}

    def _quota_statement(self) -> Statement:
        start = self.at
        self.take()
        while self.word in ("over", "until", "used", "bytes", "kbytes", "mbytes", "name") or (
            self.word[:1].isdigit() or self.word.startswith('"')
        ):
            self.take()
        return {"quota": " ".join(self.words[start : self.at])}

    def _reject_statement(self) -> Statement:
        self.take()
        if not self.taken("with"):
            return {"reject": None}
        if self.taken("tcp", "reset"):
            return {"reject": {"type": "tcp reset"}}
        kind = self.take()
        self.taken("type")
        self.taken("code")
        return {"reject": {"type": kind, "expr": self.take()}}

    def _masquerade_statement(self) -> Statement:
        self.take()
        return {"masquerade": self._translation()}

    def _redirect_statement(self) -> Statement:
        self.take()
        return {"redirect": self._translation()}

    def _translation(self) -> Statement | None:
        """``to :PORT`` and flags."""
        found: Statement = {}
        if self.taken("to"):
            word = self.take()
            if not word.startswith(":"):
                raise UnknownError(word)
            found["port"] = value(word[1:])
        self._flags()
        return found or None

    def _flags(self) -> None:
        while self.word in ("random", "fully-random", "persistent", ","):
            self.take()

    def _dnat_statement(self) -> Statement:
        kind = self.take()
        found: Statement = {}
        if self.word in ("ip", "ip6"):
            found["family"] = self.take()
        self.taken("prefix")
        self.taken("interval")
        with_port = self.taken("addr", ".", "port")
        self.expect("to")
        word = self.word
        if word.startswith(":"):
            found["port"] = value(self.take()[1:])
        elif (
            word == "numgen"
            or word in _PAYLOADS
            or word in _META
            or word in ("meta", "ct", "jhash", "symhash")
        ):
            found["addr"] = self.expression()
        else:
            found["addr"], port = _address_and_port(self.take())
            if self.taken("."):
                port = value(self.take())
            if port is not None:
                found["port"] = port
        del with_port
        self._flags()
        return {kind: found}

    _snat_statement = _dnat_statement

    def _queue_statement(self) -> Statement:
        self.take()
        while self.word in ("num", "flags", "to", "bypass", "fanout", ",") or self.word[:1].isdigit():
            self.take()
        return {"queue": None}

    def _notrack_statement(self) -> Statement:
        return {self.take(): None}

    def _add_statement(self) -> Statement:
        operation, container = self.take(), self.take()
        if not container.startswith("@"):
            raise UnknownError(container)
        self.expect("{")
        key = self.expression()
        while self.word in ("timeout", "comment", "expires"):
            self.take()
            self.take()
        if self.word != "}":
            # What is done for the element: a limit, a counter.
            raise UnknownError(self.word)
        self.expect("}")
        return {"set": {"op": operation, "elem": key, "set": container}}

    _update_statement = _add_statement
    _delete_statement = _add_statement

    def match(self) -> Statement:
        left = self.expression()
        if self.taken("set"):
            return {"mangle": {"key": left, "value": self.expression_or_constant()}}
        if self.taken("vmap"):
            return {"vmap": {"key": left, "data": self.constants()}}
        operator = _RELATIONS.get(self.word)
        if operator is not None:
            self.take()
        right = self.constants()
        if self.taken("/"):
            # "tcp flags syn / fin,syn,rst,ack": the flags that are set, of those after the stroke.
            return {
                "match": {"op": operator or "==", "left": {"&": [left, self.constants()]}, "right": right}
            }
        return {"match": {"op": operator or "in", "left": left, "right": right}}

    # --- expressions

    def expression_or_constant(self) -> Expression:
        word = self.word
        if word in _PAYLOADS or word in _META or word in ("meta", "ct", "fib", "numgen", "jhash", "symhash"):
            return self.expression()
        return self.constants()

    def expression(self) -> Expression:
        """What a packet is asked for: one selector, several joined, with bits masked, or looked up."""
        parts = [self.selector()]
        while self.taken("."):
            parts.append(self.selector())
        found: Expression = parts[0] if len(parts) == 1 else {"concat": parts}
        while self.word in _BITS:
            operator = _BITS[self.take()]
            found = {operator: [found, self.operand()]}
        if self.taken("map"):
            found = {"map": {"key": found, "data": self.constants()}}
        return found

    def operand(self) -> Expression:
        if self.taken("("):
            found = self.constants()
            while self.word in _BITS:
                operator = _BITS[self.take()]
                found = {operator: [found, self.constants()]}
            self.expect(")")
            return found
        word = self.word
        if word in ("meta", "ct", "mark"):
            return self.selector()
        return self.constants()

    def selector(self) -> Expression:
        word = self.take()
        if word in _PAYLOADS:
            field = self.take()
            return {"payload": {"protocol": word, "field": field}}
        if word in _META:
            return {"meta": {"key": word}}
        match word:
            case "meta":
                return {"meta": {"key": self.take()}}
            case "ct":
                return self._ct()
            case "fib":
                flags = [self.take()]
                while self.taken("."):
                    flags.append(self.take())
                return {"fib": {"flags": flags, "result": self.take()}}
            case "numgen":
                mode = self.take()
                self.expect("mod")
                modulus = int(self.take())
                offset = int(self.take()) if self.taken("offset") else 0
                return {"numgen": {"mode": mode, "mod": modulus, "offset": offset}}
            case "jhash" | "symhash":
                while self.word != "mod":
                    self.take()
                self.take()
                modulus = int(self.take())
                if self.taken("seed"):
                    self.take()
                offset = int(self.take()) if self.taken("offset") else 0
                return {"numgen": {"mode": word, "mod": modulus, "offset": offset}}
        raise UnknownError(word)

    def _ct(self) -> Expression:
        key = self.take()
        if key in ("original", "reply"):
            direction, key = key, self.take()
            if key in ("ip", "ip6"):
                key = f"{key} {self.take()}"
            return {"ct": {"key": key, "dir": direction}}
        return {"ct": {"key": key}}

    def constants(self) -> Expression:
        """A named set or map, an anonymous one, or constants with commas between them."""
        if self.taken("{"):
            elements: list[Expression] = []
            while not self.taken("}"):
                item = self.constant()
                if self.taken(":"):
                    item = [item, self.constant()]
                elements.append(item)
                self.taken(",")
            return {"set": elements}
        found = [self.constant()]
        while self.taken(","):
            found.append(self.constant())
        # "ct state new,established" and "syn | ack" hold where any of the bits does.
        while self.word == "|":
            self.take()
            found.append(self.constant())
        return found[0] if len(found) == 1 else found

    def constant(self) -> Expression:
        word = self.take()
        if word in ("goto", "jump"):
            return {word: {"target": self.take()}}
        if word in _VERDICTS:
            return {word: None}
        if word in "{}(),":
            raise UnknownError(word)
        parts = [value(word)]
        while self.taken("."):
            parts.append(value(self.take()))
        return parts[0] if len(parts) == 1 else {"concat": parts}


def _address_and_port(word: str) -> tuple[Expression, Expression | None]:
    """``A``, ``A:PORT``, ``[A]:PORT``, with ranges."""
    if word.startswith("["):
        ip, _, port = word[1:].partition("]")
        return value(ip), value(port[1:]) if port else None
    if word.count(":") == 1:
        ip, _, port = word.partition(":")
        return value(ip), value(port)
    return value(word), None
