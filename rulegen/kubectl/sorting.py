"""``--sort-by``: objects in the order of a field."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import cmp_to_key
from typing import Any

from rulegen.kubectl.errors import KubectlError
from rulegen.kubectl.jsonpath import PathError, Template, go_type, relaxed
from rulegen.kubectl.plain import Object
from rulegen.load.api.answers import quoted

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d+))?", re.ASCII)
_SCALE = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}


def sort_objects(objects: Sequence[Object], path: str) -> list[Object]:
    """The objects sorted by the first value of a JSONPath; see :func:`order`."""
    return [objects[i] for i in order(objects, path)]


def order(objects: Sequence[Object], path: str) -> list[int]:
    """The positions of objects by the first value of a JSONPath; those without it come first.

    :class:`SortError`, in kubectl's words, where no object has the field, and :class:`KubectlError` where
    values cannot be compared. Texts that are quantities (``10m``, ``1Gi``) are compared as such.
    """
    field = _field(path)
    try:
        template = Template(field)
        values = [template.results(item) for item in objects]
    except PathError as fault:
        raise SortError(str(fault)) from None
    if objects and not any(found and found[0] for found in values):
        raise no_field(path)
    firsts = [found[0][0] if found and found[0] else _NONE for found in values]
    return _sorted(list(zip(firsts, range(len(objects)), strict=True)), field)


def no_field(path: str) -> SortError:
    """No object has the field that it was to be sorted by."""
    return SortError(f"couldn't find any field with path {quoted(_field(path))} in the list of objects")


def _field(path: str) -> str:
    try:
        return relaxed(path)
    except PathError as fault:
        raise SortError(str(fault)) from None


class SortError(KubectlError):
    """There is no such field to sort by."""


_NONE = object()


def _sorted(pairs: list[tuple[Any, int]], field: str) -> list[int]:
    """Sorted as Go sorts up to twelve elements; of more, those that are equal keep their order."""

    def compare(a: tuple[Any, int], b: tuple[Any, int]) -> int:
        return -1 if _before(a[0], b[0], field) else int(_before(b[0], a[0], field))

    if len(pairs) > 12:
        return [at for _, at in sorted(pairs, key=cmp_to_key(compare))]
    # What has no value passes what has none either: the order of these turns around.
    for i in range(1, len(pairs)):
        j = i
        while j > 0 and _before(pairs[j][0], pairs[j - 1][0], field):
            pairs[j], pairs[j - 1] = pairs[j - 1], pairs[j]
            j -= 1
    return [at for _, at in pairs]


def _before(a: Any, b: Any, field: str) -> bool:
    if a is _NONE:
        return True
    if b is _NONE:
        return False
    if a is None or b is None:
        return a is None and b is not None
    if isinstance(a, str) and isinstance(b, str):
        first, second = _quantity(a), _quantity(b)
        return a < b if first is None or second is None else first < second
    if isinstance(a, int | float) and type(a) is type(b) and not isinstance(a, bool):
        return bool(a < b)
    raise KubectlError(f"Field {field} is an unsortable type: {go_type(a)}")


def _quantity(text: str) -> Decimal | None:
    found = _QUANTITY.fullmatch(text)
    if found is None:
        return None
    number, unit, exponent = found.groups()
    return Decimal(number) * (_SCALE[unit] if unit else Decimal(10) ** int(exponent or 0))
