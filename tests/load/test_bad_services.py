"""Services that Kubernetes refuses, each with the exact words that the user gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from rulegen.load import LoadError, load

REFUSED = [
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ports:
  - port: 80.5
""",
        (
            "bad.yaml:7: Service default/web: spec.ports[0].port: json: cannot unmarshal number "
            "80.5 into Go struct field ServicePort.spec.ports.port of type int32",
        ),
        id="half a port",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ports: 80
""",
        (
            "bad.yaml:6: Service default/web: spec.ports: json: cannot unmarshal number into Go "
            "struct field ServiceSpec.spec.ports of type []v1.ServicePort",
        ),
        id="ports that are no list",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ports:
  - port: "80"
""",
        (
            "bad.yaml:7: Service default/web: spec.ports[0].port: json: cannot unmarshal string "
            "into Go struct field ServicePort.spec.ports.port of type int32",
        ),
        id="a port in quotes",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: yes
spec:
  ports:
  - port: 80
""",
        (
            "bad.yaml:4: Service: metadata.name: json: cannot unmarshal bool into Go struct field "
            "ObjectMeta.metadata.name of type string",
        ),
        id="a name that YAML takes for true",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ports:
  - port: 010
    protocol: tcp
""",
        (
            'bad.yaml:8: Service default/web: spec.ports[0].protocol: Unsupported value: "tcp": '
            'supported values: "SCTP", "TCP", "UDP"',
        ),
        id="a protocol in lower case",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ports:
  - port: 70000
""",
        (
            "bad.yaml:7: Service default/web: spec.ports[0].port: Invalid value: 70000: must be "
            "between 1 and 65535, inclusive",
            "bad.yaml:7: Service default/web: spec.ports[0].targetPort: Invalid value: 70000: "
            "must be between 1 and 65535, inclusive",
        ),
        id="a port out of range",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  type: NodePort
  ports:
  - port: 80
    nodePort: 99
""",
        (
            "bad.yaml:9: Service default/web: spec.ports[0].nodePort: Invalid value: 99: provided "
            "port is not in the valid range. The range of valid ports is 30000-32767",
        ),
        id="a node port out of range",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  type: Nodeport
  ports:
  - port: 80
""",
        (
            'bad.yaml:6: Service default/web: spec.type: Unsupported value: "Nodeport": supported '
            'values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
        ),
        id="a type that does not exist",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ports:
  - port: 80
    protocol: HTTP
""",
        (
            'bad.yaml:8: Service default/web: spec.ports[0].protocol: Unsupported value: "HTTP": '
            'supported values: "SCTP", "TCP", "UDP"',
        ),
        id="a protocol that does not exist",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  type: NodePort
