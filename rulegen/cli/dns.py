"""``rulegen dns``: what the cluster DNS answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from rulegen.cli import options

if TYPE_CHECKING:
    from rulegen.cli.objects import Known
    from rulegen.dns import DnsServer, Record
    from rulegen.dns.search import Attempt, Resolution

EXAMPLES = """
Examples:

\b
  # Every name of a cluster
  rulegen dns -f cluster.yaml
\b
  # The names of one Service, as lines for /etc/hosts
  rulegen dns web -n prod -f cluster.yaml -o hosts
\b
  # A zone file for a real name server
  rulegen dns -f cluster.yaml -o zone > cluster.local.zone
\b
  # Why does a pod not find it?
  rulegen dns resolve web.prod --from-namespace default -f cluster.yaml
\b
  # A name server for a lab
  rulegen dns serve -f cluster.yaml --listen 127.0.0.1:5353
"""

Domain = Annotated[
    str,
    typer.Option("--cluster-domain", metavar="DOMAIN", help="Domain of the cluster."),
]
Servers = Annotated[
    list[str] | None,
    typer.Option(
        "--server-address",
        metavar="IP",
        help="Address of the name server, for its own records. Repeatable (default: the endpoints of "
        "kube-system/kube-dns, or 127.0.0.1).",
    ),
]
Ttl = Annotated[int, typer.Option("--ttl", metavar="SECONDS", min=0, max=3600, help="Time to live.")]


class _Group(TyperGroup):
    """A group whose first command is meant where none is named: ``rulegen dns web`` lists names."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        cls=_Group,
        help="Names and answers of the cluster DNS. Without a command: list them.",
        rich_markup_mode=None,
        epilog=EXAMPLES,
    )
    group.command("list")(options.takes_cluster(names))
    group.command("resolve")(options.takes_cluster(resolve))
    group.command("serve")(options.takes_cluster(serve))
    app.add_typer(group, name="dns")


def names(
    known: Known,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A Service, or a name of the cluster; all names without it."),
    ] = None,
    output: Annotated[
        Literal["table", "hosts", "zone", "json"],
        typer.Option("--output", "-o", help="Form of the output."),
    ] = "table",
    zone: Annotated[
        str,
        typer.Option("--zone", metavar="ZONE", help="Zone of -o zone: forward, IPv4 or IPv6 (reverse)."),
    ] = "forward",
    domain: Domain = "cluster.local",
    servers: Servers = None,
    ttl: Ttl = 30,
) -> None:
    """List every name that the cluster DNS answers (Kubernetes DNS specification 1.1, as CoreDNS does it)."""
    from rulegen.cli.output import dump, emit, note, table
    from rulegen.dns import listing

    server = _server(known, domain, servers, ttl)
    found = listing.records(server, known.cluster.pods)
    if output == "zone":
        if name is not None:
            raise ValueError("a zone file has all names: leave the name out")
        emit(listing.zone_file(found, server, listing.zone_named(zone, server)))
        return
    if name is not None:
        found = listing.about(found, _full_name(name, known.namespace, domain))
    if output == "json":
        dump([{"name": r.owner, "type": r.type, "data": r.data, "ttl": r.ttl} for r in found], "json")
    elif output == "hosts":
        emit(listing.hosts(found))
    elif found:
        emit(table(("NAME", "TYPE", "DATA"), [(r.owner, r.type, r.data) for r in found]))
    if not found:
        note(f"no name {_full_name(name or '', known.namespace, domain)}")
        raise typer.Exit(1)


def resolve(
    known: Known,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name that a program in a pod asks for.")],
    from_namespace: Annotated[
        str, typer.Option("--from-namespace", metavar="NAMESPACE", help="Namespace of the pod.")
    ] = "default",
    kind: Annotated[
        list[str] | None,
        typer.Option("--type", "-t", metavar="TYPE", help="Type asked for. Repeatable (default: A, AAAA)."),
    ] = None,
    ndots: Annotated[
        int, typer.Option("--ndots", min=0, max=15, help="Dots from which on a name is tried as it is first.")
    ] = 5,
    search: Annotated[
        list[str] | None,
        typer.Option("--search", metavar="DOMAIN", help="A search domain of the node. Repeatable."),
    ] = None,
    output: Annotated[
        Literal["table", "json"], typer.Option("--output", "-o", help="Form of the output.")
    ] = "table",
    domain: Domain = "cluster.local",
    servers: Servers = None,
) -> None:
    """Show the questions that a pod sends for a name, in order, and what is answered.

    Exit code 1: the cluster DNS does not find the name.
    """
    from rulegen.cli.output import dump, emit, table
    from rulegen.dns.search import resolve as search_for

    server = _server(known, domain, servers, 30)
    kinds = [each.upper() for each in kind or ("A", "AAAA")]
    found = search_for(server, name, from_namespace, kinds=kinds, search=search or (), ndots=ndots)
    if output == "json":
        dump(_resolution(found), "json")
    else:
        rows = [
            (str(number), attempt.name, attempt.kind, _outcome(attempt))
            for number, attempt in enumerate(found.attempts, 1)
        ]
        emit(table(("#", "NAME", "TYPE", "ANSWER"), rows))
        emit(_summary(found, name, kinds, from_namespace))
        for elsewhere in _elsewhere(server, name, found):
            emit(f"namespace {elsewhere} has a Service {name}: ask for {name}.{elsewhere}")
    if found.outcome != "found":
        raise typer.Exit(1)


