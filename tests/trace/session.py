"""One line at the end of a run: how many real connections met what was traced for them.

Where all of these tests ran, as in CI, too few fail the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

CONNECTIONS, COUNTERS = "connections as traced", "counters as traced"
"""Properties that tests record: of which rules (``ipvs legacy``), and how many."""

AT_LEAST = 500
MODES = frozenset({"iptables legacy", "iptables nft", "nftables", "ipvs legacy"})


def counted(config: pytest.Config, name: str) -> Mapping[str, int]:
    """By the rules that they were tried under, what the tests of this run have counted."""
    found: dict[str, int] = {}
    for key, value in _properties(config):
        if key == name:
            where, _, number = value.rpartition(" ")
            found[where] = found.get(where, 0) + int(number)
    return found


def _properties(config: pytest.Config) -> Iterator[tuple[str, str]]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    for report in reporter.stats.get("passed", ()) if reporter is not None else ():
        for key, value in getattr(report, "user_properties", ()):
            yield str(key), str(value)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    tried = counted(config, CONNECTIONS)
    if not tried:
        return
    parts = ", ".join(f"{where} {number}" for where, number in sorted(tried.items()))
    rules = sum(counted(config, COUNTERS).values())
    line = f"{sum(tried.values())} real connections met what was traced ({parts})"
    if rules:
        line += f"; {rules} counters of rules agreed with the path"
    if too_few(config):
        line += f"; {AT_LEAST} are wanted"
    terminalreporter.write_sep("=", line)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if too_few(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def too_few(config: pytest.Config) -> bool:
    tried = counted(config, CONNECTIONS)
    return set(tried) >= MODES and sum(tried.values()) < AT_LEAST
