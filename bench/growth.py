"""How cost grows with size: a fitted exponent, and a plot of it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

PLOTTED = (
    "rulegen: objects to text",
    "kube-proxy: feed + first sync",
    "kube-proxy: later full sync",
    "kube-proxy: one change",
    "rulegen: one endpoint changed",
)
COLOURS = ("#1b6ca8", "#c0392b", "#7f8c8d", "#27ae60", "#8e44ad")
MARGIN, PANEL, GAP, TALL, LINE = 60, 270, 30, 300, 16
"""Pixels: around all, a panel with the gap behind it, how tall it is, a line of the legend."""


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
    if len({x for x, _ in logs}) < 3:
        return None
    return statistics.linear_regression([x for x, _ in logs], [y for _, y in logs]).slope


def plot(results: Sequence[dict[str, Any]]) -> str:
    """Cost against size, both axes logarithmic, as SVG: a panel for each mode on the same scale.

    Shown are the measures of ``PLOTTED`` that have three sizes or more, nothing at all where none has; one
    colour means the same in all panels.
    """
    named = [name for name in dict.fromkeys(r["name"] for r in results) if _label(name) in PLOTTED]
    names = [name for name in named if len(points(results, name)) >= 3]
    series = {name: points(results, name) for name in names}
    every = [point for found in series.values() for point in found]
    if not every:
        return ""
    (x0, x1), (y0, y1) = (
        (math.log10(min(values)), math.log10(max(values))) for values in zip(*every, strict=True)
    )
    y0, y1 = math.floor(y0), math.ceil(y1)
    modes = list(dict.fromkeys(_mode(name) for name in names))
    labels = [label for label in PLOTTED if any(_label(name) == label for name in names)]
    width = MARGIN + len(modes) * PANEL
    height = 2 * MARGIN + TALL + LINE * len(labels)

    def at(panel: int, x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - x0) / (x1 - x0 or 1)
        up = (math.log10(y) - y0) / (y1 - y0 or 1)
        return MARGIN + panel * PANEL + across * (PANEL - GAP), MARGIN + TALL * (1 - up)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
        ' font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for panel, mode in enumerate(modes):
        left, _ = at(panel, 10**x0, 1)
        parts.append(f'<text x="{left:.1f}" y="{MARGIN - 14}" font-weight="bold">{mode}</text>')
        for power in range(y0, y1 + 1):
            _, y = at(panel, 10**x0, 10**power)
            parts.append(f'<path d="M{left:.1f} {y:.1f}h{PANEL - GAP}" stroke="#ddd"/>')
            if panel == 0:
                label = f"{10**power:g} s" if power >= 0 else f"{10 ** (power + 3):g} ms"
                parts.append(f'<text x="{left - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
        for size in sorted({x for x, _ in every}):
            x, y = at(panel, size, 10**y0)
            text = f"{size / 1000:g}k"
            parts.append(f'<text x="{x:.1f}" y="{y + 18:.1f}" text-anchor="middle">{text}</text>')
    for name, found in series.items():
        panel, colour = modes.index(_mode(name)), COLOURS[labels.index(_label(name)) % len(COLOURS)]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in (at(panel, *point) for point in found))
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
    top = MARGIN + TALL + 40
    parts.append(f'<text x="{width - GAP}" y="{top}" text-anchor="end">services, 10 endpoints each</text>')
    for index, label in enumerate(labels):
        y, colour = top + LINE * index, COLOURS[index % len(COLOURS)]
        parts.append(f'<path d="M{MARGIN} {y - 4}h24" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{MARGIN + 32}" y="{y}">{label}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _mode(name: str) -> str:
    """The mode of a measure that is called ``MODE: what`` or ``kube-proxy MODE: what``."""
    return name.partition(":")[0].removeprefix("kube-proxy ")


def _label(name: str) -> str:
    """What is measured, and of whom, whatever the mode."""
    who = "kube-proxy" if name.startswith("kube-proxy ") else "rulegen"
    return f"{who}: {name.partition(': ')[2]}"
