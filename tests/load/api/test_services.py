"""What a Service is after it was created, and what keeps it from being."""

from __future__ import annotations

from typing import Any

import pytest

from tests.load.api.objects import faults, remarks, service, taken

BALANCER_ONLY = "Forbidden: may only be used when `type` is 'LoadBalancer'"


def test_the_shortest_service_gets_everything_that_rules_need() -> None:
    assert taken(service(), placeholders=True)["spec"] == {
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        "type": "ClusterIP",
        "clusterIP": "*",
        "clusterIPs": ["*"],
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
    }


def test_a_load_balancer_gets_node_ports_and_a_policy_for_external_traffic() -> None:
    spec = taken(service(type="LoadBalancer"), placeholders=True)["spec"]
    assert spec["ports"][0]["nodePort"] == "*"
    assert spec["allocateLoadBalancerNodePorts"] is True
    assert spec["externalTrafficPolicy"] == "Cluster"


def test_a_load_balancer_that_keeps_the_clients_address_gets_a_health_check() -> None:
    spec = taken(service(type="LoadBalancer", externalTrafficPolicy="Local"), placeholders=True)["spec"]
    assert spec["healthCheckNodePort"] == "*"


def test_affinity_lasts_three_hours_unless_told_otherwise() -> None:
    config = taken(service(sessionAffinity="ClientIP"))["spec"]["sessionAffinityConfig"]
    assert config == {"clientIP": {"timeoutSeconds": 10800}}


def test_a_timeout_without_affinity_is_dropped() -> None:
    spec = service(sessionAffinityConfig={"clientIP": {"timeoutSeconds": 5}})
    assert "sessionAffinityConfig" not in taken(spec)["spec"]


def test_a_headless_service_without_a_selector_is_for_both_families() -> None:
    spec = taken(service(clusterIP="None"))["spec"]
    assert spec["ipFamilies"] == ["IPv4", "IPv6"]
    assert spec["ipFamilyPolicy"] == "RequireDualStack"


def test_a_headless_service_with_a_selector_is_for_the_first_family() -> None:
    spec = taken(service(clusterIP="None", selector={"app": "web"}))["spec"]
    assert spec["ipFamilies"] == ["IPv4"]


def test_a_name_for_another_name_has_no_addresses_and_no_traffic_policy() -> None:
    spec = taken(service(type="ExternalName", externalName="db.example.com.", internalTrafficPolicy="Local"))
    assert spec["spec"]["externalName"] == "db.example.com."
    assert {"clusterIP", "ipFamilies", "internalTrafficPolicy"}.isdisjoint(spec["spec"])


