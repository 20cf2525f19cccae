"""Decoding as the API server decodes: every field of a known kind, its Go type, unknown fields, and nulls.

``schema.json`` holds the fields of the API types, derived from the Go packages of the release by
``conformance/schema`` (which documents its form). From it a decoder is made for each type when it is first
needed. A decoder takes plain JSON data and gives the same data in the form in which the server prints a
stored object: fields that are empty are left out or zero as their Go tags say, null is nothing, an empty list
or map is no list or map (objects go through protobuf on their way to storage, which cannot tell them apart).

What the server's decoder (``sigs.k8s.io/json``, case-sensitive and strict) makes of JSON:

- null is allowed everywhere: it leaves a scalar or a struct zero, and makes a list, map or pointer absent;
  in a list it makes a zero element.
- A number is an integer only if it is written as one: ``80.0`` is refused. Integers must fit their type.
- Names of fields must match exactly; ``nodeport`` is an unknown field, not another spelling of ``nodePort``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

import msgspec

from rulegen.load.api.answers import FieldError, as_json, quoted
from rulegen.load.duration import seconds


class Problems:
    """What decoding found: fields that do not exist, and values of the wrong type.

    ``keeps_empty`` tells an empty list from none, as for an object that is read from a file and never stored.
    """

    __slots__ = ("keeps_empty", "unknown", "wrong")

    def __init__(self, *, keeps_empty: bool = False) -> None:
        self.keeps_empty = keeps_empty
        self.unknown: list[FieldError] = []
        self.wrong: list[FieldError] = []


Decoder: TypeAlias = Callable[[Any, str, str, Problems], Any]
"""``(value, path, owner, problems) -> value``; ``owner`` is the struct whose field is decoded."""

_INTEGERS = {
    "int": (-(2**63), 2**63 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint32": (0, 2**32 - 1),
    "uint8": (0, 255),
}
_FLOATS = ("float32", "float64")
_ZERO: Mapping[str, Any] = {"string": "", "bool": False, **dict.fromkeys((*_INTEGERS, *_FLOATS), 0)}

_INDEX = re.compile(r"\[\d+\]")
_QUANTITY = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([numkKMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?")
_BASE64 = re.compile(r"[A-Za-z0-9+/\r\n]*={0,2}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:\d\d)")


class Schema(msgspec.Struct, frozen=True):
    """``schema.json`` as it is."""

    kinds: dict[str, str]
    named: dict[str, str]
    structs: dict[str, dict[str, str]]


@cache
def schema() -> Schema:
    return msgspec.json.decode(files(__package__).joinpath("schema.json").read_bytes(), type=Schema)


def kinds() -> frozenset[str]:
    """Every kind that can be decoded, as ``v1 Service``."""
    return frozenset(schema().kinds)


def decode(kind: str, value: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    """The object in the server's form; ``kind`` is one of :func:`kinds`."""
    decoded: dict[str, Any] = _decoder(schema().kinds[kind])(value, "", "", problems)
    return decoded


def _wrong(path: str, owner: str, value: object, type_name: str, note: str = "") -> FieldError:
    """The words of Go's UnmarshalTypeError, which names the struct and the path without indexes."""
    if isinstance(value, bool):
        shown = "bool"
    elif isinstance(value, int | float):
        underlying = schema().named.get(type_name, type_name)
        shown = f"number {_number(value)}" if underlying in _INTEGERS or underlying in _FLOATS else "number"
    elif isinstance(value, str):
        shown = "string"
    elif isinstance(value, list | tuple):
        shown = "array"
    else:
        shown = "object"
    place = f"Go struct field {owner}.{_INDEX.sub('', path)}" if path else "Go value"
    return FieldError(
        path, f"json: cannot unmarshal {shown} into {place} of type {_go_name(type_name)}{note}"
    )


def _number(value: float) -> str:
    try:
        return as_json(value)
    except ValueError:  # more digits than Python prints
        return "of great length"


def _go_name(type_name: str) -> str:
    """``[]core/v1.ServicePort`` as Go prints it: ``[]v1.ServicePort``."""
    return re.sub(r"[\w.]+/", "", type_name)


