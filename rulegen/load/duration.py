"""Durations as Go writes them (``1h2m3.5s``), the form of every ``metav1.Duration``."""

from __future__ import annotations

import re

_UNITS = {"ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 10**6, "s": 10**9, "m": 60 * 10**9}
_UNITS["h"] = 3600 * 10**9
_PART = re.compile(r"([0-9]*)(\.[0-9]*)?([^0-9.]*)")
_LONGEST = (1 << 63) - 1


def seconds(text: str) -> float:
    """A Go duration in seconds.

    Raises ValueError, in the words of Go's ``time.ParseDuration``, for a text that is none.
    """
    shown = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    invalid = ValueError(f"time: invalid duration {shown}")
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0.0
    if not rest or len(rest) > 100:
        raise invalid
    nanoseconds = position = 0
    while position < len(rest):
        part = _PART.match(rest, position)
        if part is None or (not part[1] and not (part[2] or "").strip(".")):
            raise invalid
        if not part[3]:
            raise ValueError(f"time: missing unit in duration {shown}")
        scale = _UNITS.get(part[3])
        if scale is None:
            raise ValueError(f'time: unknown unit "{part[3]}" in duration {shown}')
        nanoseconds += int(part[1] or 0) * scale
        fraction = (part[2] or "")[1:]
        if fraction:
            nanoseconds += int(fraction) * scale // 10 ** len(fraction)
        if nanoseconds > _LONGEST:
            raise invalid
        position = part.end()
    return (-nanoseconds if text[0] == "-" else nanoseconds) / 10**9
