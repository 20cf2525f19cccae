"""YAML as kubectl prints it: ``sigs.k8s.io/yaml`` 1.6, which writes as ``go.yaml.in/yaml/v2`` does.

YAML 1.1 in block style, two spaces of indent, lists not indented below their key, lines folded at spaces
beyond column 80. A string is plain where it reads back as that string, in double quotes where YAML 1.1 would
make another type of it (``"yes"``, ``"0x1F"``, ``"2024-01-01"``, ``"1:30"``), in single quotes where only its
characters forbid the plain style, and a literal block (``|``) where it has several lines. Keys are sorted in
natural order: ``a2`` before ``a10``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from functools import cmp_to_key
from typing import Any

from rulegen.kubectl.numbers import general_number

WIDTH = 80
"""Lines are folded at the first space beyond this column."""


def _forms(word: str, before: str = "") -> list[str]:
    return [before + word, before + word.capitalize(), before + word.upper()]


_PLAIN = re.compile(r"[A-Za-z/](?:[A-Za-z0-9_./-]|:(?=[^\s]))*(?<!:)", re.ASCII)
_RESERVED = frozenset(
    [form for word in ("yes", "no", "true", "false", "on", "off", "null") for form in _forms(word)]
    + [sign + form for form in _forms("inf", ".") for sign in ("", "+", "-")]
    + ["y", "Y", "n", "N", "~", ".nan", ".NaN", ".NAN"]
)
"""What go-yaml reads as something other than a string."""
_BASE60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_POINT_FLOAT = re.compile(r"\.[0-9]+(_[0-9]+)*([eE][-+]?[0-9]+(_[0-9]+)*)?", re.ASCII)
_INTEGER = re.compile(
    r"([-+]?)(?:0[xX](?P<x>[0-9a-fA-F]+)|0[bB](?P<b>[01]+)|0[oO]?(?P<o>[0-7]+)|(?P<d>0|[1-9][0-9]*))",
    re.ASCII,
)
_BINARY = re.compile(r"0b([-+]?)([01]+)", re.ASCII)
_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})", re.ASCII)
_CLOCK = re.compile(r"([Tt ])([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,][0-9]+)?(.*)", re.ASCII | re.DOTALL)
_ZONE = re.compile(r"Z|[-+]([0-9]{2}):([0-9]{2})", re.ASCII)
_UNREADABLE = re.compile("[\x7f-\x84\x86-\x9f\ufffe\uffff]")
_NEXT_LINES = re.compile(" *\x85(?: *\x85)* *")
_BREAKS = "\r\n\x85\u2028\u2029"
_ESCAPES = {
    "\0": "\\0",
    "\a": "\\a",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\v": "\\v",
    "\f": "\\f",
    "\r": "\\r",
    "\x1b": "\\e",
    '"': '\\"',
    "\\": "\\\\",
    "\x85": "\\N",
    "\xa0": "\\_",
    "\u2028": "\\L",
    "\u2029": "\\P",
}


def to_yaml(value: Any) -> str:
    """The YAML text of plain JSON data, ended by a newline."""
    out: list[str] = []
    if isinstance(value, Mapping) and value:
        _mapping(out, value, 0)
    elif isinstance(value, list | tuple) and value:
        _sequence(out, value, 0)
    else:
        out.append(_scalar(value, 0, 2))
        _end_line(out)
    return "".join(out)


def _mapping(out: list[str], value: Mapping[str, Any], indent: int, *, begun: bool = False) -> None:
    """The mapping's lines; ``begun`` says that the first one's indent is there already."""
    margin = " " * indent
    for key in sorted_keys(value):
        out.append("" if begun else margin)
        begun = False
        each = value[key]
        if len(key.encode()) > 128 or any(c in _BREAKS for c in key):
            out.append("? ")
            out.append(_string(key, indent + 2, indent + 2))
            _end_line(out)
            out.append(margin + ":")
            _value(out, each, indent, indent + 1, compact=True)
            continue
        shown = _key(key)
        out.append(shown)
        out.append(":")
        _value(out, each, indent, indent + len(shown) + 1, compact=False)


def _value(out: list[str], value: Any, indent: int, column: int, *, compact: bool) -> None:
    """What comes after a key's colon. ``compact``: on the same line, as after the colon of a long key."""
    if isinstance(value, Mapping) and value:
        out.append(" " if compact else "\n")
        _mapping(out, value, indent + 2, begun=compact)
    elif isinstance(value, list | tuple) and value:
        out.append(" " if compact else "\n")
        _sequence(out, value, indent + 2 if compact else indent, begun=compact)
    else:
        out.append(" ")
        out.append(_scalar(value, column + 1, indent + 2))
        _end_line(out)


def _sequence(
    out: list[str], value: list[Any] | tuple[Any, ...], indent: int, *, begun: bool = False
) -> None:
    margin = " " * indent
    for each in value:
        out.append("- " if begun else margin + "- ")
        begun = False
        if isinstance(each, Mapping) and each:
            _mapping(out, each, indent + 2, begun=True)
        elif isinstance(each, list | tuple) and each:
            _sequence(out, each, indent + 2, begun=True)
        else:
            out.append(_scalar(each, indent + 2, indent + 2))
            _end_line(out)


