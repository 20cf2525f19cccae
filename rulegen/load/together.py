"""What only shows when all objects are seen together: addresses and ports that two Services want."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rulegen.load.problems import Problem
from rulegen.model import Origin, Service

Origins = Mapping[tuple[str, str, str], Origin]


def check_together(services: Iterable[Service], origins: Origins, warnings: list[Problem]) -> list[Problem]:
    return []
