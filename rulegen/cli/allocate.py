"""``rulegen allocate``: Services with the addresses and ports that they get."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from rulegen.cli import options

EXAMPLES = """
Examples:

\b
  # What would my Services get? The same answer every time
  rulegen allocate -f app.yaml
\b
  # Keep what was given, whatever is added later
  rulegen allocate -f manifests/ --state allocated.json > services.yaml
\b
  # All objects, completed, for the next command
  rulegen allocate -f app.yaml --all | rulegen render -f - --node n1
"""


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(allocate)


def allocate(
    files: options.Files = None,
    recursive: options.Recursive = False,
    strict: options.Strict = False,
    namespace: options.Namespace = "default",
    service_cidr: options.ServiceCIDRs = None,
    node_port_range: options.NodePortRange = "30000-32767",
    state: options.StateFile = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Print all other objects of the input, too: the file, completed.")
    ] = False,
    output: Annotated[
        Literal["yaml", "json"], typer.Option("--output", "-o", help="Form of the output.")
    ] = "yaml",
) -> None:
    """Print the Services with cluster IPs, node ports and health check ports for those that have none.

    Values that a Service has are never touched. What a cluster would give is random; this is not.
    """
    from rulegen.allocation import with_allocated
    from rulegen.cli.objects import allocated, read_objects, server_of
    from rulegen.cli.output import dump_objects

    loaded = read_objects(
        files,
        recursive=recursive,
        strict=strict,
        namespace=namespace,
        server=server_of(service_cidr, node_port_range),
        keep_plain=True,
        used=None if everything else (),
    )
    cluster = allocated(loaded.cluster, service_cidr, node_port_range, state)
    objects = list(with_allocated(loaded.plain, cluster.services))
    if not everything:
        objects = [item for item in objects if item.get("kind") == "Service"]
    elif cluster.proxy_configuration is not None:
        objects.append(cluster.proxy_configuration)
    dump_objects(objects, output)
