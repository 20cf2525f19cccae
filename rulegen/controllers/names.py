"""Names whose ends the API server draws at random: here they are derived, so that they are stable."""

from __future__ import annotations

import hashlib
from collections.abc import Container

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH = 5
_LONGEST_BASE = 63 - _SUFFIX_LENGTH
_LONGEST_PREFIX = 253


def prefix(owner: str) -> str:
    """``metadata.generateName`` of the slices of ``owner``: its name and a dash, if there is room for one."""
    dashed = f"{owner}-"
    return dashed if len(dashed) <= _LONGEST_PREFIX else owner


def base(generate_name: str) -> str:
    """The part of a generated name before its random end (k8s.io/apiserver/pkg/storage/names)."""
    return generate_name[:_LONGEST_BASE]


def generated(generate_name: str, *identity: str, taken: Container[str] = ()) -> str:
    """A name as the API server generates it, its end derived from ``identity`` and not among ``taken``.

    The real end is five random letters and digits; ours has the same form and is the same in every run.
    """
    start = base(generate_name)
    attempt = 0
    while True:
        text = "\0".join((generate_name, *identity, str(attempt)))
        number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        letters: list[str] = []
        for _ in range(_SUFFIX_LENGTH):
            number, index = divmod(number, len(_ALPHABET))
            letters.append(_ALPHABET[index])
        name = start + "".join(letters)
        if name not in taken:
            return name
        attempt += 1
