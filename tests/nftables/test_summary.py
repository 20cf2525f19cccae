"""What a change means for each service port, in plain words."""

from __future__ import annotations

import msgspec

from rulegen.findings import ServiceChange
from rulegen.model import ServicePort
from rulegen.nftables.summary import summary
from rulegen.nftables.table import Table, equal, table
from tests.nftables.rulesets import rulesets
from tests.nftables.tables import compiled, with_chain, with_container
from tests.objects import cluster, endpoint, service, slice_of

HTTP = [ServicePort(port=80, node_port=30080, name="http")]


def web(*endpoints: str, **spec: object) -> Table:
    owner = service("web", type="NodePort", ports=HTTP, **spec)  # type: ignore[arg-type]
    other = service("other", ip="10.96.0.99")
    ends = [endpoint(ip) for ip in endpoints]
    return table(compiled(cluster(owner, slice_of(owner, ends, port_name="http"), other)))


def said(before: Table | None, after: Table | None) -> dict[str, tuple[str, ...]]:
    return {change.service: change.lines for change in summary(before, after)}


def test_nothing_changes_nothing() -> None:
    assert summary(web("10.10.0.1"), web("10.10.0.1")) == []
    assert summary(None, None) == []


def test_endpoints_that_come_and_go() -> None:
    (change,) = summary(web("10.10.0.1", "10.10.0.2"), web("10.10.0.2", "10.10.0.3"))
    assert isinstance(change, ServiceChange)
    assert (change.service, change.lines) == (
        "default/web:http",
        ("- endpoint 10.10.0.1:8080", "+ endpoint 10.10.0.3:8080"),
    )
    assert len(change.places) == 1


def test_a_service_that_loses_its_last_endpoint_is_refused() -> None:
    lost = said(web("10.10.0.1"), web())["default/web:http"]
    assert "~ now REJECTs cluster IP 10.96.0.10:80/tcp: no endpoints" in lost
    assert "~ now REJECTs node port :30080/tcp: no endpoints" in lost
    assert "- endpoint 10.10.0.1:8080" in lost
    back = said(web(), web("10.10.0.1"))["default/web:http"]
    assert "~ no longer REJECTs cluster IP 10.96.0.10:80/tcp: has 1 endpoint" in back


def test_another_node_port_and_policy() -> None:
    lines = said(web("10.10.0.1"), web("10.10.0.1", external_traffic_policy="Local"))["default/web:http"]
    assert any(line.startswith("~ now DROPs node port :30080/tcp") for line in lines)
    lines = said(web("10.10.0.1"), web("10.10.0.1", affinity=60))["default/web:http"]
    assert lines == ("+ clients stay at their endpoint for 60 s",)
    lines = said(web("10.10.0.1", affinity=90), web("10.10.0.1", affinity=60))["default/web:http"]
    assert lines == ("~ clients stay at their endpoint for 60 s, not 90 s",)


def test_services_that_come_and_go() -> None:
    without = table(compiled(cluster(service("other", ip="10.96.0.99"))))
    (line,) = said(without, web("10.10.0.1"))["default/web:http"]
    assert line == "+ new: cluster IP 10.96.0.10:80/tcp, node port :30080/tcp -> 1 endpoint"
    (line,) = said(web("10.10.0.1"), without)["default/web:http"]
    assert line.startswith("- gone: was cluster IP 10.96.0.10:80/tcp")


def test_a_table_that_comes_or_goes_names_every_service() -> None:
    full = web("10.10.0.1")
    assert said(None, full).keys() == {"", "default/other", "default/web:http"}
    assert said(None, full)[""] == ("+ the table kube-proxy",)
    assert said(full, Table("IPv4", absent=True))[""] == ("- the table kube-proxy",)
    assert said(msgspec.structs.replace(full, comment="x"), full)[""] == (
        "~ the table kube-proxy is made anew",
    )


def test_what_is_of_no_service_comes_last() -> None:
    full = web("10.10.0.1")
    other = with_chain(with_chain(full, "mine", rules=("accept",)), "reject-chain", rules=("drop",))
    other = with_container(other, "service-ips", comment="mine")
    other = msgspec.structs.replace(other, counters=("hits",))
    assert said(other, full)[""] == (
        "~ chain services",
        "~ chain reject-chain",
        "- chain mine",
        "~ map service-ips",
        "- counter hits",
    )


def test_every_change_of_the_recorded_cases_has_words() -> None:
    some = [table(ruleset) for ruleset in rulesets(every=8)]
    for before in some[::2]:
        for after in some:
            if before.family == after.family:
                told = summary(before, after)
                assert bool(told) == (not equal(before, after))
                assert all(change.lines for change in told)
