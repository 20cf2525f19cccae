"""Fixtures that all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kernel import netns as namespaces


@pytest.fixture
def netns() -> Iterator[namespaces.Namespace]:
    """A network namespace of the test's own; skipped where it cannot be made (in CI: failed)."""
    namespaces.need()
    namespace = namespaces.create()
    try:
        yield namespace
    finally:
        namespaces.remove(namespace)
