"""Floating-point numbers as Go prints them."""

from __future__ import annotations

from decimal import Decimal


def json_number(value: float) -> str:
    """As ``encoding/json`` writes a float64: an exponent only below 1e-6 and from 1e21 on."""
    if value == 0:
        return "-0" if str(value)[0] == "-" else "0"
    if 1e-6 <= abs(value) < 1e21:
        return _positional(value)
    # Go's two digits of exponent lose their leading zero in JSON where they are negative.
    return _scientific(value).replace("e-0", "e-")


def general_number(value: float) -> str:
    """As ``strconv.FormatFloat(value, 'g', -1, 64)`` writes it."""
    exponent = Decimal(repr(value)).adjusted()
    return _positional(value) if -4 <= exponent < 6 else _scientific(value)


def _positional(value: float) -> str:
    text = f"{Decimal(repr(value)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _scientific(value: float) -> str:
    sign, digits, _ = Decimal(repr(value)).as_tuple()
    shown = "".join(map(str, digits)).rstrip("0") or "0"
    exponent = Decimal(repr(value)).adjusted()
    mantissa = f"{shown[0]}.{shown[1:]}" if len(shown) > 1 else shown
    return f"{'-' if sign else ''}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
