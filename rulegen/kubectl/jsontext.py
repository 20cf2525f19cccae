"""JSON as kubectl prints it: Go's ``encoding/json``, indented by four spaces.

HTML's special characters are escaped, others beyond ASCII are not. Fields of plain data are sorted by name;
:mod:`rulegen.kubectl.service` brings those of a typed object into the order of its Go struct first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rulegen.kubectl.numbers import json_number

_ESCAPED = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


def to_json(value: Any, *, sort: bool = True) -> str:
    """The JSON text of plain data, ended by a newline; ``sort`` puts every object's fields in order."""
    out: list[str] = []
    _write(out, value, "\n", sort)
    out.append("\n")
    return "".join(out)


def compact(value: Any) -> str:
    """The JSON text without white space, fields in their own order."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_text(key)}:{compact(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(compact, value)) + "]"
    return _scalar(value)


def _write(out: list[str], value: Any, line: str, sort: bool) -> None:
    if isinstance(value, Mapping) and value:
        inner = line + "    "
        mark = "{"
        for key in sorted(value) if sort else value:
            out.append(f"{mark}{inner}{_text(key)}: ")
            _write(out, value[key], inner, sort)
            mark = ","
        out.append(line + "}")
    elif isinstance(value, list | tuple) and value:
        inner = line + "    "
        mark = "["
        for each in value:
            out.append(mark + inner)
            _write(out, each, inner, sort)
            mark = ","
        out.append(line + "]")
    else:
        out.append(_scalar(value))


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return json_number(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    return json.dumps(value)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).translate(_ESCAPED)
