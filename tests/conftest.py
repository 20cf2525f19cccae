"""Fixtures that all tests share."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.cli.running import Rulegen
from tests.kernel import netns as namespaces
from tests.uml import harness

# A machine that is busy with other things is no fault of what is tested.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# Installed, the plugin is found by pytest itself; in a bare source tree it has to be named.
INSTALLED = any(point.value == "rulegen.pytest_plugin" for point in entry_points(group="pytest11"))
pytest_plugins = ["pytester", "tests.trace.session", *([] if INSTALLED else ["rulegen.pytest_plugin"])]


@pytest.fixture
def netns() -> Iterator[namespaces.Namespace]:
    """A network namespace of the test's own; skipped where it cannot be made (in CI: failed)."""
    namespaces.need()
    namespace = namespaces.create()
    try:
        yield namespace
    finally:
        namespaces.remove(namespace)


@pytest.fixture
def rulegen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Rulegen:
    """The command line, run from a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    return Rulegen(monkeypatch, capsys)


@pytest.fixture(scope="session")
def uml(tmp_path_factory: pytest.TempPathFactory) -> Iterator[harness.Machine]:
    """A kernel with IPVS, booted once; skipped where none is installed (in CI: failed)."""
    harness.need()
    machine = harness.Machine(tmp_path_factory.mktemp("uml"))
    try:
        yield machine
    finally:
        machine.power_off()
