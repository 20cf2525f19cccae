"""Sets and maps of nftables: whether answers are in them, and what they map these to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from rulegen.trace.nft_statements import UnknownError
from rulegen.trace.nft_values import BITMASKS, Answer, Span, Spread, holds, span
from rulegen.trace.walk import Doubt

Found: TypeAlias = "tuple[bool | Doubt, Any]"
"""Whether there is an element, and its data (None in a set)."""

NOTHING: Found = (False, None)


class Lookup:
    """Elements by key, the keys being of the types of the selectors beside them."""

    def __init__(self, types: Sequence[str], elements: Iterable[tuple[Any, Any]]) -> None:
        self.types = tuple(types)
        self._exact: dict[tuple[int | str, ...], Any] = {}
        self._ranges: list[tuple[tuple[Span, ...], Any]] = []
        self._rest: Found = NOTHING
        for key, data in elements:
            self._add(key, data)

    def _add(self, key: Any, data: Any) -> None:
        if key == "*":
            self._rest = (True, data)
            return
        parts = key["concat"] if isinstance(key, dict) and "concat" in key else [key]
        if len(parts) != len(self.types):
            raise UnknownError(f"a key of {len(parts)} parts for {' . '.join(self.types)}")
        spans = tuple([span(part, kind) for part, kind in zip(parts, self.types, strict=True)])
        exact = tuple([each if isinstance(each, str) else each[0] for each in spans])
        if all((isinstance(each, str) and not each.endswith("*")) or each[0] == each[1] for each in spans):
            self._exact[exact] = data
        else:
            self._ranges.append((spans, data))

    def find(self, answers: Sequence[Answer]) -> Found:
        """The element for these answers, one for each type."""
        if None in answers:
            return NOTHING
        doubt = next((answer for answer in answers if isinstance(answer, Doubt)), None)
        if doubt is None:
            try:
                return (True, self._exact[tuple(answers)])  # type: ignore[arg-type]
            except KeyError:
                pass
            if not self._ranges and not (len(self.types) == 1 and self.types[0] in BITMASKS):
                return self._rest
        unsure: list[Found] = []
        for spans, data in [*self._ranges, *(self._spans() if doubt is not None else ())]:
            results = [
                holds(answer, each, kind)
                for answer, each, kind in zip(answers, spans, self.types, strict=True)
            ]
            if False in results:
                continue
            told = next((result for result in results if isinstance(result, Doubt)), None)
            if told is None:
                return (True, data)
            unsure.append((told, data))
        if unsure:
            return unsure[0]
        return self._rest

    def _spans(self) -> Iterable[tuple[tuple[Span, ...], Any]]:
        for key, data in self._exact.items():
            yield tuple(part if isinstance(part, str) else (part, part) for part in key), data

    def alternatives(self, spread: Spread) -> list[tuple[int, Any]]:
        """How many of a spread's numbers lead to each data, in their order; None: to no element."""
        counts: list[tuple[int, Any]] = []
        for value in range(spread.offset, spread.offset + spread.mod):
            there, data = self.find([value])
            data = data if there else None
            if counts and counts[-1][1] == data:
                counts[-1] = (counts[-1][0] + 1, data)
            else:
                counts.append((1, data))
        return counts
