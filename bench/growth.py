"""How cost grows with size: a fitted exponent, and a plot of it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

COLOURS = ("#1b6ca8", "#c0392b", "#7f8c8d", "#27ae60", "#8e44ad")
WIDTH, HEIGHT, MARGIN = 760, 420, 60


def points(results: Sequence[dict[str, Any]], name: str) -> list[tuple[float, float]]:
    """(services, median seconds) of a measure at ten endpoints a service, by size."""
    found = [
        (float(result["services"]), statistics.median(result["seconds"]))
        for result in results
        if result["name"] == name and result["endpoints"] == 10
    ]
    return sorted(found)


def exponent(results: Sequence[dict[str, Any]], name: str) -> float | None:
    """k of a least-squares fit cost = c * services^k; None with fewer than three sizes."""
    logs = [(math.log(x), math.log(y)) for x, y in points(results, name)]
    if len(logs) < 3:
        return None
    return statistics.linear_regression([x for x, _ in logs], [y for _, y in logs]).slope


def plot(results: Sequence[dict[str, Any]]) -> str:
    """Cost against size, both axes logarithmic, as SVG: every measure that has three sizes or more."""
    names = [name for name in dict.fromkeys(r["name"] for r in results) if len(points(results, name)) >= 3]
    series = {name: points(results, name) for name in names}
    every = [point for found in series.values() for point in found]
    if not every:
        return '<svg xmlns="http://www.w3.org/2000/svg"/>\n'
    (x0, x1), (y0, y1) = (
        (math.log10(min(values)), math.log10(max(values))) for values in zip(*every, strict=True)
    )
    y0, y1 = math.floor(y0), math.ceil(y1)

    def at(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - x0) / (x1 - x0 or 1)
        up = (math.log10(y) - y0) / (y1 - y0 or 1)
        return MARGIN + across * (WIDTH - 2 * MARGIN), HEIGHT - MARGIN - up * (HEIGHT - 2 * MARGIN)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        ' font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for power in range(y0, y1 + 1):
        _, y = at(10**x0, 10**power)
        label = f"{10**power:g} s" if power >= 0 else f"{10 ** (power + 3):g} ms"
        parts.append(f'<path d="M{MARGIN} {y:.1f}H{WIDTH - MARGIN}" stroke="#ddd"/>')
        parts.append(f'<text x="{MARGIN - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    for size in sorted({x for x, _ in every}):
        x, _ = at(size, 10**y0)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - MARGIN + 18}" text-anchor="middle">{size:,.0f}</text>')
    parts.append(
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 16}" text-anchor="middle">services, 10 endpoints each</text>'
    )
    for index, (name, found) in enumerate(series.items()):
        colour = COLOURS[index % len(COLOURS)]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in (at(*point) for point in found))
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{MARGIN + 10}" y="{MARGIN - 34 + 15 * index}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
