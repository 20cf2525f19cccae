"""Virtual servers: who gets what, and what the rules around them see."""

from __future__ import annotations

from fractions import Fraction

import pytest

from rulegen.trace import ipvs
from tests.trace.nodes import NODE, OUTSIDE, POD, SERVICE, ask, effects, filtering, nat, node, one

BOUND = {"kube-ipvs0": [f"{SERVICE}/32"]}
TWO = f"""\
-A -t {SERVICE}:80 -s rr
-a -t {SERVICE}:80 -r 10.10.0.5:8080 -m -w 1
-a -t {SERVICE}:80 -r 10.10.1.5:8080 -m -w 1
-a -t {SERVICE}:80 -r 10.10.1.6:8080 -m -w 0
"""


def test_real_servers_take_turns_and_one_without_weight_gets_nothing() -> None:
    outcomes = ask(node(servers=TWO, interfaces=BOUND), f"{SERVICE}:80", OUTSIDE)
    assert [(o.endpoint, o.chance, o.device) for o in outcomes] == [
        ("10.10.0.5:8080", Fraction(1, 2), "cni0"),
        ("10.10.1.5:8080", Fraction(1, 2), "eth0"),
    ]


def test_the_virtual_server_is_asked_behind_input_s_filter() -> None:
    rules = filtering(f"-A INPUT -d {SERVICE} -p tcp --dport 80 -j DROP")
    assert one(ask(node(rules, servers=TWO, interfaces=BOUND), f"{SERVICE}:80", OUTSIDE)).kind == "dropped"


def test_without_its_address_on_the_node_a_virtual_server_is_never_asked() -> None:
    outcome = one(ask(node(servers=TWO), f"{SERVICE}:80", OUTSIDE))
    assert (outcome.kind, outcome.endpoint) == ("forwarded", "")


def test_nobody_to_pick_is_a_refusal() -> None:
    servers = f"-A -t {SERVICE}:80 -s rr\n"
    outcome = one(ask(node(servers=servers, interfaces=BOUND), f"{SERVICE}:80"))
    assert (outcome.kind, outcome.answer) == ("rejected", "ICMP port unreachable")


def test_what_ipvs_sends_on_passes_output_and_postrouting() -> None:
    rules = nat(
        ":POSTROUTING ACCEPT [0:0]", "-A POSTROUTING -d 10.10.0.5 -s 10.10.0.5 -j MASQUERADE"
    ) + filtering(f"-A OUTPUT -m ipvs --vaddr {SERVICE} --vproto tcp --vport 80 -d 10.10.1.5 -j DROP")
    to_itself, elsewhere = ask(node(rules, servers=TWO, interfaces=BOUND), f"{SERVICE}:80", POD)
    assert to_itself.after.from_text == "10.10.0.1"
    assert effects(elsewhere) == [f"ipvs {SERVICE}:80 #0: rr picks 10.10.1.5:8080", "filter OUTPUT #1: DROP"]


def test_the_node_s_own_connection_has_the_service_s_address() -> None:
    where = node(servers=TWO, interfaces=BOUND)
    outcomes = ask(where, f"{SERVICE}:80", SERVICE, device="")
    assert {outcome.after.from_text for outcome in outcomes} == {SERVICE}
    assert len(ask(where, f"{NODE}:80", NODE)) == 1


@pytest.mark.parametrize(
    ("scheduler", "shares"),
    [
        ("rr", [Fraction(1, 2), Fraction(1, 2)]),
        ("wrr", [Fraction(1, 4), Fraction(3, 4)]),
        ("wlc", [Fraction(1, 4), Fraction(3, 4)]),
        ("sh", [Fraction(1, 4), Fraction(3, 4)]),
        ("fo", [Fraction(1)]),
    ],
)
def test_schedulers_share_by_turns_or_by_weight(scheduler: str, shares: list[Fraction]) -> None:
    text = (
        f"-A -u {SERVICE}:53 -s {scheduler} -p 300\n"
        f"-a -u {SERVICE}:53 -r 10.10.0.5:53 -m -w 1\n-a -u {SERVICE}:53 -r 10.10.0.6:53 -m -w 3\n"
    )
    (virtual,) = ipvs.read(text)
    assert virtual.timeout == 300
    assert [share for share, _ in ipvs.shares(virtual)] == shares


def test_of_servers_with_the_same_weight_nobody_knows_which_one_fo_takes() -> None:
    servers = TWO.replace("-s rr", "-s fo")
    outcomes = ask(node(servers=servers, interfaces=BOUND), f"{SERVICE}:80", OUTSIDE)
    assert [(o.endpoint, o.chance) for o in outcomes] == [
        ("10.10.0.5:8080", Fraction(1, 2)),
        ("10.10.1.5:8080", Fraction(1, 2)),
    ]
    assert effects(outcomes[0]) == [f"ipvs {SERVICE}:80 #0: fo picks 10.10.0.5:8080 (always the same)"]


def test_both_listings_of_ipvsadm_say_the_same() -> None:
    listed = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.96.0.10:80 rr
  -> 10.10.0.5:8080               Masq    1      0          0
  -> 10.10.1.5:8080               Masq    1      2          0
  -> 10.10.1.6:8080               Masq    0      0          0
TCP  [fd00::1]:443 wlc persistent 10800
  -> [fd00::5]:6443               Masq    1      0          0
"""
    six = "-A -t [fd00::1]:443 -s wlc -p 10800\n-a -t [fd00::1]:443 -r [fd00::5]:6443 -m -w 1\n"
    assert ipvs.read(listed) == ipvs.read(TWO + six)


def test_text_that_ipvsadm_does_not_print_is_refused() -> None:
    with pytest.raises(ipvs.IpvsError, match="line 1"):
        ipvs.read("-X everything\n")
