"""KYAML, the strict flow style of YAML that ``-o kyaml`` prints (``sigs.k8s.io/yaml/kyaml`` 1.6).

Every string value is in double quotes, every key that could be mistaken too; strings of several lines are
folded so that each line stands on a line of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rulegen.kubectl.numbers import json_number
from rulegen.kubectl.yamltext import is_time, read_back

_BARE = re.compile(r"[^\W]([\w./-]*[^\W])?")
_SEXAGESIMAL = re.compile(r"[+-]?[1-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?", re.ASCII)
_PREFIXED = re.compile(r"[+-]?0([xX][0-9a-fA-F]+|[bB][01]+|[oO][0-7]+)", re.ASCII)
_FLOAT = re.compile(r"[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|inf|infinity)|nan", re.ASCII | re.I)
_HEX_FLOAT = re.compile(r"[+-]?0x([0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)p[+-]?[0-9]+", re.ASCII | re.I)
_WORDS = frozenset(["null", "~", "true", "t", "false", "f", "yes", "y", "no", "n", "on", "off"])
_NOT_FINITE = frozenset([".inf", "-.inf", "+.inf", ".nan"])
_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\r": "\\r",
    "\v": "\\v",
    "\0": "\\0",
    "\x1b": "\\e",
    "\x85": "\\N",
    "\xa0": "\\_",
    "\u2028": "\\L",
    "\u2029": "\\P",
    '"': '\\"',
    "\\": "\\\\",
}
_FOLD = "\\\n"


def to_kyaml(value: Any, *, sort: bool = True) -> str:
    """The KYAML document of plain JSON data; ``sort`` puts every object's fields in order."""
    out: list[str] = ["---\n"]
    _write(out, value, 0, sort)
    out.append("\n")
    return "".join(out)


def _write(out: list[str], value: Any, indent: int, sort: bool) -> None:
    if isinstance(value, Mapping):
        _mapping(out, value, indent, sort)
    elif isinstance(value, list | tuple):
        _sequence(out, value, indent, sort)
    elif isinstance(value, str):
        out.append(_quoted(read_back(value), indent + 1))
    elif isinstance(value, bool):
        out.append("true" if value else "false")
    elif isinstance(value, float):
        out.append(json_number(value))
    else:
        out.append("null" if value is None else str(value))


def _mapping(out: list[str], value: Mapping[str, Any], indent: int, sort: bool) -> None:
    if not value:
        out.append("{}")
        return
    out.append("{\n")
    margin = "  " * (indent + 1)
    for key in sorted(value) if sort else value:
        shown = key if not _ambiguous(key) and _BARE.fullmatch(key) else _quoted(key, None)
        out.append(f"{margin}{shown}: ")
        _write(out, value[key], indent + 1, sort)
        out.append(",\n")
    out.append("  " * indent + "}")


def _sequence(out: list[str], value: list[Any] | tuple[Any, ...], indent: int, sort: bool) -> None:
    if not value:
        out.append("[]")
        return
    cuddled = all(isinstance(each, Mapping | list | tuple) for each in value)
    margin = "  " * (indent + 1)
    out.append("[" if cuddled else "[\n")
    for i, each in enumerate(value):
        out.append((", " if i else "") if cuddled else margin)
        _write(out, each, indent if cuddled else indent + 1, sort)
        out.append("" if cuddled else ",\n")
    out.append("]" if cuddled else "  " * indent + "]")


def _quoted(text: str, indent: int | None) -> str:
    """In double quotes; with an ``indent``, each line on its own."""
    folds = indent is not None and "\n" in text
    margin = "  " * (indent or 0)
    out = ['"' + (_FOLD if folds else "")]
    begins = folds
    for character in text:
        if begins:
            out.append(margin + ("\\" if character.isspace() and character != "\n" else " "))
            begins = False
        if character == "\n":
            out.append("\\n" + (_FOLD if indent is not None else ""))
            begins = indent is not None
        elif character == "\t":
            out.append("\t" if indent is not None else "\\t")
        elif character in _ESCAPES:
            out.append(_ESCAPES[character])
        elif character == " " or character.isprintable():
            out.append(character)
        else:
            code = ord(character)
            if code < 0x20 or code == 0x7F:
                out.append(f"\\x{code:02x}")
            else:
                out.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    if folds:
        out.append(("" if begins else _FOLD) + margin)
    out.append('"')
    return "".join(out)


def _ambiguous(text: str) -> bool:
    """Whether a YAML parser of some kind could take the text for something other than a string."""
    if text.lower() in _WORDS | _NOT_FINITE or _SEXAGESIMAL.fullmatch(text) or is_time(text):
        return True
    bare = text.replace("_", "")
    if _PREFIXED.fullmatch(bare):
        return -(2**63) <= int(bare, 0) < 2**63
    if _FLOAT.fullmatch(bare):
        return bare[-1] in "yYfFnN" or abs(float(bare)) != float("inf")
    return _HEX_FLOAT.fullmatch(bare) is not None
