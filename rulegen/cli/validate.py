"""``rulegen validate``: check objects as the API server does."""

from __future__ import annotations

import typer

from rulegen.cli import options

EXAMPLES = """
Examples:

\b
  # All objects of a repository; exit code 2 when one is refused
  rulegen validate -R -f manifests/ --strict
"""


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(validate)


def validate(
    files: options.Files = None,
    recursive: options.Recursive = False,
    strict: options.Strict = False,
    namespace: options.Namespace = "default",
) -> None:
    """Check all objects; every error is listed with file, line, object and field."""
    from rulegen.cli.inputs import read_objects
    from rulegen.cli.output import emit

    loaded = read_objects(files, recursive=recursive, strict=strict, namespace=namespace)
    cluster = loaded.cluster
    counts = {
        "Service": len(cluster.services),
        "EndpointSlice": len(cluster.slices),
        "Endpoints": len(cluster.endpoints),
        "Pod": len(cluster.pods),
        "Node": len(cluster.nodes),
        "ServiceCIDR": len(cluster.service_cidrs),
        "KubeProxyConfiguration": int(cluster.proxy_configuration is not None),
    }
    listed = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    emit(f"valid: {listed or 'nothing that rules depend on'}")