def _end_line(out: list[str]) -> None:
    # A literal block that ends in line breaks has ended its line already.
    if out[-1][-1:] not in _BREAKS:
        out.append("\n")


def _scalar(value: Any, column: int, indent: int) -> str:
    """The text of a scalar or an empty collection that starts in ``column``; further lines at ``indent``."""
    if isinstance(value, str):
        return _string(value, column, indent)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    raise TypeError(f"{type(value).__name__} is no JSON data")


def _float(value: float) -> str:
    # Go writes JSON first and reads it as YAML: a whole number is an integer then, while it fits 64 bits.
    if value == int(value) and -(2**63) <= value < 2**64:
        return str(int(value))
    return general_number(value)


def _string(text: str, column: int, indent: int) -> str:
    if _PLAIN.fullmatch(text) and text not in _RESERVED:
        return text
    text = read_back(text)
    style = _style(text)
    if style == "|":
        return _literal(text, indent)
    if style == "":
        return _folded(text, column, indent)
    if style == "'":
        return _single(text, column, indent)
    return _double(text, column, indent)


def read_back(text: str) -> str:
    """What becomes of a string because the JSON that is made YAML of is itself read as YAML.

    ValueError, in go-yaml's words, where it cannot be read.
    """
    if text.isprintable():
        return text
    if _UNREADABLE.search(text):
        raise ValueError("yaml: control characters are not allowed")
    return _NEXT_LINES.sub(_joined, text)


def _joined(lines: re.Match[str]) -> str:
    # A line break inside of quotes is folded.
    return "\n" * (lines.group().count("\x85") - 1) or " "


def _key(text: str) -> str:
    if _PLAIN.fullmatch(text) and text not in _RESERVED:
        return text
    style = _style(text)
    if style == "":
        return text
    if style == "'":
        return "'" + text.replace("'", "''") + "'"
    return _double(text, None, 0)


def _style(text: str) -> str:
    """The style of a string: ``""`` (plain), ``'``, ``"`` or ``|``."""
    if not text:
        return '"'
    special = text[0] == "\ufeff" or any(not _printable(c) for c in text)
    space_break = re.search(f" [{_BREAKS}]", text) is not None
    if "\n" in text:
        return '"' if special or space_break or text[-1] == " " else "|"
    if not _stays_string(text) or special or space_break:
        return '"'
    if re.search(f"[{_BREAKS}] ", text):
        return '"'
    edges = text[0] + text[-1]
    if any(c in _BREAKS for c in text) or " " in edges or _indicates(text):
        return "'"
    return ""


def _indicates(text: str) -> bool:
    """Whether the text holds what would mean something in YAML outside of quotes."""
    first = text[0]
    if first in "#,[]{}&*!|>'\"%@`" or text.startswith(("---", "...")):
        return True
    if first in "?:-" and (len(text) == 1 or text[1] in " \t"):
        return True
    return ": " in text or " #" in text or text[-1] == ":"


def _printable(character: str) -> bool:
    code = ord(character)
    if code < 0x7F:
        return code >= 0x20 or code == 0x0A
    # The emitter's test of the first byte takes no character beyond the basic plane.
    return (0xA0 <= code < 0xD800 or 0xE000 <= code < 0xFFFE) and code != 0xFEFF


def _stays_string(text: str) -> bool:
    """Whether the plain text would be read as a string (``resolve`` of go-yaml)."""
    first = text[0]
    if first in "yYnNtTfFoO~":
        return text not in _RESERVED
    if first == ".":
        return text not in _RESERVED and not (_POINT_FLOAT.fullmatch(text) and _fits(text))
    if first not in "+-0123456789":
        return True
    if text in _RESERVED or _BASE60.fullmatch(text) or is_time(text):
        return False
    bare = text.replace("_", "")
    return not (_is_integer(bare) or (_FLOAT.fullmatch(bare) and _fits(bare)))


def _fits(text: str) -> bool:
    return abs(float(text)) != float("inf")


def _is_integer(text: str) -> bool:
    found = _INTEGER.fullmatch(text)
    if found is not None:
        base = {"x": 16, "b": 2, "o": 8, "d": 10}[str(found.lastgroup)]
        return _in_64_bits(found.group(1), int(found[str(found.lastgroup)], base))
    found = _BINARY.fullmatch(text)
    return found is not None and _in_64_bits(found.group(1), int(found.group(2), 2))


def _in_64_bits(sign: str, size: int) -> bool:
    return size < 2**64 if sign == "" else size < 2**63 or (sign == "-" and size == 2**63)


