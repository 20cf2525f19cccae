"""``rulegen dns``: what the cluster DNS answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from rulegen.cli import options
from rulegen.cli.dns_options import Domain, Servers, Ttl, check_name, server_of
from rulegen.cli.dns_resolve import resolve

if TYPE_CHECKING:
    from rulegen.cli.objects import Known

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

    server = server_of(known, domain, servers, ttl)
    found = listing.records(server, known.cluster.pods)
    if output == "zone":
        if name is not None:
            raise ValueError("a zone file has all names: leave the name out")
        emit(listing.zone_file(found, server, listing.zone_named(zone, server)))
        return
    wanted: list[str] = []
    if name is not None:
        wanted = _full_names(name, known.namespace, domain)
        found = next((own for full in wanted if (own := listing.about(found, full))), [])
    if output == "json":
        dump([{"name": r.owner, "type": r.type, "data": r.data, "ttl": r.ttl} for r in found], "json")
    elif output == "hosts":
        # Nobody asks for the name server's names in the zones of addresses.
        emit(listing.hosts(record for record in found if not record.owner.endswith(".arpa.")))
    elif found:
        emit(table(("NAME", "TYPE", "DATA"), [(r.owner, r.type, r.data) for r in found]))
    if not found:
        note(f"no name {' or '.join(wanted)}")
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
    from rulegen.collector import goes_on

    try:
        from rulegen.dns import serve as network
    except ModuleNotFoundError as error:
        raise ValueError("serving needs dnspython: install rulegen[dns]") from error

    host, port = network.listen_address(listen)
    server = server_of(known, domain, servers, ttl)
    goes_on()
    asyncio.run(network.serve(server, host, port, lambda where: note(f"answering on {where} (UDP and TCP)")))


def _full_names(name: str, namespace: str, domain: str) -> list[str]:
    """The absolute names that a name may stand for, as a pod of the namespace would look for it."""
    from rulegen.dns.names import absolute, is_within, labels
    from rulegen.dns.search import search_domains

    kind, slash, rest = name.partition("/")
    if slash:
        if kind not in ("svc", "service", "services"):
            raise ValueError(f"{name}: a Service is meant, as in svc/{rest}")
        name = rest
    check_name(name)
    parts = labels(name)
    if name.endswith(".") or is_within(parts, labels(domain)) or parts[-1:] == ("arpa",):
        return [absolute(name)]
    return [absolute(f"{name}.{each}") for each in search_domains(namespace, domain)]
