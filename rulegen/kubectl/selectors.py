"""Label and field selectors as kubectl takes them and the API server reads them.

The grammar, the order in which requirements are kept and the words of errors are those of
``k8s.io/apimachinery/pkg/labels`` and ``fields`` (1.37): ``-l 'app=web,track in (a,b),!old'``,
``--field-selector metadata.name=web``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from rulegen.kubectl.resources import Resource
from rulegen.load.api.answers import quoted
from rulegen.load.api.names import label_value, qualified_name

_SYMBOLS = frozenset("=!(),><")
_TOKENS = frozenset([")", ",", "!", "==", "=", ">", "in", "<", "!=", "notin", "("])
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_OPERATORS = "in, notin, =, ==, !=, gt, lt"


class Requirement(NamedTuple):
    """One part of a label selector; ``operator`` is one of ``in notin = == != > < exists !``."""

    key: str
    operator: str
    values: tuple[str, ...]

    def matches(self, labels: Mapping[str, str]) -> bool:
        operator = self.operator
        value = labels.get(self.key)
        if operator in ("notin", "!="):
            return value is None or value not in self.values
        if operator == "!":
            return value is None
        if value is None:
            return False
        if operator == "exists":
            return True
        if operator in (">", "<"):
            number = _number(value)
            limit = _number(self.values[0])
            if number is None or limit is None:
                return False
            return number > limit if operator == ">" else number < limit
        return value in self.values

    def __str__(self) -> str:
        if self.operator == "exists":
            return self.key
        if self.operator == "!":
            return "!" + self.key
        listed = ",".join(sorted(self.values))
        if self.operator in ("in", "notin"):
            return f"{self.key} {self.operator} ({listed})"
        return f"{self.key}{self.operator}{listed}"


LabelSelector = tuple[Requirement, ...]


def parse_labels(selector: str) -> LabelSelector:
    """The requirements of a label selector, by key; ValueError in the API server's words.

    An empty selector has no requirements and matches everything.
    """
    found = _Parser(selector).parse()
    return tuple(sorted(found, key=lambda requirement: requirement.key))


def matches(selector: LabelSelector, labels: Mapping[str, str] | None) -> bool:
    """Whether labels fulfil all requirements."""
    own = labels or {}
    return all(requirement.matches(own) for requirement in selector)


def from_label_selector(selector: Mapping[str, Any] | None) -> LabelSelector | None:
    """The requirements of an object's ``matchLabels`` and ``matchExpressions`` (LabelSelectorAsSelector).

    None stands for no selector at all, which matches nothing. ValueError for an unknown operator.
    """
    if selector is None:
        return None
    found = [Requirement(k, "=", (v,)) for k, v in (selector.get("matchLabels") or {}).items()]
    for each in selector.get("matchExpressions") or ():
        operator = _EXPRESSIONS.get(each["operator"])
        if operator is None:
            raise ValueError(f"{quoted(each['operator'])} is not a valid label selector operator")
        found.append(Requirement(each["key"], operator, tuple(each.get("values") or ())))
    return tuple(sorted(found, key=lambda requirement: requirement.key))


_EXPRESSIONS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


def show_labels(labels: Mapping[str, str] | None) -> str:
    """Labels as ``a=b,c=d`` by key, and ``<none>`` where there are none."""
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels)) if labels else "<none>"


def _number(text: str) -> int | None:
    if not _INTEGER.fullmatch(text):
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None


class _Parser:
    """A recursive-descent parser; a token is its text and whether it is an identifier."""

    def __init__(self, selector: str) -> None:
        self._tokens = _tokens(selector)
        self._at = 0

    def parse(self) -> list[Requirement]:
        found: list[Requirement] = []
        while True:
            token, text = self._peek()
            if token == "end":
                return found
            if token not in ("identifier", "!"):
                raise ValueError(f"found '{text}', expected: !, identifier, or 'end of string'")
            try:
                found.append(self._requirement())
            except ValueError as fault:
                raise ValueError(f"unable to parse requirement: {fault}") from None
            token, text = self._next()
            if token == "end":
                return found
            if token != ",":
                raise ValueError(f"found '{text}', expected: ',' or 'end of string'")
            token, text = self._peek()
            if token not in ("identifier", "!"):
                raise ValueError(f"found '{text}', expected: identifier after ','")

    def _peek(self) -> tuple[str, str]:
        token, text = self._tokens[self._at]
        return ("identifier" if token in ("in", "notin") else token), text

    def _next(self) -> tuple[str, str]:
        found = self._peek()
        self._at += 1
        return found

    def _requirement(self) -> Requirement:
        token, key = self._next()
        negated = token == "!"
        if negated:
            token, key = self._next()
        if token != "identifier":
            raise ValueError(f"found '{key}', expected: identifier")
        faults = qualified_name(key)
        if faults:
            raise ValueError(f"<nil>: Invalid value: {quoted(key)}: {'; '.join(faults)}")
        ends = self._peek()[0] in ("end", ",")
        if negated or ends:
            return Requirement(key, "!" if negated else "exists", ())
        operator, shown = self._tokens[self._at]
        self._at += 1
        if operator in ("in", "notin"):
            values = self._set()
        elif operator in ("=", "==", "!=", ">", "<"):
            values = {self._exact()}
        else:
            raise ValueError(f"found '{shown}', expected: {_OPERATORS}")
        return _checked(key, operator, tuple(sorted(values)))

    def _exact(self) -> str:
        if self._peek()[0] in ("end", ","):
            return ""
        token, text = self._next()
        if token != "identifier":
            raise ValueError(f"found '{text}', expected: identifier")
        return text

    def _set(self) -> set[str]:
        token, text = self._next()
        if token != "(":
            raise ValueError(f"found '{text}' expected: '('")
        token, text = self._peek()
        if token == ")":
            self._at += 1
            return {""}
        if token not in ("identifier", ","):
            raise ValueError(f"found '{text}', expected: ',', ')' or identifier")
        values: set[str] = set()
        while True:
            token, text = self._next()
            after, after_text = self._peek() if token != "end" else ("end", "")
            if token == "identifier":
                values.add(text)
                if after not in (",", ")"):
                    raise ValueError(f"found '{after_text}', expected: ',' or ')'")
            elif token == ",":
                if not values or after in (")", ","):
                    values.add("")
            else:
                raise ValueError(f"found '{text}', expected: ',', or identifier")
            if after == ")":
                self._at += 1
                return values


def _tokens(selector: str) -> list[tuple[str, str]]:
    text = selector
    found: list[tuple[str, str]] = []
    at = 0
    while True:
        while at < len(text) and text[at] in " \t\r\n":
            at += 1
        if at == len(text):
            found.append(("end", ""))
            return found
        start = at
        if text[at] in _SYMBOLS:
            at += 1
            # The longest run of symbols that is a token: only "==" and "!=" have two.
            if text[start : at + 1] in ("==", "!="):
                at += 1
            found.append((text[start:at], text[start:at]))
            continue
        while at < len(text) and text[at] not in _SYMBOLS and text[at] not in " \t\r\n":
            at += 1
        word = text[start:at]
        found.append((word if word in _TOKENS else "identifier", word))


def _checked(key: str, operator: str, values: tuple[str, ...]) -> Requirement:
    faults: list[str] = []
    if operator in (">", "<"):
        faults += [
            f"values[{i}]: Invalid value: {quoted(value)}:"
            " for 'Gt', 'Lt' operators, the value must be an integer"
            for i, value in enumerate(values)
            if _number(value) is None
        ]
    for i, value in enumerate(values):
        wrong = label_value(value)
        if wrong:
            faults.append(f"values[{i}][{key}]: Invalid value: {quoted(value)}: {'; '.join(wrong)}")
    if faults:
        raise ValueError(faults[0] if len(faults) == 1 else f"[{', '.join(faults)}]")
    return Requirement(key, operator, values)


class FieldRequirement(NamedTuple):
    """One part of a field selector: the field's value is ``value``, or is not where ``negated``."""

    field: str
    value: str
    negated: bool


