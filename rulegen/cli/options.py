"""Options that commands share, with kubectl's names and habits."""

from __future__ import annotations

from typing import Annotated

import typer

INPUT = "Input"
NODE = "Node and configuration"
OUTPUT = "Output"

Files = Annotated[
    list[str] | None,
    typer.Option(
        "--filename",
        "-f",
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
        help="Namespace of the Service, and of objects that do not say theirs.",
        rich_help_panel=INPUT,
    ),
]
Mode = Annotated[
    str | None,
    typer.Option(
        "--mode",
        help="Proxy mode; wins over the configuration's (default: iptables).",
        rich_help_panel=NODE,
    ),
]
FamilyName = Annotated[
    str | None,
    typer.Option("--family", help="IPv4 or IPv6 (default: the node's primary family).", rich_help_panel=NODE),
]
NodeName = Annotated[
    str | None,
    typer.Option("--node", help="Name of the node whose rules are asked for.", rich_help_panel=NODE),
]
NodeFile = Annotated[
    str | None,
    typer.Option(
        "--node-file",
        help="Facts about the machine, YAML or JSON: name, labels, ips, podCIDRs, interfaces, nfacct, "
        "conntrackTCPBeLiberal.",
        rich_help_panel=NODE,
    ),
]
NodeIP = Annotated[
    list[str] | None,
    typer.Option("--node-ip", help="An address of the node. Repeatable.", rich_help_panel=NODE),
]
Interface = Annotated[
    list[str] | None,
    typer.Option(
        "--interface",
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
        help="KubeProxyConfiguration, or the kube-proxy ConfigMap around it.",
        rich_help_panel=NODE,
    ),
]
Version = Annotated[
    str,
    typer.Option(
        "--kube-version", help="Kubernetes version whose rules are asked for.", rich_help_panel=NODE
    ),
]
