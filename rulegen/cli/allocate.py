"""``rulegen allocate``: Services with the addresses and ports that they get."""

from __future__ import annotations

from typing import Annotated, Any, Literal

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
    output: Annotated[
        Literal["yaml", "json"], typer.Option("--output", "-o", help="Form of the output.")
    ] = "yaml",
) -> None:
    """Print the Services with cluster IPs, node ports and health check ports for those that have none.

    Values that a Service has are never touched. What a cluster would give is random; this is not.
    """
    from rulegen.cli.inputs import allocated, read_objects, server_of
    from rulegen.cli.output import dump, emit

    loaded = read_objects(
        files,
        recursive=recursive,
        strict=strict,
        namespace=namespace,
        server=server_of(service_cidr, node_port_range),
        keep_plain=True,
    )
    made = {
        (service.metadata.namespace, service.metadata.name): service
        for service in allocated(loaded.cluster, service_cidr, node_port_range, state).services
    }
    items: list[dict[str, Any]] = []
    for item in loaded.plain:
        if item.get("kind") == "Service" and str(item.get("apiVersion")) == "v1":
            metadata = item["metadata"]
            items.append(_with(item, made[metadata["namespace"], metadata["name"]].spec))
    if output == "json":
        dump({"apiVersion": "v1", "kind": "List", "items": items}, "json")
        return
    for index, item in enumerate(items):
        if index:
            emit("---")
        dump(item, "yaml")


def _with(item: Any, spec: Any) -> dict[str, Any]:
    """The plain object with the values that the typed one has got."""
    given = {
        "clusterIP": spec.cluster_ip,
        "clusterIPs": spec.cluster_ips,
        "ipFamilies": spec.ip_families,
        "ipFamilyPolicy": spec.ip_family_policy,
        "healthCheckNodePort": spec.health_check_node_port,
    }
    changed = item["spec"] | {field: value for field, value in given.items() if value}
    changed["ports"] = [
        {**port, "nodePort": typed.node_port} if typed.node_port else port
        for port, typed in zip(changed.get("ports") or (), spec.ports or (), strict=True)
    ]
    return {"apiVersion": "v1", "kind": "Service", **item, "spec": changed}