FieldSelector = tuple[FieldRequirement, ...]


def parse_fields(selector: str, resource: Resource) -> FieldSelector:
    """The requirements of a field selector; ValueError in the API server's words.

    Only the fields that the server can select a resource by are known.
    """
    known = _FIELDS.get(resource.kind, _COMMON)
    found: list[FieldRequirement] = []
    for part in sorted(_split(selector)):
        if not part:
            continue
        operator = re.search("!=|==|=", part)
        if operator is None:
            raise ValueError(f"invalid selector: '{selector}'; can't understand '{part}'")
        value = _unescaped(part[operator.end() :])
        found.append(FieldRequirement(part[: operator.start()], value, operator.group() == "!="))
    for each in found:
        if each.field not in known:
            if resource.kind == "Job":
                raise ValueError(f"field label {quoted(each.field)} not supported for Job")
            if known is not _COMMON:
                raise ValueError(f"field label not supported: {each.field}")
            only = ", ".join(map(quoted, _COMMON))
            raise ValueError(f"{quoted(each.field)} is not a known field selector: only {only}")
    return tuple(found)


def field_matches(selector: FieldSelector, resource: Resource, item: Mapping[str, Any]) -> bool:
    """Whether an object's fields are what the selector asks for."""
    known = _FIELDS.get(resource.kind, _COMMON)
    return all((known[field](item) == value) is not negated for field, value, negated in selector)


