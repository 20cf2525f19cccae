"""What a YAML scalar means to Kubernetes.

kubectl and the API server read YAML with ``sigs.k8s.io/yaml``, which turns it into JSON by way of goyaml.v2
(``go.yaml.in/yaml/v2`` 2.4): YAML 1.1 with booleans ``yes``, ``on`` and ``y``, octal ``0777``, ``_`` in
numbers, without numbers of base 60, and with timestamps left as text.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from functools import lru_cache
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | None

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
MEANINGFUL = frozenset("0123456789+-.yYnNtTfFoO~")
"""A plain scalar that begins with another character, and is not empty, is a string."""

_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_BASED = re.compile(r"[-+]?0(?:[xX][0-9a-fA-F]+|[bB][01]+|[oO]?[0-7]+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_LONGEST_NUMBER = 400
"""Longer texts are no numbers that a manifest has; Python's own limit for integers is not met."""

_TAGS = "tag:yaml.org,2002:"
_NAMES = {bool: "bool", int: "int", float: "float", type(None): "null", str: "str"}


@lru_cache(maxsize=8192)
def resolve(text: str) -> Scalar:
    """The value of a plain scalar without a tag."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] == ".":
        return _number(text) if _FLOAT.fullmatch(text) else text
    if text[0] not in "0123456789+-" or len(text) > _LONGEST_NUMBER:
        return text
    plain = text.replace("_", "")
    if _DECIMAL.fullmatch(plain):
        value = int(plain)
    elif _BASED.fullmatch(plain):
        value = _based(plain)
    else:
        value = None
    if value is not None and -(1 << 63) <= value < 1 << 64:
        return value
    return _number(plain) if _FLOAT.fullmatch(plain) else text


def _based(text: str) -> int:
    digits = text.lstrip("+-")
    base = {"x": 16, "b": 2}.get(digits[1].lower(), 8)
    value = int(digits.lower().lstrip("0").lstrip("xbo") or "0", base)
    return -value if text[0] == "-" else value


def _number(text: str) -> Scalar:
    value = float(text)
    if math.isinf(value):
        return text
    return as_json_number(value)


def as_json_number(value: float) -> int | float:
    """A float as it comes back from JSON: Go prints a whole one below 1e21 without point or exponent."""
    if value.is_integer() and abs(value) < 1e21:
        return int(value)
    return value


def resolve_tagged(tag: str, text: str) -> Scalar:
    """The value of a scalar with an explicit tag; a tag that is none of YAML's own makes it a string.

    Raises ValueError where text and tag do not fit.
    """
    short = tag.removeprefix(_TAGS)
    if short == tag:
        return text
    if short == "binary":
        try:
            return base64.b64decode(text.replace("\n", ""), validate=True).decode("utf-8", "replace")
        except binascii.Error:
            raise ValueError("!!binary value contains invalid base64 data") from None
    if short == "str" or short not in ("bool", "int", "float", "null", "timestamp"):
        return text
    value = resolve(text)
    found = "timestamp" if short == "timestamp" and isinstance(value, str) else _NAMES[type(value)]
    if short == "float" and type(value) is int:
        return value
    if found != short:
        raise ValueError(f"cannot decode !!{found} `{text}` as a !!{short}")
    return value


def as_key(value: Scalar) -> str:
    """A key of a mapping as text. Raises ValueError for null, which is no key in JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if value is None:
        raise ValueError("a key must not be empty or null")
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    return _shortest_single(value)


def _shortest_single(value: float) -> str:
    """Go's ``strconv.FormatFloat(value, 'g', -1, 32)``, which is how a key is written."""
    for digits in range(1, 18):
        shown = f"{value:.{digits}g}"
        try:
            if struct.pack("f", float(shown)) == struct.pack("f", value):
                return shown
        except OverflowError:
            return "+Inf" if value > 0 else "-Inf"
    return repr(value)