def is_time(text: str) -> bool:
    """Whether YAML 1.1 as go-yaml reads it would take the text for a timestamp."""
    found = _DATE.match(text)
    if found is None:
        return False
    try:
        date(int(found.group(1)) or 4, int(found.group(2)), int(found.group(3)))
    except ValueError:
        return False
    rest = text[found.end() :]
    if not rest:
        return True
    clock = _CLOCK.fullmatch(rest)
    if clock is None:
        return False
    letter, hour, minute, second, zone = clock.groups()
    if int(hour) > 23 or int(minute) > 59 or int(second) > 59:
        return False
    if letter == " ":
        return not zone
    offset = _ZONE.fullmatch(zone)
    if offset is None:
        return False
    return offset.group(1) is None or (int(offset.group(1)) <= 24 and int(offset.group(2)) <= 60)


def _folded(text: str, column: int, indent: int) -> str:
    if column + len(text) <= WIDTH:
        return text
    out: list[str] = []
    spaces = False
    for i, c in enumerate(text):
        if c == " ":
            if not spaces and column > WIDTH and text[i + 1] != " ":
                out.append("\n" + " " * indent)
                column = indent
            else:
                out.append(c)
                column += 1
            spaces = True
        else:
            out.append(c)
            column += 1
            spaces = False
    return "".join(out)


def _single(text: str, column: int, indent: int) -> str:
    out = ["'"]
    column += 1
    spaces = breaks = False
    last = len(text.encode()) - 1
    at = 0
    for i, c in enumerate(text):
        if c == " ":
            if not spaces and column > WIDTH and 0 < at < last and text[i + 1] != " ":
                out.append("\n" + " " * indent)
                column = indent
            else:
                out.append(c)
                column += 1
            spaces = True
        elif c in _BREAKS:
            out.append(c)
            column = 0
            breaks = True
        else:
            if breaks:
                out.append(" " * indent)
                column = indent
            out.append("''" if c == "'" else c)
            column += 2 if c == "'" else 1
            spaces = breaks = False
        at += len(c.encode())
    out.append("'")
    return "".join(out)


def _double(text: str, column: int | None, indent: int) -> str:
    """In double quotes; without a ``column`` the text is a key and never folded."""
    out = ['"']
    at_column = 0 if column is None else column + 1
    spaces = False
    last = len(text.encode()) - 1
    marked = text.startswith("\ufeff")
    at = 0
    for i, c in enumerate(text):
        if marked or not _printable(c) or c in _BREAKS or c in '"\\':
            shown = _ESCAPES.get(c) or _escape(ord(c))
            out.append(shown)
            at_column += len(shown)
            spaces = False
        elif c == " ":
            if column is not None and not spaces and at_column > WIDTH and 0 < at < last:
                out.append("\n" + " " * indent)
                at_column = indent
                if text[i + 1] == " ":
                    out.append("\\")
                    at_column += 1
            else:
                out.append(c)
                at_column += 1
            spaces = True
        else:
            out.append(c)
            at_column += 1
            spaces = False
        at += len(c.encode())
    out.append('"')
    return "".join(out)


def _escape(code: int) -> str:
    if code <= 0xFF:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


def _literal(text: str, indent: int) -> str:
    out = ["|"]
    if text[0] in " " + _BREAKS:
        out.append("2")
    if text[-1] not in _BREAKS:
        out.append("-")
    elif len(text) == 1 or text[-2] in _BREAKS:
        out.append("+")
    out.append("\n")
    margin = " " * indent
    begin = True
    for c in text:
        if c in _BREAKS:
            begin = True
        elif begin:
            out.append(margin)
            begin = False
        out.append(c)
    return "".join(out)


def sorted_keys(value: Mapping[str, Any]) -> list[str]:
    """The keys in go-yaml's natural order: letters after other characters, digits by the number they make."""
    keys = sorted(value)
    if len(keys) < 2 or all(key.isascii() and key.isalpha() for key in keys):
        return keys
    return sorted(keys, key=cmp_to_key(_natural))


def _natural(a: str, b: str) -> int:
    if a == b:
        return 0
    return -1 if _before(a, b) else 1


def _before(a: str, b: str) -> bool:
    for i, (x, y) in enumerate(zip(a, b, strict=False)):
        if x == y:
            continue
        x_letter, y_letter = _is_letter(x), _is_letter(y)
        if x_letter and y_letter:
            return x < y
        if x_letter or y_letter:
            return y_letter
        start = 0
        if "0" in (x, y):
            j = i - 1
            while j >= 0 and _is_digit(a[j]):
                if a[j] != "0":
                    start = 1
                    break
                j -= 1
        x_number, x_end = _number(a, i, start)
        y_number, y_end = _number(b, i, start)
        if x_number != y_number:
            return x_number < y_number
        if x_end != y_end:
            return x_end < y_end
        return x < y
    return len(a) < len(b)


def _number(text: str, at: int, number: int) -> tuple[int, int]:
    while at < len(text) and _is_digit(text[at]):
        number = number * 10 + ord(text[at]) - ord("0")
        at += 1
    # 64 bits that wrap around, as they do in Go.
    return (number + 2**63) % 2**64 - 2**63, at


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] == "L"


def _is_digit(character: str) -> bool:
    return unicodedata.category(character) == "Nd"