def _split(selector: str) -> list[str]:
    """The parts between commas, those after a backslash aside."""
    return re.findall(r"(?:^|,)((?:[^,\\]|\\.|\\$)*)", selector, re.DOTALL)


def _unescaped(value: str) -> str:
    out = []
    rest = iter(value)
    for character in rest:
        if character == "\\":
            after = next(rest, "")
            if after not in ("\\", ",", "="):
                raise ValueError(f"invalid field selector: invalid escape sequence: \\{after}")
            out.append(after)
        elif character in ",=":
            raise ValueError(f"invalid field selector: unescaped character in value: {ord(character)}")
        else:
            out.append(character)
    return "".join(out)


Field = Callable[[Mapping[str, Any]], str]


def _at(*path: str) -> Field:
    def read(item: Mapping[str, Any]) -> str:
        value: Any = item
        for step in path:
            value = (value or {}).get(step)
        return "" if value is None else str(value)

    return read


def _flag(*path: str) -> Field:
    read = _at(*path)
    return lambda item: "true" if read(item) == "True" else "false"


def _count(*path: str) -> Field:
    read = _at(*path)
    return lambda item: read(item) or "0"


def _first_ip(item: Mapping[str, Any]) -> str:
    addresses: Sequence[Mapping[str, str]] = (item.get("status") or {}).get("podIPs") or ()
    return addresses[0].get("ip", "") if addresses else ""


_NAME = _at("metadata", "name")
_COMMON: Mapping[str, Field] = {"metadata.name": _NAME, "metadata.namespace": _at("metadata", "namespace")}
_FIELDS: Mapping[str, Mapping[str, Field]] = {
    "Pod": {
        **_COMMON,
        "spec.nodeName": _at("spec", "nodeName"),
        "spec.host": _at("spec", "nodeName"),
        "spec.restartPolicy": _at("spec", "restartPolicy"),
        "spec.schedulerName": _at("spec", "schedulerName"),
        "spec.serviceAccountName": _at("spec", "serviceAccountName"),
        "spec.hostNetwork": _flag("spec", "hostNetwork"),
        "status.phase": _at("status", "phase"),
        "status.podIP": _first_ip,
        # Known to the server, and never filled in.
        "status.podIPs": lambda _: "",
        "status.nominatedNodeName": _at("status", "nominatedNodeName"),
    },
    "Node": {"metadata.name": _NAME, "spec.unschedulable": _flag("spec", "unschedulable")},
    "Service": {**_COMMON, "spec.clusterIP": _at("spec", "clusterIP"), "spec.type": _at("spec", "type")},
    "Namespace": {"metadata.name": _NAME, "status.phase": _at("status", "phase")},
    "Job": {**_COMMON, "status.successful": _count("status", "succeeded")},
    "ReplicationController": {**_COMMON, "status.replicas": _count("status", "replicas")},
}
