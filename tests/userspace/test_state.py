"""Comparing nodes in userspace mode: what changes, what is wrong, and what others have put there."""

from __future__ import annotations

import msgspec

from rulegen.backend import comparing
from rulegen.fake.iptables import Iptables
from rulegen.iptables.parse import parse
from rulegen.userspace import BACKEND, compile_rules
from rulegen.userspace.ruleset import Ruleset, restore_with_jumps
from rulegen.userspace.state import as_dump
from tests.objects import service
from tests.userspace.test_compile import planned


def ruleset(*services: object, **ports: int) -> Ruleset:
    return compile_rules(planned(*services, ports=ports))


def node(rules: Ruleset, *before: tuple[str, str]) -> Iptables:
    """A node on which kube-proxy has been, after others have: texts in ``before`` are replaced."""
    text = restore_with_jumps(rules)
    for old, new in before:
        assert old in text
        text = text.replace(old, new)
    kernel = Iptables()
    kernel.restore(text)
    return kernel


WEB = ruleset(service("web"), web=40000)


def test_the_mode_can_be_compared() -> None:
    assert comparing("userspace") is BACKEND
    assert not BACKEND.diff(BACKEND.state(WEB), BACKEND.state(WEB))


def test_a_change_is_told_by_service_and_made_line_by_line() -> None:
    more = ruleset(service("db", ip="10.96.0.11"), service("web"), web=40001, db=40002)
    change = BACKEND.diff(BACKEND.state(WEB), BACKEND.state(more))
    told = {each.service: each.lines for each in BACKEND.summary(BACKEND.state(WEB), BACKEND.state(more))}
    assert told == {
        "default/db": ("+ new: address 10.96.0.11:80/tcp -> the proxy's port 40002",),
        "default/web": ("~ sent to the proxy's port 40001, not to the proxy's port 40000",),
    }
    kernel = node(WEB)
    kernel.restore(change.text, noflush=True)
    assert not BACKEND.compare(parse(kernel.save(), "IPv4"), more)
    back = {each.service: each.lines for each in BACKEND.summary(BACKEND.state(more), BACKEND.state(WEB))}
    assert back["default/db"] == ("- gone: was address 10.96.0.11:80/tcp -> the proxy's port 40002",)


def test_an_endpoint_that_is_replaced_changes_no_rule() -> None:
    """The rules lead to the proxy only; it is the proxy that knows endpoints."""
    plan = planned(service("web"), ports={"web": 40000})
    other = msgspec.structs.replace(plan, ports=[msgspec.structs.replace(p, found=[]) for p in plan.ports])
    assert not BACKEND.diff(BACKEND.state(compile_rules(plan)), BACKEND.state(compile_rules(other)))


def test_the_order_of_services_means_nothing_and_the_ports_of_a_proxy_are_taken_from_its_rules() -> None:
    both = ruleset(service("db", ip="10.96.0.11"), service("web"), web=40000, db=40002)
    turned = msgspec.structs.replace(both, fragments=dict(reversed(list(both.fragments.items()))))
    assert not BACKEND.compare(as_dump(turned), both)
    assert BACKEND.facts([as_dump(both)]).proxy_ports == {"IPv4": {"default/web": 40000, "default/db": 40002}}


def test_what_is_wrong_is_told_with_what_it_does_to_traffic() -> None:
    kernel = node(WEB, ("--to-destination 192.168.10.1:40000", "--to-destination 192.168.10.9:40000"))
    kernel.restore("*nat\n-F KUBE-PORTALS-CONTAINER\nCOMMIT\n", noflush=True)
    found = BACKEND.compare(parse(kernel.save(), "IPv4"), WEB)
    assert [(each.service, each.what, each.effect) for each in found.findings] == [
        (
            "default/web",
            "missing",
            "connections from pods and outside to 10.96.0.10:80/tcp do not reach the proxy",
        ),
        (
            "default/web",
            "changed",
            "it sends traffic to 10.96.0.10:80/tcp to 192.168.10.9:40000, instead of one that sends traffic"
            " to 10.96.0.10:80/tcp to 192.168.10.1:40000",
        ),
    ]


def test_missing_jumps_are_put_where_kube_proxy_puts_them() -> None:
    """Those of cluster IPs to the top, those of node ports behind everything."""
    kernel = Iptables()
    kernel.restore(
        "*nat\n:DOCKER - [0:0]\n-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\nCOMMIT\n", noflush=True
    )
    change = BACKEND.diff(parse(kernel.save(), "IPv4"), BACKEND.state(WEB))
    kernel.restore(change.text, noflush=True)
    targets = [rule.split()[-1] for rule in parse(kernel.save(), "IPv4").rules("nat", "PREROUTING")]
    assert targets == ["KUBE-PORTALS-CONTAINER", "DOCKER", "KUBE-NODEPORT-CONTAINER"]
    assert not BACKEND.compare(parse(kernel.save(), "IPv4"), WEB)


def test_a_node_without_any_rules_is_one_finding() -> None:
    found = BACKEND.compare(parse("*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n", "IPv4"), WEB).findings
    assert [each.effect for each in found] == ["no Service is served on this node (1 service port)"]
