"""``rulegen validate``: check objects as the API server does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rulegen.cli import options

if TYPE_CHECKING:
    from rulegen.load import Problem

EXAMPLES = """
Examples:

\b
  # All objects of a repository; exit code 2 when one is refused
  rulegen validate -R -f manifests/ --strict
\b
  # What is wrong, for a program to read
  rulegen validate -f manifests/ -o json
"""


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(validate)


def validate(
    files: options.Files = None,
    recursive: options.Recursive = False,
    strict: options.Strict = False,
    namespace: options.Namespace = "default",
    output: Annotated[
        Literal["text", "json", "yaml"], typer.Option("--output", "-o", help="Form of the output.")
    ] = "text",
) -> None:
    """Check all objects; every error is listed with file, line, object and field.

    The exit code is 0 where all are valid, else 2.
    """
    from rulegen.cli.objects import read_objects
    from rulegen.cli.output import dump, emit
    from rulegen.load import LoadError

    try:
        loaded = read_objects(
            files, recursive=recursive, strict=strict, namespace=namespace, every_warning=True
        )
    except LoadError as error:
        if output == "text":
            raise
        dump(
            {"valid": False, "errors": _as_data(error.problems), "warnings": _as_data(error.warnings)}, output
        )
        raise typer.Exit(2) from error
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
    found = {kind: count for kind, count in counts.items() if count}
    if output != "text":
        warnings = _as_data(loaded.warnings)
        dump({"valid": True, "objects": found, "errors": [], "warnings": warnings}, output)
        return
    listed = ", ".join(f"{count} {kind}" for kind, count in found.items())
    emit(f"valid: {listed or 'nothing that rules depend on'}")


def _as_data(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    import msgspec

    return [msgspec.structs.asdict(problem) for problem in problems]
