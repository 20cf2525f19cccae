"""Other objects that are refused, alone or beside another, with the exact words that the user gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from rulegen.load import LoadError, load

REFUSED = [
    pytest.param(
        """\
apiVersion: v1
metadata: {name: x}
""",
        ("bad.yaml:1: kind: Required value",),
        id="no kind",
    ),
    pytest.param(
        "kind: Service\n",
        ("bad.yaml:1: Service: apiVersion: Required value",),
        id="no apiVersion",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: 3
""",
        ("bad.yaml:2: kind: Invalid value: must be a string",),
        id="a kind that is a number",
    ),
    pytest.param(
        """\
apiVersion: discovery.k8s.io/v1beta1
kind: EndpointSlice
metadata:
  name: web-a
  labels: {kubernetes.io/service-name: web}
addressType: IPv4
""",
        (
            "bad.yaml:1: EndpointSlice default/web-a: apiVersion: no matches for kind "
            '"EndpointSlice" in version "discovery.k8s.io/v1beta1": it is served in '
            "discovery.k8s.io/v1",
        ),
        id="a slice of an API that is gone",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: EndpointSlice
metadata:
  name: web-a
  labels: {kubernetes.io/service-name: web}
addressType: IPv4
""",
        (
            "bad.yaml:1: EndpointSlice default/web-a: apiVersion: no matches for kind "
            '"EndpointSlice" in version "v1": it is served in discovery.k8s.io/v1',
        ),
        id="a slice without its API group",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: service
metadata:
  name: web
spec:
""",
        (
            'bad.yaml:2: service web: kind: no matches for kind "service" in version "v1": the '
            "kind is called Service",
        ),
        id="a kind in lower case",
    ),
    pytest.param(
        """\
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: web-a
  labels: {kubernetes.io/service-name: web}
addressType: IPv4
endpoints:
- addresses: [10.0.0.300]
ports: []
""",
        (
            "bad.yaml:8: EndpointSlice default/web-a: endpoints[0].addresses[0]: Invalid value: "
            '"10.0.0.300": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        ),
        id="an endpoint that is no address",
    ),
    pytest.param(
        """\
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: web-a
  labels: {kubernetes.io/service-name: web}
addressType: IPv4
endpoints:
- addresses:
  - fd00::1
ports: []
""",
        (
            "bad.yaml:8: EndpointSlice default/web-a: endpoints[0].addresses: Invalid value: "
            '"fd00::1": must be an IPv4 address',
        ),
        id="an endpoint of the wrong family",
    ),
    pytest.param(
        """\
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: web-a
  labels: {kubernetes.io/service-name: web}
addressType: IPv4
endpoints:
- addresses: []
ports: []
""",
        ("bad.yaml:8: EndpointSlice default/web-a: endpoints[0].addresses: Required value",),
        id="an endpoint without addresses",
    ),
    pytest.param(
        """\
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: web-a
  labels: {kubernetes.io/service-name: web}
endpoints: []
ports: []
""",
        ("bad.yaml:1: EndpointSlice default/web-a: addressType: Required value",),
        id="a slice without address type",
    ),
    pytest.param(
        """\
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: web-a
  labels: {kubernetes.io/service-name: web}
addressType: IPv4
endpoints: [null]
ports: []
""",
        ("bad.yaml:7: EndpointSlice default/web-a: endpoints[0].addresses: Required value",),
        id="an endpoint that is null",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Endpoints
metadata: {name: web}
subsets:
- addresses:
  - ip: 127.0.0.1
  ports:
  - port: 80
""",
        (
            "bad.yaml:6: Endpoints default/web: subsets[0].addresses[0].ip: Invalid value: "
            '"127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
        ),
        id="loopback among Endpoints",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {}
status:
  podIP: 10.0.0.1.2
""",
        (
            'bad.yaml:6: Pod default/web: status.podIPs[0]: Invalid value: "10.0.0.1.2": must be '
            "a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        ),
        id="a Pod with a malformed address",
    ),
    pytest.param(
        """\
apiVersion: networking.k8s.io/v1
kind: ServiceCIDR
metadata: {name: kubernetes}
spec:
  cidrs:
  - 10.96.0.1/12
""",
        (
            'bad.yaml:6: ServiceCIDR kubernetes: spec.cidrs[0]: Invalid value: "10.96.0.1/12": '
            "must not have bits set beyond the prefix length",
        ),
        id="a ServiceCIDR with host bits",
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
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ports:
  - port: 80
""",
        ("bad.yaml:12: Service default/web: metadata.name: the same object stands at bad.yaml:1 already",),
        id="one Service twice",
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
    nodePort: 30080
---
apiVersion: v1
kind: Service
metadata:
  name: api
spec:
  type: NodePort
  ports:
  - port: 80
    nodePort: 30080
    protocol: UDP
""",
        (
            "bad.yaml:19: Service default/api: spec.ports[0].nodePort: Invalid value: 30080: "
            "provided port is already allocated (by Service default/web, bad.yaml:1)",
        ),
        id="one node port for two Services",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  clusterIP: fd00::1
  ports:
  - port: 80
---
apiVersion: v1
kind: Service
metadata:
  name: api
spec:
  clusterIP: fd00:0::1
  ports:
  - port: 80
""",
        (
            'bad.yaml:15: Service default/api: spec.clusterIPs: Invalid value: ["fd00:0::1"]: '
            "failed to allocate IP fd00:0::1: provided IP is already allocated (by Service "
            "default/web, bad.yaml:1)",
        ),
        id="one cluster IP for two Services",
    ),
    pytest.param(
        """\
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: fast
""",
        (
            'bad.yaml:3: KubeProxyConfiguration.Mode.ProxyMode: Invalid value: "fast": must be '
            "iptables, ipvs, nftables or blank (blank means the best-available proxy [currently "
            "iptables])",
        ),
        id="an unknown mode of kube-proxy",
    ),
    pytest.param(
        """\
apiVersion: kubeproxy.config.k8s.io/v1beta1
kind: KubeProxyConfiguration
""",
        (
            "bad.yaml:1: KubeProxyConfiguration: apiVersion: no matches for kind "
            '"KubeProxyConfiguration" in version "kubeproxy.config.k8s.io/v1beta1": it is served '
            "in kubeproxy.config.k8s.io/v1alpha1",
        ),
        id="a configuration of another version",
    ),
    pytest.param(
        """\
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
detectLocalMode: BridgeInterface
detectLocal:
  bridgeInterface: "cbr0 -j ACCEPT"
""",
        (
            "bad.yaml:5: KubeProxyConfiguration.DetectLocalConfiguration.InterfaceName: Invalid "
            'value: "cbr0 -j ACCEPT": must be the name of a network device: up to 15 characters, '
            "no blank, quote, slash or colon",
        ),
        id="a bridge whose name would break its rule",
    ),
    pytest.param(
        """\
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
""",
        ("bad.yaml:4: KubeProxyConfiguration: another one stands at bad.yaml:1",),
        id="two configurations",
    ),
    pytest.param(
        """\
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
iptables:
  masqueradeBit: 32
""",
        (
            "bad.yaml:4: KubeProxyConfiguration.KubeProxyIPTablesConfiguration.MasqueradeBit: "
            "Invalid value: 32: must be within the range [0, 31]",
        ),
        id="a mark bit out of range",
    ),
    pytest.param(
        """\
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clusterCIDR: 10.0.0.0
metricsBindAddress: here
nodePortAddresses:
- primary
- 10.0.0.0/33
""",
        (
            "bad.yaml:3: KubeProxyConfiguration.DetectLocalConfiguration.ClusterCIDRs[0]: Invalid value: "
            '"10.0.0.0": must be a valid CIDR block (e.g. 10.100.0.0/16 or fde4:8dba:82e1::/48)',
            'bad.yaml:4: KubeProxyConfiguration.MetricsBindAddress: Invalid value: "here": must be IP:port',
            "bad.yaml:7: KubeProxyConfiguration.NodePortAddresses[1]: Invalid value: "
            "\"10.0.0.0/33\": must be a valid CIDR or one of the keywords 'primary', 'localhost', "
            "'all'",
        ),
        id="addresses of kube-proxy that are none",
    ),
    pytest.param(
        """\
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
ipvs:
  tcpTimeout: 5
""",
        (
            "bad.yaml:4: KubeProxyConfiguration: ipvs.tcpTimeout: json: cannot unmarshal number "
            "into Go struct field KubeProxyIPVSConfiguration.ipvs.tcpTimeout of type string",
        ),
        id="a duration that is a number",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  healthCheckNodePort: 30100
  ports:
  - port: 80
---
apiVersion: v1
kind: Service
metadata: {name: api}
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  healthCheckNodePort: 30100
  ports:
  - port: 80
""",
        (
            "bad.yaml:17: Service default/api: spec.healthCheckNodePort: failed to allocate "
            "requested HealthCheck NodePort 30100: provided port is already allocated (by Service "
            "default/web, bad.yaml:1)",
        ),
        id="one health check port for two Services",
    ),
]


@pytest.mark.parametrize(("content", "messages"), REFUSED)
def test_an_object_is_refused_in_the_words_of_kubernetes(
    content: str | bytes, messages: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(LoadError) as failure:
        load("bad.yaml")
    assert tuple(str(problem) for problem in failure.value.problems) == messages