@cache
def _decoder(type_name: str) -> Decoder:
    types = schema()
    if type_name in types.structs:
        return _struct(type_name)
    if type_name.startswith("*"):
        return _pointer(_decoder(type_name[1:]))
    if type_name == "[]uint8":
        return _bytes
    if type_name.startswith("[]"):
        return _list(type_name)
    if type_name.startswith("map["):
        return _map(type_name)
    underlying = types.named.get(type_name, type_name)
    if underlying == "custom":
        return _CUSTOM[type_name]
    if underlying != type_name and underlying.startswith(("[]", "map[")):
        return _decoder(underlying)
    if underlying == "string":
        return _string(type_name)
    if underlying == "bool":
        return _bool(type_name)
    if underlying in _FLOATS:
        return _float(type_name)
    return _integer(type_name, *_INTEGERS[underlying])


def _struct(type_name: str) -> Decoder:
    declared = schema().structs[type_name]
    own_name = type_name.rsplit(".", 1)[-1]
    # Decoders are looked up when they are needed: some structs hold themselves (JSONSchemaProps and others).
    fields: dict[str, tuple[str, bool]] = {}
    always: dict[str, str] = {}
    for field, text in declared.items():
        kept = text.endswith("!")
        bare = text.rstrip("!?")
        fields[field] = (bare, bare.startswith("*"))
        if kept:
            always[field] = bare
    decoders: dict[str, Decoder] = {}

    def run(value: Any, path: str, owner: str, problems: Problems) -> Any:
        if value is None:
            return zero(type_name)
        if not isinstance(value, Mapping):
            problems.wrong.append(_wrong(path, owner, value, type_name))
            return zero(type_name)
        out: dict[str, Any] = {}
        for key, each in value.items():
            known = fields.get(key) if isinstance(key, str) else None
            below = f"{path}.{key}" if path else str(key)
            if known is None:
                problems.unknown.append(FieldError(below, f"unknown field {quoted(below)}"))
                continue
            decoder = decoders.get(key)
            if decoder is None:
                decoder = decoders[key] = _decoder(known[0])
            decoded = decoder(each, below, own_name, problems)
            # A pointer tells its zero value from none at all; elsewhere zero is absent (omitempty).
            if decoded or (decoded is not None and known[1]) or key in always:
                out[key] = decoded
        for key, bare in always.items():
            if key not in out:
                out[key] = zero(bare)
        return out

    return run


def zero(type_name: str) -> Any:
    """The zero value of a type as the server prints it: null for a list, ``{}`` and its like for a struct."""
    types = schema()
    if type_name in types.structs:
        declared = types.structs[type_name].items()
        return {field: zero(text[:-1]) for field, text in declared if text.endswith("!")}
    if type_name in _CUSTOM_ZERO:
        return _CUSTOM_ZERO[type_name]
    return _ZERO.get(types.named.get(type_name, type_name))


def _pointer(target: Decoder) -> Decoder:
    def run(value: Any, path: str, owner: str, problems: Problems) -> Any:
        return None if value is None else target(value, path, owner, problems)

    return run


def _list(type_name: str) -> Decoder:
    element = type_name[2:]

    def run(value: Any, path: str, owner: str, problems: Problems) -> Any:
        if value is None:
            return None
        if not isinstance(value, list | tuple):
            problems.wrong.append(_wrong(path, owner, value, type_name))
            return None
        decoder = _decoder(element)
        found = [decoder(each, f"{path}[{i}]", owner, problems) for i, each in enumerate(value)]
        return found if found or problems.keeps_empty else None

    return run


def _map(type_name: str) -> Decoder:
    element = type_name.split("]", 1)[1]

    def run(value: Any, path: str, owner: str, problems: Problems) -> Any:
        if value is None:
            return None
        if not isinstance(value, Mapping):
            problems.wrong.append(_wrong(path, owner, value, type_name))
            return None
        decoder = _decoder(element)
        out = {}
        for key, each in value.items():
            if not isinstance(key, str):
                problems.wrong.append(_wrong(path, owner, key, "string", " (as a key)"))
                continue
            found = len(problems.wrong)
            if not key.isascii():
                key = _unicode(key)
            out[key] = decoder(each, f"{path}.{key}", owner, problems)
            for i in range(found, len(problems.wrong)):
                # The server's error about a value of a map names the map only; which value it is helps.
                fault = problems.wrong[i]
                if fault.field == f"{path}.{key}" and fault.message.startswith("json: "):
                    problems.wrong[i] = _wrong(path, owner, each, element, f" (the value of {quoted(key)})")
        return out or None

    return run


