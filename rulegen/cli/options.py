"""Options that commands share, with kubectl's names and habits."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from rulegen.versions import DEFAULT_VERSION

INPUT = "Input"
NODE = "Node and configuration"
OUTPUT = "Output"

Files = Annotated[
    list[str] | None,
    typer.Option(
        "--filename",
        "-f",
        metavar="FILE",
        help="File or directory: manifests or `kubectl get -o yaml` output; - is standard input. Repeatable.",
        rich_help_panel=INPUT,
    ),
]
Recursive = Annotated[
    bool,
    typer.Option("--recursive", "-R", help="Read directories below a directory, too.", rich_help_panel=INPUT),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse unknown fields instead of warning.", rich_help_panel=INPUT)
]
Namespace = Annotated[
    str,
    typer.Option(
        "--namespace",
        "-n",
        metavar="NAMESPACE",
        help="Namespace of the Service, and of objects that do not say theirs.",
        rich_help_panel=INPUT,
    ),
]
Mode = Annotated[
    str | None,
    typer.Option(
        "--mode",
        metavar="MODE",
        help="Proxy mode; wins over the configuration's (default: iptables).",
        rich_help_panel=NODE,
    ),
]
FamilyName = Annotated[
    str | None,
    typer.Option(
        "--family",
        metavar="FAMILY",
        help="IPv4 or IPv6 (default: the node's primary family).",
        rich_help_panel=NODE,
    ),
]
NodeName = Annotated[
    str | None,
    typer.Option(
        "--node", metavar="NAME", help="Name of the node whose rules are asked for.", rich_help_panel=NODE
    ),
]
NodeFile = Annotated[
    str | None,
    typer.Option(
        "--node-file",
        metavar="FILE",
        help="Facts about the machine, YAML or JSON: name, labels, ips, podCIDRs, interfaces, nfacct, "
        "conntrackTCPBeLiberal.",
        rich_help_panel=NODE,
    ),
]
NodeIP = Annotated[
    list[str] | None,
    typer.Option("--node-ip", metavar="IP", help="An address of the node. Repeatable.", rich_help_panel=NODE),
]
Interface = Annotated[
    list[str] | None,
    typer.Option(
        "--interface",
        metavar="DEVICE=CIDR,...",
        help="Addresses of a device, as in eth0=192.168.10.11/24,2001:db8::b/64. Repeatable.",
        rich_help_panel=NODE,
    ),
]
Nfacct = Annotated[
    bool | None,
    typer.Option(
        "--nfacct/--no-nfacct", help="nfacct counters can be created on the node.", rich_help_panel=NODE
    ),
]
Liberal = Annotated[
    bool | None,
    typer.Option(
        "--conntrack-tcp-be-liberal/--no-conntrack-tcp-be-liberal",
        help="nf_conntrack_tcp_be_liberal is set on the node.",
        rich_help_panel=NODE,
    ),
]
Config = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="KubeProxyConfiguration, or the kube-proxy ConfigMap around it.",
        rich_help_panel=NODE,
    ),
]
Version = Annotated[
    str,
    typer.Option(
        "--kube-version",
        metavar="VERSION",
        help="Kubernetes version whose rules are asked for.",
        rich_help_panel=NODE,
    ),
]
ProxyPorts = Annotated[
    list[str] | None,
    typer.Option(
        "--proxy-port",
        metavar="NAMESPACE/NAME[:PORT]=NUMBER",
        help="Where the userspace proxy listens for a service port (default: by its name). Repeatable.",
        rich_help_panel=NODE,
    ),
]
Synthesize = Annotated[
    bool,
    typer.Option(
        "--synthesize-pods",
        help="Make up Pods for Deployments, StatefulSets, DaemonSets and ReplicaSets that come without any.",
        rich_help_panel=INPUT,
    ),
]
Scale = Annotated[
    list[str] | None,
    typer.Option(
        "--scale",
        metavar="KIND/NAME=N",
        help="Give a workload N Pods, as in deploy/web=3: some made up, or the last left out. Repeatable.",
        rich_help_panel=INPUT,
    ),
]
ServiceCIDRs = Annotated[
    str | None,
    typer.Option(
        "--service-cidr",
        metavar="CIDR[,CIDR]",
        help="Where cluster IPs are allocated from (default: the ServiceCIDR objects, or 10.96.0.0/12).",
        rich_help_panel=INPUT,
    ),
]
NodePortRange = Annotated[
    str,
    typer.Option(
        "--service-node-port-range",
        metavar="FIRST-LAST",
        help="Where node ports are allocated from.",
        rich_help_panel=INPUT,
    ),
]
StateFile = Annotated[
    str | None,
    typer.Option(
        "--state",
        metavar="FILE",
        help="Remember in FILE what was allocated, so that it never moves.",
        rich_help_panel=INPUT,
    ),
]

SHARED: dict[str, tuple[Any, Any]] = {
    "files": (Files, None),
    "recursive": (Recursive, False),
    "strict": (Strict, False),
    "namespace": (Namespace, "default"),
    "synthesize": (Synthesize, False),
    "scales": (Scale, None),
    "service_cidr": (ServiceCIDRs, None),
    "node_port_range": (NodePortRange, "30000-32767"),
    "state": (StateFile, None),
    "mode": (Mode, None),
    "family": (FamilyName, None),
    "node": (NodeName, None),
    "node_file": (NodeFile, None),
    "node_ips": (NodeIP, None),
    "interfaces": (Interface, None),
    "nfacct": (Nfacct, None),
    "liberal": (Liberal, None),
    "config": (Config, None),
    "version": (Version, DEFAULT_VERSION),
    "proxy_ports": (ProxyPorts, None),
}

SOURCES = ("files", "recursive", "strict", "namespace")
"""Those of them that say what is read."""
CLUSTER = (
    *SOURCES,
    "synthesize",
    "scales",
    "service_cidr",
    "node_port_range",
    "state",
)
"""Those of them that are about objects; the others are about a node."""
KEPT = ("node_port_range", "state")
"""What matters to allocation only."""
ABOUT_NODE = tuple(name for name in SHARED if name not in CLUSTER)


def takes_cluster(command: Callable[..., None], *, allocating: bool = True) -> Callable[..., None]:
    """Give a command the options that say what objects to read, and what was read as its first argument.

    ``allocating`` says that it matters what Services are allocated.
    """
    names = CLUSTER if allocating else tuple(name for name in CLUSTER if name not in KEPT)

    def run(shared: dict[str, Any], values: dict[str, Any]) -> None:
        from rulegen.cli.objects import read_cluster

        command(read_cluster(**shared, allocating=allocating), **values)

    return _joined(command, run, names, skip=1)


def takes_inputs(
    command: Callable[..., None], *, optional: bool = False, addresses_follow: bool = False
) -> Callable[..., None]:
    """Give a command the options that say what to read, and what was read as its first argument.

    With ``optional`` the first argument is None where no file is named; for ``addresses_follow`` see
    :func:`rulegen.cli.inputs.assemble`.
    """

    def run(shared: dict[str, Any], values: dict[str, Any]) -> None:
        from rulegen.cli.inputs import read

        if optional and not shared["files"]:
            command(None, **values)
        else:
            command(read(**shared, addresses_follow=addresses_follow), **values)

    return _joined(command, run, tuple(SHARED), skip=1)


def with_shared(command: Callable[..., None], *, without: tuple[str, ...] = ()) -> Callable[..., None]:
    """Give a command the same options, but as values: a dictionary, as its keyword ``shared``."""
    names = tuple(name for name in SHARED if name not in without)

    def run(shared: dict[str, Any], values: dict[str, Any]) -> None:
        command(**values, shared=shared)

    return _joined(command, run, names, skip=0)


def _joined(
    command: Callable[..., None],
    run: Callable[[dict[str, Any], dict[str, Any]], None],
    names: tuple[str, ...],
    skip: int,
) -> Callable[..., None]:
    """What typer sees of a command: its own parameters but the first ``skip``, then the shared ones."""
    own = [
        # Types that only type checkers know stand for parameters that typer does not see.
        parameter.replace(annotation=_evaluated(parameter.annotation, command))
        for parameter in list(inspect.signature(command).parameters.values())[skip:]
        if parameter.name != "shared"
    ]
    shared = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=SHARED[name][1], annotation=SHARED[name][0]
        )
        for name in names
    ]
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]

    @wraps(command)
    def joined(**values: Any) -> None:
        run({name: values.pop(name) for name in names}, values)

    joined.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
    joined.__annotations__ = {p.name: p.annotation for p in (*own, *shared)}
    return joined


def _evaluated(annotation: Any, command: Callable[..., None]) -> Any:
    """What an annotation that ``from __future__ import annotations`` left as text stands for."""
    namespace: dict[str, Any] = getattr(command, "__globals__", {})
    return eval(annotation, namespace) if isinstance(annotation, str) else annotation
