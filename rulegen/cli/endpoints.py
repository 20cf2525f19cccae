"""``rulegen endpoints``: what the cluster's controllers make of Services and Pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rulegen.cli import options

if TYPE_CHECKING:
    from rulegen.cli.inputs import Inputs
    from rulegen.model import Endpoints, EndpointSlice

EXAMPLES = """
Examples:

\b
  # The EndpointSlices that an application gets
  rulegen endpoints -f app.yaml -o yaml
\b
  # The same for a Deployment that has no Pods yet, with five replicas
  rulegen endpoints -f app.yaml --scale deploy/web=5 -o wide
\b
  # Old-style Endpoints
  rulegen endpoints -f app.yaml --kind Endpoints -o json
"""


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(options.takes_inputs(endpoints))


def endpoints(
    inputs: Inputs,
    kind: Annotated[
        Literal["EndpointSlice", "Endpoints"], typer.Option("--kind", help="What is made.")
    ] = "EndpointSlice",
    output: Annotated[
        Literal["yaml", "json", "wide"], typer.Option("--output", "-o", help="Form of the output.")
    ] = "yaml",
) -> None:
    """Print the EndpointSlices (or Endpoints) that the controllers make of Services and Pods.

    Names that are random in a cluster are derived from what they name: the same in every run.
    """
    import msgspec

    from rulegen import controllers
    from rulegen.cli.output import dump, emit, note

    # A cluster's controllers leave out Pods on Nodes that they do not know; here, those are just not given.
    made: list[EndpointSlice] | list[Endpoints]
    if kind == "EndpointSlice":
        made = controllers.endpoint_slices(inputs.cluster, require_nodes=False)
        if made:
            note("the ends of slices' names are random in a cluster; these are derived and stay the same")
    else:
        made = controllers.endpoints(inputs.cluster, require_nodes=False)
    if output == "wide":
        emit(_table(made))
        return
    items: list[dict[str, Any]] = []
    for each in made:
        data = msgspec.to_builtins(each)
        # A Service from a manifest has no uid yet, and nothing can be owned by what has none.
        owners = [owner for owner in data["metadata"].pop("ownerReferences", ()) if owner["uid"]]
        if owners:
            data["metadata"]["ownerReferences"] = owners
        items.append({"apiVersion": each.api_version, "kind": each.kind, **data})
    if output == "json":
        dump({"apiVersion": "v1", "kind": "List", "items": items}, "json")
        return
    for index, item in enumerate(items):
        if index:
            emit("---")
        dump(item, "yaml")


def _table(made: list[EndpointSlice] | list[Endpoints]) -> str:
    from rulegen.cli.output import table
    from rulegen.model import EndpointSlice

    rows: list[tuple[str, ...]] = []
    for each in made:
        name = f"{each.metadata.namespace}/{each.metadata.name}"
        if isinstance(each, EndpointSlice):
            ports = ",".join(f"{p.port}/{p.protocol}" for p in each.ports or ()) or "<unset>"
            for end in each.endpoints or ():
                state = end.conditions
                ready = state is None or state.ready is not False
                word = "ready" if ready else "terminating" if state and state.terminating else "not ready"
                pod = end.target_ref.name if end.target_ref else "-"
                rows.append(
                    (
                        name,
                        ports,
                        end.addresses[0],
                        pod,
                        end.node_name or "-",
                        end.zone or "-",
                        _hints(end),
                        word,
                    )
                )
            if not each.endpoints:
                rows.append((name, ports, "<none>", "-", "-", "-", "-", "-"))
            continue
        for subset in each.subsets or ():
            ports = ",".join(f"{p.port}/{p.protocol}" for p in subset.ports or ()) or "<unset>"
            for word, addresses in (
                ("ready", subset.addresses),
                ("not ready", subset.not_ready_addresses),
            ):
                for address in addresses or ():
                    pod = address.target_ref.name if address.target_ref else "-"
                    rows.append((name, ports, address.ip, pod, address.node_name or "-", "-", "-", word))
    return table(("NAME", "PORTS", "ADDRESS", "POD", "NODE", "ZONE", "HINTS", "STATE"), rows)


def _hints(end: Any) -> str:
    if end.hints is None:
        return "-"
    zones = [zone.name for zone in end.hints.for_zones or ()]
    nodes = [f"node {node.name}" for node in end.hints.for_nodes or ()]
    return ",".join([*zones, *nodes]) or "-"
