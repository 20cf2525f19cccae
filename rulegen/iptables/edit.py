"""The fewest commands that turn one list of rules into another."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence

import msgspec


class Slot(msgspec.Struct, frozen=True):
    """A rule of the wanted list: its text, its normal form, and its present place; None if it is new."""

    text: str
    key: str
    place: int | None = None


def kept(before: Sequence[Hashable], after: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Pairs of places (from 0) of what stays, in order in both lists: as many as possible.

    Equal items are paired in their order; with few repetitions, as in rules, that loses nothing. Takes
    O(n log n) where a general longest common subsequence takes O(n * n).
    """
    places: dict[Hashable, list[int]] = {}
    for index in range(len(before) - 1, -1, -1):
        places.setdefault(before[index], []).append(index)
    pairs = []
    for index, item in enumerate(after):
        found = places.get(item)
        if found:
            pairs.append((found.pop(), index))
    # The longest increasing subsequence of places.
    tails: list[int] = []
    ends: list[int] = []
    previous = [-1] * len(pairs)
    for number, (place, _) in enumerate(pairs):
        at = bisect_left(tails, place)
        previous[number] = ends[at - 1] if at else -1
        if at == len(tails):
            tails.append(place)
            ends.append(number)
        else:
            tails[at], ends[at] = place, number
    chosen = []
    number = ends[-1] if ends else -1
    while number >= 0:
        chosen.append(pairs[number])
        number = previous[number]
    chosen.reverse()
    return chosen


def commands(
    chain: str,
    before: Sequence[str],
    keys: Sequence[str],
    wanted: Sequence[Slot],
    *,
    replace: bool = False,
    append: bool = True,
) -> list[str]:
    """``-R``, ``-D``, ``-I`` and ``-A`` lines that make ``wanted`` of ``before``.

    ``keys`` are the normal forms of ``before``; the places in ``wanted`` increase. A deletion names the rule,
    so that it fails rather than hits another one if the chain has changed since it was read; only where an
    equal rule comes earlier it gives the number. ``replace`` allows ``-R``, which has only the number;
    without ``append`` even the last rule of a chain is inserted by its number.
    """
    replaced = replacements(len(before), wanted) if replace else {}
    lines = [f"-R {chain} {place + 1} {wanted[index].text}" for place, index in sorted(replaced.items())]
    present = list(keys)
    for place, index in replaced.items():
        present[place] = wanted[index].key
    first: dict[str, int] = {}
    for place, key in enumerate(present):
        first.setdefault(key, place)
    staying = {slot.place for slot in wanted}
    for place in reversed(range(len(before))):
        if place in staying or place in replaced:
            continue
        named = before[place] and first[present[place]] == place
        lines.append(f"-D {chain} {before[place] if named else place + 1}")
    filled = set(replaced.values())
    old = [index for index, slot in enumerate(wanted) if slot.place is not None or index in filled]
    last_old = old[-1] if old else -1
    for index, slot in enumerate(wanted):
        if slot.place is not None or index in filled:
            continue
        text = f" {slot.text}" if slot.text else ""
        if append and index > last_old:
            lines.append(f"-A {chain}{text}")
        elif index == 0:
            lines.append(f"-I {chain}{text}")
        else:
            lines.append(f"-I {chain} {index + 1}{text}")
    return lines


def replacements(length: int, wanted: Sequence[Slot]) -> dict[int, int]:
    """Present place -> wanted index: between two rules that stay, old ones give their places to new ones."""
    pairs: dict[int, int] = {}
    place = 0
    waiting: list[int] = []
    for index, slot in [*enumerate(wanted), (len(wanted), Slot("", "", length))]:
        if slot.place is None:
            waiting.append(index)
            continue
        pairs.update(zip(range(place, slot.place), waiting, strict=False))
        place = slot.place + 1
        waiting = []
    return pairs
