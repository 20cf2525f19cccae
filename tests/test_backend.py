"""A mode is its room: what a new backend has to bring, and what it gets for that."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

import rulegen as api
from rulegen import versions
from rulegen.backend import modes
from tests.cli.running import FIXTURES, Rulegen

NGX = str(FIXTURES / "ngx")

# Each service port is one line: a mode as small as one can be.
BACKEND = """
from rulegen.backend import Branch, Form, ShownRule


class Toy:
    mode = "toy"
    forms = (Form(name="lines", help="a line for each service port", write="\\n".join),)

    def compile_rules(self, plan):
        return [f"{each.port.name} -> {len(each.choice.reachable)}" for each in plan.ports]

    def recorded(self, ruleset):
        return {"lines": ruleset}

    def data(self, ruleset):
        return {"lines": ruleset}

    def show(self, ruleset, ports):
        return [ShownRule(table="toy", chain="lines", number=1, rule=ruleset[0], note="all of it")]

    def tree(self, ruleset, ports):
        return [Branch(label=ruleset[0])]

    def chain_names(self, ruleset, port):
        return {}


BACKEND = Toy()
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A room of another mode beside the rooms of rulegen."""
    room = tmp_path / "toy"
    room.mkdir()
    (room / "backend.py").write_text(BACKEND)
    (room / "__init__.py").write_text("from rulegen.toy.backend import BACKEND\n")
    monkeypatch.setattr(api, "__path__", [*api.__path__, str(tmp_path)])
    # Registered, so that they are gone again afterwards.
    for name in ("rulegen.toy", "rulegen.toy.backend"):
        monkeypatch.setitem(sys.modules, name, None)
        del sys.modules[name]
    known = versions.VERSIONS["1.37"]
    with_toy = msgspec.structs.replace(known, modes=(*known.modes, "toy"))
    monkeypatch.setitem(versions.VERSIONS, "1.37", with_toy)


def test_a_room_is_found_by_its_door() -> None:
    assert modes() == ["iptables", "ipvs", "nftables", "userspace"]


@pytest.mark.usefixtures("toy")
def test_a_new_room_is_all_that_a_new_mode_needs(rulegen: Rulegen) -> None:
    assert "toy" in modes()
    assert rulegen("render", "-f", NGX, "--mode", "toy").out == "default/ngx-svc -> 2\n"
    assert '"lines"' in rulegen("render", "-f", NGX, "--mode", "toy", "-o", "json").out
    assert "all of it" in rulegen("show", "ngx-svc", "-f", NGX, "--mode", "toy").out
    assert "2 of 2 are ready" in rulegen("explain", "endpoints", "ngx-svc", "-f", NGX, "--mode", "toy").out
    assert "  lines  a line for each service port" in rulegen("render", "--help").out
    assert "must be one of iptables, ipvs, nftables, toy" in rulegen("render", "-f", NGX, "--mode", "tot").err
    assert api.text(api.compile(api.load(NGX), {"name": "n1"}, mode="toy")["IPv4"], mode="toy")


def test_a_mode_that_is_asked_for_wins_over_that_of_a_configuration() -> None:
    cluster = api.load(NGX)
    node = {"name": "n1", "ips": ["192.168.10.1"]}
    asked = api.compile(cluster, node, api.ProxyConfig(mode="iptables"), mode="nftables")
    assert asked == api.compile(cluster, node, api.ProxyConfig(mode="nftables"))
    with pytest.raises(ValueError, match="it is gone since"):
        api.compile(cluster, node, api.ProxyConfig(), mode="userspace")
