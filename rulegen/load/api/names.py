"""Names, labels and port names, each checked in the API server's words (apimachinery's validation, 1.37).

Every function gives the messages of what is wrong, none for a good value. Lengths are in bytes of UTF-8. The
server has two generations of these checks, which word a length differently: ``characters`` in
``util/validation``, ``bytes`` in ``api/validate/content`` (label keys and values).
"""

from __future__ import annotations

import re

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_KEY = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_KEY})?"

_label = re.compile(_LABEL).fullmatch
_subdomain = re.compile(_SUBDOMAIN).fullmatch
_key = re.compile(_KEY).fullmatch
_value = re.compile(_VALUE).fullmatch
_port_characters = re.compile("[-a-z0-9]+").fullmatch
_letter = re.compile("[a-z]").search


def _regex(message: str, expression: str, *examples: str) -> str:
    given = " or ".join(f"'{example}', " for example in examples)
    return f"{message} (e.g. {given}regex used for validation is '{expression}')"


_NOT_A_LABEL = _regex(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and"
    " end with an alphanumeric character",
    _LABEL,
    "my-name",
    "123-abc",
)
_NOT_A_SUBDOMAIN = _regex(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must"
    " start and end with an alphanumeric character",
    _SUBDOMAIN,
    "example.com",
)
_NOT_A_KEY = _regex(
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric"
    " character",
    _KEY,
    "MyName",
    "my.name",
    "123-abc",
)
_NOT_A_VALUE = _regex(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must"
    " start and end with an alphanumeric character",
    _VALUE,
    "MyValue",
    "my_value",
    "12345",
)


def size(text: str) -> int:
    """Length in bytes, as Go counts it."""
    return len(text) if text.isascii() else len(text.encode())


def _too_long(most: int) -> str:
    return f"must be no more than {most} characters"


def dns_label(value: str) -> list[str]:
    """What is wrong with an RFC 1123 label (63 bytes)."""
    if len(value) <= 63 and _label(value):
        return []
    faults = [_too_long(63)] if size(value) > 63 else []
    if not _label(value):
        faults.append("must not contain dots" if _subdomain(value) else _NOT_A_LABEL)
    return faults


def dns_subdomain(value: str) -> list[str]:
    """What is wrong with an RFC 1123 subdomain (253 bytes; its labels may be of any length)."""
    if len(value) <= 253 and _subdomain(value):
        return []
    faults = [_too_long(253)] if size(value) > 253 else []
    if not _subdomain(value):
        faults.append(_NOT_A_SUBDOMAIN)
    return faults


def masked_prefix(value: str) -> str:
    """A generateName as it is checked: a dash at its end is no fault, since characters follow it."""
    return value[:-2] + "a" if len(value) > 1 and value.endswith("-") else value


def qualified_name(value: str) -> list[str]:
    """What is wrong with a label key, annotation key, appProtocol or class: ``[prefix/]name``."""
    parts = value.split("/")
    if len(parts) > 2:
        example = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return [f"a valid label key {_NOT_A_KEY} {example}"]
    faults = []
    if len(parts) == 2:
        if not parts[0]:
            faults.append("prefix part must be non-empty")
        else:
            if size(parts[0]) > 253:
                faults.append("prefix part must be no more than 253 bytes")
            if not _subdomain(parts[0]):
                faults.append(f"prefix part {_NOT_A_SUBDOMAIN}")
    name = parts[-1]
    if not name:
        faults.append("name part must be non-empty")
    elif size(name) > 63:
        faults.append("name part must be no more than 63 bytes")
    if not _key(name):
        faults.append(f"name part {_NOT_A_KEY}")
    return faults


def label_value(value: str) -> list[str]:
    """What is wrong with a label's value (63 bytes)."""
    faults = ["must be no more than 63 bytes"] if size(value) > 63 else []
    if not _value(value):
        faults.append(_NOT_A_VALUE)
    return faults


def path_segment(value: str) -> list[str]:
    """What is wrong with a name that becomes part of a URL."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{part}'" for part in "/%" if part in value]


def domain_name(value: str) -> list[tuple[str, str]]:
    """What is wrong with a fully qualified domain name that is not empty: the part that is, and why."""
    name = value.removesuffix(".")
    faults = dns_subdomain(name)
    if faults:
        return [(name, ",".join(faults))]
    labels = name.split(".")
    if len(labels) < 2:
        return [(name, "should be a domain with at least two segments separated by dots")]
    for label in labels:
        faults = dns_label(label)
        if faults:
            return [(label, ",".join(faults))]
    return []


def port_number(value: int) -> list[str]:
    return [] if 1 <= value <= 65535 else ["must be between 1 and 65535, inclusive"]


def port_name(value: str) -> list[str]:
    """What is wrong with the name of a port as RFC 6335 has it, lower case only."""
    faults = [_too_long(15)] if size(value) > 15 else []
    if not _port_characters(value):
        faults.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not _letter(value):
        faults.append("must contain at least one letter (a-z)")
    if "--" in value:
        faults.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        faults.append("must not begin or end with a hyphen")
    return faults
