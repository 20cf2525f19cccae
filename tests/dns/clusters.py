"""A small cluster that people ask names of."""

from __future__ import annotations

from rulegen.dns import Directory, DnsServer
from rulegen.model import Cluster, Pod, ServicePort
from rulegen.model.objects import Metadata, PodIP, PodStatus
from tests.objects import endpoint, service, slice_of

WEB = service("web", ip="10.96.0.10", ports=[ServicePort(name="http", port=80, protocol="TCP")])
DB = service("db", namespace="prod", ip="None", ports=[ServicePort(name="pg", port=5432, protocol="TCP")])
MAIL = service("mail", ip="", ports=[], type="ExternalName", external_name="mx.example.com")
ALIAS = service("alias", ip="", ports=[], type="ExternalName", external_name="web.default.svc.cluster.local")
CLUSTER = Cluster(
    services=(WEB, DB, MAIL, ALIAS),
    slices=(
        slice_of(WEB, ["10.1.0.7", endpoint("10.1.0.8", ready=False)], port_name="http"),
        slice_of(DB, ["10.1.0.9", "10.1.0.10"], port=5432, port_name="pg"),
    ),
    pods=(
        Pod(
            metadata=Metadata(name="web-1", namespace="default"),
            status=PodStatus(phase="Running", pod_ips=[PodIP("10.1.0.7"), PodIP("fd00::7")]),
        ),
    ),
)


def server(cluster: Cluster = CLUSTER, **options: object) -> DnsServer:
    return DnsServer(Directory(cluster), addresses=["127.0.0.1"], **options)  # type: ignore[arg-type]


def ask(name: str, kind: str = "A", cluster: Cluster = CLUSTER) -> list[str] | str:
    """The data of the answers, or what comes instead of one."""
    reply = server(cluster).ask(name, kind)
    return [record.data for record in reply.answers] or reply.outcome
