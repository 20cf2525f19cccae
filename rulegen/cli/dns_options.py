"""What the commands of ``rulegen dns`` share: options, and the name server that answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rulegen.cli.objects import Known
    from rulegen.dns import DnsServer

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


def server_of(known: Known, domain: str, servers: list[str] | None, ttl: int) -> DnsServer:
    from rulegen.cli.output import note
    from rulegen.dns import Directory, DnsServer
    from rulegen.dns.names import packed_address

    for each in servers or ():
        if packed_address(each) is None:
            raise ValueError(f'--server-address "{each}": must be an IP address')
    if domain:
        check_name(domain)
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


def check_name(name: str) -> None:
    """Refuse what no program can ask for. Raises ValueError."""
    from rulegen.dns.names import labels

    if not name.strip(".") or not name.isprintable() or any(character.isspace() for character in name):
        raise ValueError(f"{name!r}: a domain name is meant")
    labels(name)