def _string(type_name: str) -> Decoder:
    def run(value: Any, path: str, owner: str, problems: Problems) -> Any:
        if type(value) is str:
            return value if value.isascii() else _unicode(value)
        if value is None:
            return ""
        if isinstance(value, str):
            return _unicode(value)
        problems.wrong.append(_wrong(path, owner, value, type_name))
        return ""

    return run


def _unicode(text: str) -> str:
    """The text with U+FFFD for half a surrogate pair, as Go's decoder has it."""
    return str(text).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _bool(type_name: str) -> Decoder:
    def run(value: Any, path: str, owner: str, problems: Problems) -> Any:
        if type(value) is bool:
            return value
        if value is not None:
            problems.wrong.append(_wrong(path, owner, value, type_name))
        return False

    return run


def _float(type_name: str) -> Decoder:
    def run(value: Any, path: str, owner: str, problems: Problems) -> Any:
        if type(value) in (int, float):
            return value
        if value is not None:
            problems.wrong.append(_wrong(path, owner, value, type_name))
        return 0

    return run


def _bytes(value: Any, path: str, owner: str, problems: Problems) -> Any:
    """Base64 in a string, which stays as it is; a list of bytes is taken too."""
    if value is None or (isinstance(value, str) and _BASE64.fullmatch(value) and len(value) % 4 == 0):
        return value
    if isinstance(value, list | tuple):
        return _list("[]uint8")(value, path, owner, problems)
    if isinstance(value, str):
        problems.wrong.append(FieldError(path, f"Invalid value: {quoted(value)}: illegal base64 data"))
    else:
        problems.wrong.append(_wrong(path, owner, value, "[]uint8"))
    return None


def _integer(type_name: str, lowest: int, highest: int) -> Decoder:
    def run(value: Any, path: str, owner: str, problems: Problems) -> Any:
        if type(value) is int and lowest <= value <= highest:
            return value
        if value is not None:
            problems.wrong.append(_wrong(path, owner, value, type_name))
        return 0

    return run


def _int_or_string(value: Any, path: str, owner: str, problems: Problems) -> Any:
    if isinstance(value, str):
        return _unicode(value)
    return _integer("int32", *_INTEGERS["int32"])(value, path, owner, problems)


def _time(value: Any, path: str, owner: str, problems: Problems) -> Any:
    if value is None:
        return None
    if not isinstance(value, str):
        problems.wrong.append(_wrong(path, owner, value, "string"))
        return None
    if value and not _TIME.fullmatch(value):
        detail = "must be a time as of RFC 3339, such as 2006-01-02T15:04:05Z"
        problems.wrong.append(FieldError(path, f"Invalid value: {quoted(value)}: {detail}"))
    return value


def _quantity(value: Any, path: str, owner: str, problems: Problems) -> Any:
    if value is None:
        return "0"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        problems.wrong.append(_wrong(path, owner, value, "resource.Quantity"))
        return "0"
    text = value if isinstance(value, str) else as_json(value)
    if not _QUANTITY.fullmatch(text):
        problems.wrong.append(
            FieldError(
                path,
                "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
            )
        )
    return text


def _any(value: Any, path: str, owner: str, problems: Problems) -> Any:
    return value


def _duration(value: Any, path: str, owner: str, problems: Problems) -> Any:
    """A text such as ``1m30s``. Null is none: a duration is optional where its type is a pointer only."""
    if value is not None and not isinstance(value, str):
        problems.wrong.append(_wrong(path, owner, value, "string"))
        return "0s"
    try:
        seconds(value or "")
    except ValueError as error:
        problems.wrong.append(FieldError(path, str(error)))
        return "0s"
    return value


def _duration_or_number(value: Any, path: str, owner: str, problems: Problems) -> Any:
    return value if type(value) is int else _duration(value, path, owner, problems)


_CUSTOM: Mapping[str, Decoder] = {
    "util/intstr.IntOrString": _int_or_string,
    "api/resource.Quantity": _quantity,
    "api/resource.QuantityValue": _quantity,
    "api/v1.TimeOrMetaDuration": _duration_or_number,
    "meta/v1.Time": _time,
    "meta/v1.Duration": _duration,
    "meta/v1.FieldsV1": _any,
}
_CUSTOM_ZERO: Mapping[str, Any] = {
    "util/intstr.IntOrString": 0,
    "api/resource.Quantity": "0",
    "api/resource.QuantityValue": "0",
    "meta/v1.Duration": "0s",
    "api/v1.TimeOrMetaDuration": "0s",
}
