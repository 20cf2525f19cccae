"""Namespaces with everything that apply needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kernel import netns as namespaces
from tests.netns.lab import IPVS, SAVES, Lab


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Callable[[], Lab]]:
    """Makes namespaces of the test's own, whose journals are kept in a folder of the test's own."""
    namespaces.need("nft", "nfacct", *SAVES)
    made = []

    def make() -> Lab:
        made.append(namespaces.create())
        if IPVS:
            made[-1].run("ip", "link", "set", "lo", "up")
        return Lab(made[-1], tmp_path / "journals")

    yield make
    for namespace in made:
        namespaces.remove(namespace)


@pytest.fixture
def lab(fresh: Callable[[], Lab]) -> Lab:
    return fresh()