def serve(
    known: Known,
    listen: Annotated[
        str, typer.Option("--listen", metavar="ADDRESS:PORT", help="Where to answer, over UDP and TCP.")
    ] = "127.0.0.1:5353",
    domain: Domain = "cluster.local",
    servers: Servers = None,
    ttl: Ttl = 30,
) -> None:
    """Answer questions about the cluster's names for real, for labs and tests, until interrupted."""
    import asyncio

    from rulegen.cli.output import note

    try:
        from rulegen.dns import serve as network
    except ModuleNotFoundError as error:
        raise ValueError("serving needs dnspython: install rulegen[dns]") from error

    host, port = network.listen_address(listen)
    server = _server(known, domain, servers, ttl)
    asyncio.run(network.serve(server, host, port, lambda where: note(f"answering on {where} (UDP and TCP)")))


def _server(known: Known, domain: str, servers: list[str] | None, ttl: int) -> DnsServer:
    from rulegen.cli.output import note
    from rulegen.dns import Directory, DnsServer
    from rulegen.dns.names import packed_address

    for each in servers or ():
        if packed_address(each) is None:
            raise ValueError(f'--server-address "{each}": must be an IP address')
    directory = Directory(known.cluster)
    lacking = [
        f"{entry.namespace}/{entry.name}"
        for entry in directory.services.values()
        if entry.external_name is None and not entry.addresses
    ]
    if lacking:
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        note(f"{', '.join(lacking[:3])}{more}: no cluster IP yet, so the name has no address")
    own = [target.address for target in directory.targets(("kube-system", "kube-dns"))]
    return DnsServer(directory, domain, addresses=servers or own or ["127.0.0.1"], ttl=ttl)


def _full_name(name: str, namespace: str, domain: str) -> str:
    """The absolute name that a Service's name, NAME.NAMESPACE, or a name in the cluster domain stands for."""
    from rulegen.dns.names import absolute, is_within, labels

    kind, slash, rest = name.partition("/")
    if slash:
        if kind not in ("svc", "service", "services"):
            raise ValueError(f"{name}: a Service is meant, as in svc/{rest}")
        name = rest
    parts = labels(name)
    if name.endswith(".") or is_within(parts, labels(domain)) or parts[-1:] == ("arpa",):
        return absolute(name)
    if parts[-1:] in (("svc",), ("pod",)):
        return absolute(f"{name}.{domain}")
    return absolute(f"{name}.svc.{domain}" if len(parts) == 2 else f"{name}.{namespace}.svc.{domain}")


def _outcome(attempt: Attempt) -> str:
    reply = attempt.reply
    match reply.outcome:
        case "found":
            return ", ".join(_data(record) for record in reply.answers)
        case "no such type":
            return f"NOERROR, no answer: the name exists, but has no {attempt.kind} record"
        case "no such name":
            return "NXDOMAIN: no such name"
    return "asked of the servers upstream: the name is not of the cluster"


def _data(record: Record) -> str:
    return record.data if record.type in ("A", "AAAA") else f"{record.type} {record.data}"


def _summary(found: Resolution, name: str, kinds: list[str], namespace: str) -> str:
    asked = " or ".join(kinds)
    match found.outcome:
        case "found":
            answer = ", ".join(found.addresses)
            if not answer:
                target = found.attempts[-1].reply.answers or next(
                    a.reply.answers for a in reversed(found.attempts) if a.reply.answers
                )
                return f"{name} is {found.name}, another name of {target[-1].data} outside of the cluster"
            return f"{name} is {found.name}: {answer}"
        case "not of the cluster":
            return f"{name} is no name of the cluster: {found.name} is left to the servers upstream"
        case "no such type":
            exists = next(a.name for a in found.attempts if a.reply.outcome == "no such type")
            return f"{name} is not found: {exists} exists, but has no {asked} record"
    return f"{name} is not found from namespace {namespace}: no such name"


def _elsewhere(server: DnsServer, name: str, found: Resolution) -> list[str]:
    """The namespaces, a few at most, that have a Service of a name that was not found."""
    if found.outcome == "found" or "." in name:
        return []
    return sorted(entry.namespace for entry in server.directory.services.values() if entry.name == name)[:3]


def _resolution(found: Resolution) -> dict[str, Any]:
    return {
        "outcome": found.outcome,
        "name": found.name,
        "addresses": found.addresses,
        "upstream": found.upstream,
        "queries": [
            {
                "name": attempt.name,
                "type": attempt.kind,
                "rcode": attempt.reply.rcode,
                "outcome": attempt.reply.outcome,
                "answers": [[r.owner, r.type, r.data] for r in attempt.reply.answers],
            }
            for attempt in found.attempts
        ],
    }
