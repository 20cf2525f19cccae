"""What holds of allocation whatever the Services are, and in whatever order they come and go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rulegen.allocation import Allocation, State, allocate, ranges
from rulegen.load import LoadError, load
from rulegen.load.api import Server, admit
from rulegen.model import Cluster, Service
from tests.allocation.test_allocation import service

CIDRS = ("10.96.0.0/26", "fd00:10:96::/112")
PORTS = (30000, 30063)
RANGES = ranges(",".join(CIDRS), f"{PORTS[0]}-{PORTS[1]}")
SERVER = Server(service_cidrs=CIDRS, node_ports=PORTS, cluster_ips={})
NAMES = st.sampled_from([f"s{i}" for i in range(14)])


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    """A Service as people write them: some say what they want of it, most do not."""
    kind = draw(st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer"]))
    numbers = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    ports: list[dict[str, Any]] = [
        {"name": f"p{i}", "port": number, "protocol": draw(st.sampled_from(["TCP", "UDP"]))}
        for i, number in enumerate(numbers)
    ]
    spec: dict[str, Any] = {"type": kind, "ports": ports}
    if kind != "ClusterIP" and draw(st.integers(0, 3)) == 0:
        ports[0]["nodePort"] = draw(st.integers(*PORTS))
    if kind == "LoadBalancer":
        spec["externalTrafficPolicy"] = draw(st.sampled_from(["Local", "Cluster"]))
        spec["allocateLoadBalancerNodePorts"] = draw(st.booleans())
    match draw(st.integers(0, 5)):
        case 0:
            spec["clusterIP"] = f"10.96.0.{draw(st.integers(2, 62))}"
        case 1 if kind == "ClusterIP":
            spec["clusterIP"] = "None"
        case 2:
            spec["ipFamilyPolicy"] = "RequireDualStack"
        case 3:
            spec |= {"ipFamilies": ["IPv6"], "ipFamilyPolicy": "SingleStack"}
    return spec


class Editing(RuleBasedStateMachine):
    """A folder of manifests that is edited, and the state that is kept beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder: dict[str, dict[str, Any]] = {}
        self.state = State()
        self.made: Mapping[str, Service] = {}

    def _allocated(self, folder: dict[str, dict[str, Any]]) -> Allocation:
        objects = [service(name, **spec) for name, spec in folder.items()]
        return allocate(load(objects, server=SERVER).cluster if objects else Cluster(), RANGES, self.state)

    def _take(self, folder: dict[str, dict[str, Any]]) -> None:
        done = self._allocated(folder)
        self.folder, self.state = folder, done.state
        self.made = {each.metadata.name: each for each in done.cluster.services}

    @rule(name=NAMES, spec=specs())
    def add(self, name: str, spec: dict[str, Any]) -> None:
        if name in self.folder:
            return
        before = self.made
        try:
            self._take({**self.folder, name: spec})
        except (LoadError, ValueError):
            # It asks for what another one has, or the range is full; nothing is written down then.
            return
        assert all(self.made[each] == before[each] for each in before), "nothing moves"

    @precondition(lambda self: self.folder)
    @rule(data=st.data())
    def remove_and_put_back(self, data: st.DataObject) -> None:
        gone = data.draw(st.sampled_from(sorted(self.folder)))
        before = self.made
        spec = self.folder[gone]
        self._take({name: each for name, each in self.folder.items() if name != gone})
        assert all(self.made[each] == before[each] for each in before if each != gone)
        self._take({**self.folder, gone: spec})
        assert self.made == before, "it comes back as it was"

    @rule()
    def turn_around(self) -> None:
        """The order of files and objects means nothing."""
        before = self.made
        self._take(dict(reversed(self.folder.items())))
        assert self.made == before

    @invariant()
    def nothing_collides(self) -> None:
        ips: Counter[str] = Counter()
        ports: Counter[int] = Counter()
        for each in self.made.values():
            spec = each.spec
            ips.update(ip for ip in spec.cluster_ips or () if ip != "None")
            own = {port.node_port for port in spec.ports or ()} | {spec.health_check_node_port}
            ports.update(own - {0})
            shared: dict[int, set[tuple[int, str]]] = {}
            for port in spec.ports or ():
                if port.node_port:
                    shared.setdefault(port.node_port, set()).add((port.port, port.protocol))
            for users in shared.values():
                assert len({number for number, _ in users}) == 1, "one number under several protocols at most"
        assert not [ip for ip, count in ips.items() if count > 1]
        assert not [port for port, count in ports.items() if count > 1]
        nets = [ip_network(cidr) for cidr in CIDRS]
        assert all(any(ip_address(ip) in net for net in nets) for ip in ips)
        assert all(PORTS[0] <= port <= PORTS[1] for port in ports)

    @invariant()
    def what_was_given_is_kept_and_valid(self) -> None:
        for name, spec in self.folder.items():
            made = self.made[name].spec
            assert spec.get("clusterIP") in (None, made.cluster_ip)
            for asked, port in zip(spec["ports"], made.ports or (), strict=True):
                assert asked.get("nodePort") in (None, port.node_port)
            data = service(name, **spec)
            data["spec"] |= {"clusterIP": made.cluster_ip, "clusterIPs": made.cluster_ips}
            data["spec"] |= {"ipFamilies": made.ip_families, "ipFamilyPolicy": made.ip_family_policy}
            data["spec"]["ports"] = [
                {**asked, **({"nodePort": port.node_port} if port.node_port else {})}
                for asked, port in zip(spec["ports"], made.ports or (), strict=True)
            ]
            if made.health_check_node_port:
                data["spec"]["healthCheckNodePort"] = made.health_check_node_port
            assert not admit(data, server=SERVER).errors, "the API server would take it"


TestEditing = Editing.TestCase
TestEditing.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
