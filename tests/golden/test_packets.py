"""Expected outcomes of packets, as a user's repository has them beside a golden file."""

from __future__ import annotations

from pathlib import Path

import pytest

from rulegen.pytest_plugin import Golden
from tests.golden.test_golden import project, run

OUTSIDE = """\
# The two pods, as clients from outside see them.
- from: external   # nobody in particular
  to: 192.168.10.1:30651
"""
RIGHT = """\
  expect:
    - DNAT 10.10.0.232:80 masqueraded 50%
    - DNAT 10.10.1.86:80 masqueraded 50%
"""


def packets(pytester: pytest.Pytester, text: str) -> Path:
    file: Path = pytester.path / "golden" / "packets.yaml"
    file.write_text(text)
    return file


@pytest.fixture
def rules(pytester: pytest.Pytester) -> None:
    """A project whose golden file is as it should be."""
    project(pytester)
    node = {"name": "n1", "ips": ["192.168.10.1"]}
    Golden(pytester.path, update=True)("deploy", "golden/rules.save", node=node)


pytestmark = pytest.mark.usefixtures("rules")


def test_packets_that_do_what_is_expected_pass(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    packets(pytester, OUTSIDE + RIGHT)
    assert run(pytester, monkeypatch).ret == 0


def test_a_packet_that_goes_elsewhere_fails_with_its_path(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    packets(pytester, OUTSIDE + RIGHT.replace("10.10.1.86", "10.10.1.87"))
    failed = run(pytester, monkeypatch)
    assert failed.ret == 1
    failed.stdout.fnmatch_lines(
        [
            "*golden/packets.yaml:2: packet 1: expected DNAT 10.10.1.87:80 *: no outcome is like that*",
            "*tcp 203.0.113.113 -> 192.168.10.1:30651, in by eth0*",
            "*nat PREROUTING  #1 -> KUBE-SERVICES #2 -> KUBE-NODEPORTS #1*",
            "*50.0%  DNAT to 10.10.1.86:80 (pod ngx-dep-2), forwarded to node n2, source becomes *",
            "*pytest --update-golden writes what is traced as what is expected*",
        ]
    )
    assert "Traceback" not in failed.stdout.str()


def test_a_changed_manifest_shows_the_rules_and_the_packets_that_changed(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    packets(pytester, OUTSIDE + RIGHT)
    pods = pytester.path / "deploy" / "pods.yaml"
    pods.write_text(pods.read_text().replace("10.10.1.86", "10.10.1.90"))
    run(pytester, monkeypatch).stdout.fnmatch_lines(
        [
            "*golden/rules.save: the rules of IPv4 have changed:*",
            "*+ endpoint 10.10.1.90:80*",
            "*packet 1: expected DNAT 10.10.1.86:80 masqueraded 50%: no outcome is like that*",
        ]
    )


def test_an_update_writes_what_is_traced_and_keeps_all_else(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = packets(
        pytester,
        OUTSIDE
        + "  expect: DROP  # really?\n"
        + """
- {from: external, to: "svc/ngx-svc:81", expect: REJECT}   # braces stay braces
- name: kept as it is
  expect: only DNAT
  from: 10.10.0.9
  to: svc/ngx-svc
# Filled in:
- from: external
  to: 192.168.10.1:30651
  protocol: udp
- {from: 10.10.0.9, to: svc/ngx-svc}
- from: pod/ngx-dep-1
  expect:
  - DNAT 1.2.3.4:5   # where?
  - DROP
  to: svc/ngx-svc
""",
    )
    assert run(pytester, monkeypatch, "--update-golden").ret == 0
    assert file.read_text() == (
        OUTSIDE
        + """\
  expect:
    - DNAT 10.10.0.232:80 masqueraded 50%
    - DNAT 10.10.1.86:80 masqueraded 50%  # really?

- {from: external, to: "svc/ngx-svc:81", expect: "FORWARD source kept"}   # braces stay braces
- name: kept as it is
  expect: only DNAT
  from: 10.10.0.9
  to: svc/ngx-svc
# Filled in:
- from: external
  to: 192.168.10.1:30651
  protocol: udp
  expect: LOCAL
- {from: 10.10.0.9, to: svc/ngx-svc, expect: ["DNAT 10.10.0.232:80 source kept 50%", \
"DNAT 10.10.1.86:80 source kept 50%"]}
- from: pod/ngx-dep-1
  expect:
    - DNAT 10.10.0.232:80 masqueraded 50%
    - DNAT 10.10.1.86:80 source kept 50%
  to: svc/ngx-svc
"""
    )
    assert run(pytester, monkeypatch).ret == 0


def test_an_update_says_what_it_cannot_write(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file for two golden files that want different things of one packet."""
    file = packets(pytester, "- {from: external, to: 'svc/ngx-svc:81', expect: DROP}\n")
    (test,) = pytester.path.glob("test_*.py")
    lines = test.read_text().rstrip().splitlines()
    again = lines[1].replace("rules.save", "rules.nft").replace("node=", 'mode="nftables", node=')
    test.write_text("\n".join([*lines, again]) + "\n")
    failed = run(pytester, monkeypatch, "--update-golden")
    assert failed.ret == 1
    failed.stdout.fnmatch_lines(
        [
            "*golden/packets.yaml:1: packet 1: not updated: it is as expected under the rules of iptables"
            " IPv4, and here it is REJECT: write a packet for each, told apart by mode or family*"
        ]
    )
    file.write_text(
        "- {from: external, to: 'svc/ngx-svc:81', mode: iptables, expect: FORWARD}\n"
        "- {from: external, to: 'svc/ngx-svc:81', mode: nftables, expect: REJECT}\n"
        "- {from: fd00::1, to: '[fd00::2]:80', family: IPv6, expect: nothing that is asked here}\n"
    )
    assert run(pytester, monkeypatch).ret == 0


WRONG = """\
- from: external
  too: 192.168.10.1:30651
- from: [external]
  to: 192.168.10.1:30651
  mode: iptable
  family: 4
- just text
- from: external
  from: node
  to:
  state: OLD
"""


def test_all_that_is_wrong_in_the_file_is_told_with_its_line(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    packets(pytester, WRONG)
    told = run(pytester, monkeypatch).stdout.str()
    for line in (
        'golden/packets.yaml:2: packet 1: unknown field "too"; a packet has name, from, to, protocol,'
        " family, interface, state, mode, expect",
        "golden/packets.yaml:1: packet 1: to: Required value",
        "golden/packets.yaml:3: packet 2: from: Invalid value: must be a text",
        'golden/packets.yaml:5: packet 2: mode: Invalid value: "iptable": must be iptables, ipvs,',
        'golden/packets.yaml:6: packet 2: family: Invalid value: "4": must be IPv4 or IPv6',
        "golden/packets.yaml:7: packet 3: must have the fields from, to and expect",
        'golden/packets.yaml:9: packet 4: "from" is given twice',
        "golden/packets.yaml:10: packet 4: to: Required value",
        'golden/packets.yaml:11: packet 4: state: Invalid value: "OLD": must be NEW, ESTABLISHED, RELATED,',
    ):
        assert line in told
    assert "Traceback" not in told


def test_packets_that_cannot_be_asked_are_told_like_that_too(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    packets(
        pytester,
        """\
- from: pod/nobody
  to: svc/ngx-svc
  expect: DNAT
- from: external
  to: 192.168.10.1
  expect:
    - DNAT
    - DENY
- from: fd00::1
  to: "[fd00::2]:80"
  expect: DROP
- from: external
  to: 192.168.10.1:80
  protocol: quic
""",
    )
    told = run(pytester, monkeypatch).stdout.str()
    for line in (
        'golden/packets.yaml:1: packet 1: from: Invalid value: "pod/nobody": pods "nobody" not found',
        "golden/packets.yaml:6: packet 2: expect: Invalid value: 'DENY': begins with a verdict",
        'golden/packets.yaml:5: packet 2: to: Invalid value: "192.168.10.1": needs a port',
        "golden/packets.yaml:9: packet 3: family: fd00::1 and [fd00::2]:80 have no IPv4 addresses in common"
        " (these are the rules of IPv4: the field family says for which ones a packet is)",
        "golden/packets.yaml:14: packet 4: protocol: 'quic' is no protocol; known: icmp",
    ):
        assert line in told


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "golden/packets.yaml: must be a list of packets, each with from, to and expect"),
        ("packets: none\n", "golden/packets.yaml:1: must be a list of packets"),
        ("- from: 'open\n  to: x\n", "golden/packets.yaml:3: no YAML: found unexpected end of stream"),
    ],
)
def test_a_file_of_something_else_is_refused(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, text: str, fault: str
) -> None:
    packets(pytester, text)
    assert fault in run(pytester, monkeypatch).stdout.str()


def test_packets_may_be_in_a_file_of_another_name(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    (test,) = pytester.path.glob("test_*.py")
    test.write_text(test.read_text().replace("node=", 'packets="golden/more.yaml", node='))
    run(pytester, monkeypatch).stdout.fnmatch_lines(["*golden/more.yaml: No such file or directory*"])
    packets(pytester, OUTSIDE + RIGHT).rename(pytester.path / "golden" / "more.yaml")
    assert run(pytester, monkeypatch).ret == 0


def test_a_golden_file_may_have_packets_of_its_own(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    packets(pytester, OUTSIDE + RIGHT).rename(pytester.path / "golden" / "rules.packets.yaml")
    packets(pytester, "- {from: pod/of-another-application, to: svc/another, expect: DNAT}\n")
    assert run(pytester, monkeypatch).ret == 0
