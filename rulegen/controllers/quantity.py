"""Kubernetes resource quantities (k8s.io/apimachinery/pkg/api/resource), as far as CPU needs them."""

from __future__ import annotations

import math
import re
from fractions import Fraction

_SUFFIXES: dict[str, Fraction] = {
    "": Fraction(1),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    **{suffix: Fraction(10 ** (3 * power)) for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Fraction(1024**power) for power, suffix in enumerate("KMGTPE", start=1)},
}
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:[eE]([+-]?[0-9]{1,3})|([a-zA-Z]{0,2}))\Z")


def parse(value: object) -> Fraction | None:
    """A quantity as an exact number, rounded up to a billionth; None where ``value`` is none.

    ``value`` is text (``500m``, ``1.5``, ``2e3``, ``4Gi``) or a number, as JSON and YAML allow both.
    """
    match = _QUANTITY.match(str(value)) if isinstance(value, str | int | float) else None
    if match is None:
        return None
    number, exponent, suffix = match.groups()
    scale = Fraction(10) ** int(exponent) if exponent else _SUFFIXES.get(suffix or "")
    if scale is None:
        return None
    return Fraction(math.ceil(Fraction(number) * scale * 10**9), 10**9)
