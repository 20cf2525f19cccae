"""What admission answers with, and the words of the API server's errors.

The kinds of errors and their wording are those of ``k8s.io/apimachinery/pkg/util/validation/field`` (1.37).
A value that Go holds as a plain string is printed as Go's ``%q`` prints it; one of a named string type
(``v1.Protocol``), a pointer or a list is printed as JSON. The two differ for control characters and for
``<``, ``>`` and ``&``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

import msgspec
from msgspec.structs import force_setattr


class FieldError(NamedTuple):
    """One fault: the path as the API server prints it (``spec.ports[0].nodePort``), and what is wrong."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class Admission(msgspec.Struct, frozen=True):
    """The API server's answer to one object.

    ``result`` is the object with its defaults as plain JSON data, or None where there are ``errors``.
    ``warnings`` are what the server would say in Warning headers; they never refuse an object.
    """

    result: dict[str, Any] | None
    errors: tuple[FieldError, ...] = ()
    warnings: tuple[FieldError, ...] = ()


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """What the API server of the cluster was started with, and what it has given out.

    ``service_cidrs`` are its Service CIDRs in order (``--service-cluster-ip-range``; the first one's family
    is the default). ``node_ports`` is the first and the last node port. ``cluster_ips`` are the addresses in
    use, in canonical form, each with the ``namespace/name`` of its Service; ``used_node_ports`` the node
    ports in use; ``services`` the Services that exist, those with cluster IPs always among them.
    """

    service_cidrs: tuple[str, ...] = ("10.96.0.0/12", "fd00:10:96::/112")
    node_ports: tuple[int, int] = (30000, 32767)
    cluster_ips: Mapping[str, str] = msgspec.field(
        default_factory=lambda: {"10.96.0.1": "default/kubernetes"}
    )
    used_node_ports: frozenset[int] = frozenset()
    services: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        force_setattr(self, "services", self.services.union(self.cluster_ips.values()))


Errors: TypeAlias = list[FieldError]

_SHORT = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}


def quoted(text: str) -> str:
    """The text as Go's ``%q`` prints it."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    out = []
    for character in text:
        code = ord(character)
        if character in _SHORT:
            out.append(_SHORT[character])
        elif character.isprintable():
            out.append(character)
        elif code < 0x80:
            out.append(f"\\x{code:02x}")
        elif code < 0x10000:
            out.append(f"\\u{code:04x}")
        else:
            out.append(f"\\U{code:08x}")
    return '"' + "".join(out) + '"'


def as_json(value: Any) -> str:
    """The value as Go's ``encoding/json`` prints it: compact, with HTML's special characters escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def required(field: str, detail: str = "") -> FieldError:
    return FieldError(field, f"Required value: {detail}" if detail else "Required value")


def invalid(field: str, value: object, detail: str) -> FieldError:
    """An invalid value, one that Go holds as a plain string or a number."""
    return FieldError(field, f"Invalid value: {_plain(value)}: {detail}")


def invalid_json(field: str, value: object, detail: str) -> FieldError:
    """An invalid value that Go holds as a named string, a pointer or a list."""
    return FieldError(field, f"Invalid value: {as_json(value)}: {detail}")


def duplicate(field: str, value: object) -> FieldError:
    return FieldError(field, f"Duplicate value: {_plain(value)}")


def duplicate_json(field: str, value: object) -> FieldError:
    return FieldError(field, f"Duplicate value: {as_json(value)}")


def forbidden(field: str, detail: str) -> FieldError:
    return FieldError(field, f"Forbidden: {detail}")


def unsupported(field: str, value: object, supported: Iterable[str], *, plain: bool = False) -> FieldError:
    """A value that is none of ``supported``, which are listed in the order given."""
    shown = _plain(value) if plain else as_json(value)
    listed = ", ".join(quoted(each) for each in supported)
    return FieldError(field, f"Unsupported value: {shown}: supported values: {listed}")


def too_many(field: str, count: int, most: int) -> FieldError:
    return FieldError(field, f"Too many: {count}: must have at most {most} item{'' if most == 1 else 's'}")


def too_long(field: str, most: int) -> FieldError:
    return FieldError(field, f"Too long: may not be more than {most} byte{'' if most == 1 else 's'}")


def internal(field: str, detail: str) -> FieldError:
    return FieldError(field, f"Internal error: {detail}")


def _plain(value: object) -> str:
    return quoted(value) if isinstance(value, str) else as_json(value)
