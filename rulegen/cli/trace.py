"""``rulegen trace``: what becomes of a packet, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rulegen.cli import options

if TYPE_CHECKING:
    from rulegen.dump import Listings

EXAMPLES = """
Examples:

\b
  # A connection from outside to a node port
  rulegen trace --from external --to 192.168.10.1:30651 -f cluster.yaml
\b
  # On a node as it is, with its own addresses; the manifests explain
  rulegen trace --from pod/web --to svc/db:5432 --dump node.tar.gz -f cluster.yaml
\b
  # By name, over UDP; does a cluster IP answer a ping?
  rulegen trace --from pod/web --to kube-dns.kube-system.svc.cluster.local:53 --protocol udp -f cluster.yaml
  rulegen trace --from node --to 'ping svc/web' --mode ipvs -f cluster.yaml
\b
  # In CI: the packet is to arrive there, with the client's address
  rulegen trace --from pod/web --to svc/db --expect 'DNAT 10.10.1.86:5432 source kept' -f cluster.yaml
"""

WIDTH = 110
"""Columns where there is no terminal to ask."""

PACKET = "Packet"
RULES = "Rules"


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(options.with_shared(trace))


def trace(
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="WHO",
            help="pod/[NAMESPACE/]NAME, node, external, IP or IP:PORT.",
            rich_help_panel=PACKET,
        ),
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="WHERE",
            help="svc/[NAMESPACE/]NAME[:PORT], IP:PORT, a DNS name with :PORT, or 'ping WHERE'.",
            rich_help_panel=PACKET,
        ),
    ],
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            metavar="PROTOCOL",
            help="tcp, udp, sctp... (default: that of the Service port, else tcp).",
            rich_help_panel=PACKET,
        ),
    ] = None,
    interface: Annotated[
        str | None,
        typer.Option(
            "--in-interface",
            metavar="DEVICE",
            help="Device that the packet comes in by (default: the way back to its sender).",
            rich_help_panel=PACKET,
        ),
    ] = None,
    ctstate: Annotated[
        Literal["NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"],
        typer.Option("--ctstate", help="What conntrack says of the packet.", rich_help_panel=PACKET),
    ] = "NEW",
    dump: Annotated[
        list[str] | None,
        typer.Option(
            "--dump",
            metavar="FILE",
            help="Rules of a node instead of compiled ones: listings, an archive of `rulegen collect`, or "
            "netns:NAME. Repeatable.",
            rich_help_panel=RULES,
        ),
    ] = None,
    recent: Annotated[
        list[str] | None,
        typer.Option(
            "--recent",
            metavar="LIST=IP,...",
            help="Clients that a list of session affinity knows (default: none). Repeatable.",
            rich_help_panel=RULES,
        ),
    ] = None,
    conntrack: Annotated[
        str | None,
        typer.Option(
            "--conntrack",
            metavar="FILE",
            help="Output of `conntrack -L`: a packet of a connection in it is translated as that one is.",
            rich_help_panel=RULES,
        ),
    ] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option(
            "--expect",
            metavar="OUTCOME",
            help="[only] DNAT [IP:PORT] | LOCAL | FORWARD | DROP | REJECT | UNREACHABLE, with `source IP`, "
            "`source kept`, `masqueraded` or `50%`. Exit code 1 where it is not so, or where another verdict "
            "is possible; with `only`, where any other outcome is. Repeatable.",
        ),
    ] = None,
    output: Annotated[
        Literal["tree", "short", "json"], typer.Option("--output", "-o", help="Form of the output.")
    ] = "tree",
    *,
    shared: dict[str, Any],
) -> None:
    """Follow a connection's first packet through the rules: everything that can become of it, and why.

    Rules are read as text, compiled ones (-f) as those of a node (--dump). Where kube-proxy's modes differ is
    listed in docs/mode-differences.md. Exit code 0: delivered, 1: not (or not as expected), 2: an error.
    """
    from rulegen import api
    from rulegen.cli.output import dump as dump_data
    from rulegen.cli.output import emit, note
    from rulegen.trace.expect import expectation, unmet
    from rulegen.trace.grounds import unreached

    try:
        expected = [expectation(text) for text in expect or ()]
    except ValueError as fault:
        raise ValueError(f"--expect {fault}") from None
    if not shared["files"] and not dump:
        raise ValueError("no rules: name manifests with -f, a node's dump with --dump, or both")
    known = _known(shared)
    listings = _listings(dump or [])
    if listings and (said := unreached(listings)):
        note(said)
    found = api.trace(
        listings if dump else known["cluster"],
        source,
        to,
        **known,
        protocol=protocol,
        interface=interface,
        state=ctstate,
        recent=_lists(recent or []),
        conntrack=_connections(conntrack),
    )
    if output == "json":
        dump_data(found.data(), "json")
    else:
        emit(found.text(output, _width()))
    if not expected:
        raise typer.Exit(int(not found.delivered))
    problems = unmet(found, expected)
    for problem in problems:
        note(problem)
    raise typer.Exit(int(bool(problems)))


def _known(shared: dict[str, Any]) -> dict[str, Any]:
    """What the manifests, or without any the flags about the node, tell."""
    from rulegen.cli.inputs import family_named, read

    if shared["files"]:
        inputs = read(**shared)
        return {
            "cluster": inputs.cluster,
            "node": inputs.node,
            "config": inputs.config,
            "mode": inputs.config.mode,
            "version": inputs.version,
            "namespace": inputs.namespace,
            "family": inputs.family,
        }
    found: dict[str, Any] = {"namespace": shared["namespace"], "mode": shared["mode"]}
    if shared["family"] is not None:
        found["family"] = family_named(shared["family"])
    given = {name: shared[name] for name in ("node_file", "node_ips", "interfaces") if shared[name]}
    if given:
        from rulegen.load import node_facts
        from rulegen.model import Cluster

        found["node"] = node_facts(
            Cluster(),
            file=shared["node_file"],
            name=shared["node"],
            ips=shared["node_ips"] or (),
            interfaces=shared["interfaces"] or (),
        ).node
    return found


def _width() -> int:
    import shutil
    import sys

    return shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else WIDTH


def _listings(names: list[str]) -> Listings:
    from rulegen.cli.sides import NAMESPACE, of_namespace
    from rulegen.dump import read

    found: dict[str, str] = {}
    for name in names:
        listings = of_namespace(name.removeprefix(NAMESPACE)) if name.startswith(NAMESPACE) else read(name)
        found.update(listings or {})
    return found


def _lists(given: list[str]) -> dict[str, list[str]]:
    from rulegen.plan.addresses import family_of

    found: dict[str, list[str]] = {}
    for text in given:
        name, equals, ips = text.partition("=")
        if not equals or not name:
            raise ValueError(f"--recent {text}: must be LIST=IP,...")
        for ip in filter(None, ips.split(",")):
            if family_of(ip) is None:
                raise ValueError(f"--recent {text}: {ip!r} is no IP address")
            found.setdefault(name, []).append(ip)
    return found


def _connections(name: str | None) -> str:
    """The listing of connections. Raises ValueError, with the file's name, for what is none."""
    if name is None:
        return ""
    import sys
    from pathlib import Path

    from rulegen.trace.conntrack import read

    text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    try:
        read(text)
    except ValueError as fault:
        raise ValueError(f"--conntrack {name}: {fault}") from None
    return text