""",
        ("bad.yaml:5: Service default/web: spec.ports: Required value",),
        id="a NodePort Service without ports",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: Web_1
spec:
  ports:
  - port: 80
""",
        (
            'bad.yaml:4: Service default/Web_1: metadata.name: Invalid value: "Web_1": a '
            "lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
            "and must start and end with an alphanumeric character (e.g. 'my-name',  or "
            "'123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        ),
        id="a name that is no DNS label",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ports:
  - port: 80
  - port: 81
""",
        (
            "bad.yaml:7: Service default/web: spec.ports[0].name: Required value",
            "bad.yaml:8: Service default/web: spec.ports[1].name: Required value",
        ),
        id="two ports without names",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  clusterIP: 10.96.0.300
  ports:
  - port: 80
""",
        (
            'bad.yaml:6: Service default/web: spec.clusterIPs[0]: Invalid value: "10.96.0.300": '
            "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        ),
        id="a cluster IP that is no address",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ipFamilies: [IPv5]
  ports:
  - port: 80
""",
        (
            'bad.yaml:6: Service default/web: spec.ipFamilies[0]: Unsupported value: "IPv5": '
            'supported values: "IPv4", "IPv6"',
        ),
        id="an unknown family",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  externalIPs:
  - 203.0.113.1
  - 127.0.0.1
  ports:
  - port: 80
""",
        (
            'bad.yaml:8: Service default/web: spec.externalIPs[1]: Invalid value: "127.0.0.1": '
            "may not be in the loopback range (127.0.0.0/8, ::1/128)",
        ),
        id="a loopback address as external IP",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  type: LoadBalancer
  loadBalancerSourceRanges:
  - 10.0.0.1/8
  ports:
  - port: 80
""",
        (
            "bad.yaml:8: Service default/web: spec.LoadBalancerSourceRanges[0]: Invalid value: "
            '"10.0.0.1/8": must not have bits set beyond the prefix length',
        ),
        id="a source range with host bits",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  sessionAffinity: ClientIP
  sessionAffinityConfig:
    clientIP:
      timeoutSeconds: 90000
  ports:
  - port: 80
""",
        (
            "bad.yaml:9: Service default/web: spec.sessionAffinityConfig.clientIP.timeoutSeconds: "
            "Invalid value: 90000: must be greater than 0 and less than 86400",
        ),
        id="an affinity of more than a day",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  externalTrafficPolicy: Local
  ports:
  - port: 80
""",
        (
            'bad.yaml:6: Service default/web: spec.externalTrafficPolicy: Invalid value: "Local": '
            "may only be set for externally-accessible services",
        ),
        id="a traffic policy that does not fit",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector:
    app: a b
  ports:
  - port: 80
""",
        (
            'bad.yaml:6: Service default/web: spec.selector: Invalid value: "a b": a valid label '
            "must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and "
            "must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  "
            "or '12345', regex used for validation is "
            "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        ),
        id="a selector with a blank",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: My_NS
spec:
  ports:
  - port: 80
""",
        (
            'bad.yaml:5: Service My_NS/web: metadata.namespace: Invalid value: "My_NS": a '
            "lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
            "and must start and end with an alphanumeric character (e.g. 'my-name',  or "
            "'123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        ),
        id="a namespace that is no DNS label",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata: {}
spec:
  ports:
  - port: 80
""",
        (
            'bad.yaml:4: Service: spec.clusterIPs: Invalid value: [""]: failed to allocate IP: '
            'IPAddress.networking.k8s.io "*" is invalid: spec.parentRef.name: Required value'
            " (the Service has no metadata.name)",
        ),
        id="no name",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  type: LoadBalancer
  ports:
  - port: 80
status:
  loadBalancer:
    ingress:
    - ip: 1.2.3
""",
        (
            "bad.yaml:12: Service default/web: status.loadBalancer.ingress[0].ip: Invalid value: "
            '"1.2.3": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        ),
        id="a load balancer address that is none",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: "web\\nCOMMIT"
spec:
  ports:
  - port: 80
""",
        (
            "bad.yaml:4: Service default/web\\nCOMMIT: metadata.name: Invalid value: "
            '"web\\nCOMMIT": a lowercase RFC 1123 label must consist of lower case alphanumeric '
            "characters or '-', and must start and end with an alphanumeric character (e.g. "
            "'my-name',  or '123-abc', regex used for validation is "
            "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        ),
        id="a name with a line break",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ports:
  - port: 80
    name: "a\\n-A INPUT"
""",
        (
            'bad.yaml:8: Service default/web: spec.ports[0].name: Invalid value: "a\\n-A INPUT": a '
            "lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
            "and must start and end with an alphanumeric character (e.g. 'my-name',  or "
            "'123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        ),
        id="a port name with a line break",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ports:
  - port: 80
status:
  loadBalancer:
    ingress:
    - ip: 203.0.113.1
""",
        (
            "bad.yaml:10: Service default/web: status.loadBalancer.ingress: Forbidden: may only "
            "be used when `spec.type` is 'LoadBalancer'",
        ),
        id="a load balancer status without a load balancer",
    ),
]


@pytest.mark.parametrize(("content", "messages"), REFUSED)
def test_a_service_is_refused_in_the_words_of_the_api_server(
    content: str | bytes, messages: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(LoadError) as failure:
        load("bad.yaml")
    assert tuple(str(problem) for problem in failure.value.problems) == messages