def test_what_the_server_writes_itself_is_dropped_on_create() -> None:
    written = service(
        metadata={
            "uid": "1",
            "creationTimestamp": "2024-01-01T00:00:00Z",
            "managedFields": [{"manager": "x"}],
        }
    )
    written["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    assert taken(written) == taken(service())


def test_the_status_can_be_kept_for_what_the_cluster_will_have() -> None:
    written = service(type="LoadBalancer")
    written["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"hostname": "lb.example.com"}]}}
    assert taken(written, keep_status=True)["status"]["loadBalancer"]["ingress"] == [
        {"ip": "192.0.2.1", "ipMode": "VIP"},
        {"hostname": "lb.example.com"},
    ]


@pytest.mark.parametrize(
    ("ingress", "said"),
    [
        ({"ip": "192.0.2.300"}, 'ip: Invalid value: "192.0.2.300": must be a valid IP address, '),
        (
            {"ip": "192.0.2.1", "ipMode": "Vip"},
            'ipMode: Unsupported value: "Vip": supported values: "Proxy", "VIP"',
        ),
        ({"ipMode": "VIP"}, "ipMode: Forbidden: may not be specified when `ip` is not set"),
        (
            {"hostname": "192.0.2.1"},
            'hostname: Invalid value: "192.0.2.1": must be a DNS name, not an IP address',
        ),
    ],
)
def test_a_status_that_is_kept_has_to_be_right(ingress: dict[str, Any], said: str) -> None:
    written = service(type="LoadBalancer")
    written["status"] = {"loadBalancer": {"ingress": [ingress]}}
    [fault] = faults(written, keep_status=True)
    assert fault.startswith(f"status.loadBalancer.ingress[0].{said}")


def test_an_ingress_belongs_to_a_load_balancer() -> None:
    written = service()
    written["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    assert faults(written, keep_status=True) == [
        "status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'"
    ]


def test_all_faults_of_a_service_are_listed_at_once() -> None:
    wrong = service(
        name="a.b",
        type="NodePort",
        ports=[{"port": 0, "protocol": "tcp"}, {"port": 80, "name": "x_y", "targetPort": "http-1-"}],
        loadBalancerSourceRanges=["10.0.0.1/8"],
        loadBalancerClass="lb",
        sessionAffinity="ClientIP",
        sessionAffinityConfig={"clientIP": {"timeoutSeconds": 86401}},
        externalIPs=["127.0.0.1"],
        trafficDistribution="PreferNode",
    )
    port = "must be between 1 and 65535, inclusive"
    label = (
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start"
        " and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is"
        " '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
    )
    assert faults(wrong) == [
        'metadata.name: Invalid value: "a.b": must not contain dots',
        "spec.ports[0].name: Required value",
        f"spec.ports[0].port: Invalid value: 0: {port}",
        'spec.ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"',
        f"spec.ports[0].targetPort: Invalid value: 0: {port}",
        f'spec.ports[1].name: Invalid value: "x_y": {label}',
        'spec.ports[1].targetPort: Invalid value: "http-1-": must not begin or end with a hyphen',
        "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 86401: "
        "must be greater than 0 and less than 86400",
        'spec.externalIPs[0]: Invalid value: "127.0.0.1": '
        "may not be in the loopback range (127.0.0.0/8, ::1/128)",
        f"spec.LoadBalancerSourceRanges: {BALANCER_ONLY}",
        'spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.1/8": '
        "must not have bits set beyond the prefix length",
        f"spec.loadBalancerClass: {BALANCER_ONLY}",
        'spec.trafficDistribution: Unsupported value: "PreferNode": supported values: "PreferClose", '
        '"PreferSameZone", "PreferSameNode"',
    ]


def test_one_node_port_may_stand_for_two_protocols_but_not_twice_for_one() -> None:
    both = [
        {"name": "a", "port": 53, "nodePort": 30053},
        {"name": "b", "port": 53, "protocol": "UDP", "nodePort": 30053},
    ]
    assert taken(service(type="NodePort", ports=both))
    assert faults(service(type="NodePort", ports=[both[0], {**both[0], "name": "b"}])) == [
        "spec.ports[1].nodePort: Duplicate value: 30053",
        'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":53,'
        '"TargetPort":0,"NodePort":0}',
    ]


def test_blanks_around_a_source_range_are_part_of_the_api() -> None:
    ranges = ["10.0.0.0/8 ", "\t192.168.0.0/16"]
    spec = service(type="LoadBalancer", loadBalancerSourceRanges=ranges)
    assert taken(spec)["spec"]["loadBalancerSourceRanges"] == ranges
    assert faults(service(type="LoadBalancer", loadBalancerSourceRanges=["10.0.0.0/8\x1c"]))


def test_the_annotation_for_source_ranges_counts_where_the_field_is_empty() -> None:
    key = "service.beta.kubernetes.io/load-balancer-source-ranges"
    annotated = {"annotations": {key: "10.0.0.0/8, 10.0.0.0/99"}}
    said = f"metadata.annotations[{key}]: "
    invalid = 'Invalid value: "10.0.0.0/99": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'
    assert faults(service(type="LoadBalancer", metadata=annotated)) == [said + invalid]
    assert faults(service(metadata=annotated)) == [said + BALANCER_ONLY, said + invalid]
    assert taken(service(type="LoadBalancer", metadata=annotated, loadBalancerSourceRanges=["::/0"]))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            {"externalIPs": ["192.0.2.1"]},
            "spec.externalIPs: is deprecated and may no longer be implemented in some clusters",
        ),
        (
            {"clusterIP": "None", "sessionAffinity": "ClientIP"},
            "spec.sessionAffinity: is ignored for headless services",
        ),
        (
            {"trafficDistribution": "PreferClose"},
            'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
        ),
        ({"externalName": "x"}, 'spec.externalName: is ignored when spec.type is not "ExternalName"'),
        (
            {"clusterIP": "fd00:10:96:0::7"},
            'spec.clusterIPs[0]: IPv6 address "fd00:10:96:0::7" should be in RFC 5952 canonical format '
            '("fd00:10:96::7")',
        ),
        (
            {"type": "LoadBalancer", "loadBalancerIP": "192.0.2.01"},
            'spec.loadBalancerIP: non-standard IP address "192.0.2.01" is invalid: use "192.0.2.1"',
        ),
    ],
)
def test_what_is_taken_with_a_warning(spec: dict[str, Any], said: str) -> None:
    assert remarks(service(**spec)) == [said]


def test_characters_that_could_hide_are_printed_as_go_prints_them() -> None:
    assert faults(service(type="<b>\n\u2028"))[-1].startswith(
        r'spec.type: Unsupported value: "\u003cb\u003e\n\u2028": supported values: "ClusterIP", '
    )
    [fault] = faults(service(metadata={"labels": {"a": "<b>\n\u2028é"}}))
    assert fault.startswith(r'metadata.labels: Invalid value: "<b>\n\u2028é": a valid label must be ')
