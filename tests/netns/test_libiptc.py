"""Legacy tables read by libiptc say what iptables-save says, to the byte."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rulegen.netns import libiptc
from rulegen.netns.apply import ApplyError
from tests.netns.lab import Lab, Noting, first, second
from tests.netns.others import latecomers, neighbours

pytest.importorskip("iptc", reason="not installed: rulegen[legacy]")
pytestmark = pytest.mark.kernel

PROGRAM = (sys.executable, "-P", str(Path(libiptc.__file__)))


def listed(lab: Lab, family: str) -> str:
    return lab.namespace.run(*PROGRAM, family)


def test_it_says_what_iptables_save_says(lab: Lab) -> None:
    for family in ("IPv4", "IPv6"):
        assert listed(lab, family) == ""
    neighbours(lab.namespace)
    lab.apply(first(), "iptables", "legacy")
    latecomers(lab.namespace)
    lab.apply(second(), "iptables", "legacy")
    for family, tool in (("IPv4", "iptables"), ("IPv6", "ip6tables")):
        saved = lab.dumps()[f"{tool}-legacy-save"]
        assert tables(listed(lab, family)) == tables(saved)
        assert saved.count("\n-A ") > 40


def tables(text: str) -> dict[str, list[str]]:
    """Table -> its lines; counters aside, and chains in the order of their names, as the kernel has none."""
    found = {}
    for table in text.split("*")[1:]:
        name, *lines = [line.partition(" [")[0] if line[0] == ":" else line for line in table.splitlines()]
        chains = sorted(line for line in lines if line[0] == ":")
        found[name] = chains + sorted(lines[len(chains) :], key=lambda line: line.split()[1:2])
    return found


def test_an_apply_is_read_back_with_it(lab: Lab) -> None:
    space = lab.noting()
    lab.apply(first(), "iptables", "legacy", space)
    assert [command[-1] for command in space.commands if command[0] == sys.executable] == ["IPv4", "IPv6"]

    class Lying(Noting):
        def run(self, *command: str, stdin: str | None = None) -> str:
            said = super().run(*command, stdin=stdin)
            return said.replace("10.10.8.8:80", "10.10.8.9:80") if command[0] == sys.executable else said

    before = lab.dumps()
    with pytest.raises(ApplyError, match="not as it should be"):
        lab.apply(second(), "iptables", "legacy", Lying(lab.namespace.name))
    assert lab.dumps() == before
