"""``rulegen endpoints``: what the cluster's controllers make of Services and Pods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rulegen.cli import options

if TYPE_CHECKING:
    from rulegen.cli.objects import Known
    from rulegen.model import Cluster, Endpoints, EndpointSlice

EXAMPLES = """
Examples:

\b
  # The EndpointSlices that an application gets
  rulegen endpoints -f app.yaml -o yaml
\b
  # The same for a Deployment that has no Pods yet, with five replicas
  rulegen endpoints -f app.yaml --scale deploy/web=5 -o wide
\b
  # Old-style Endpoints, of one Service
  rulegen endpoints web -n prod -f app.yaml --kind Endpoints -o json
\b
  # The rules that these endpoints give
  rulegen endpoints -f app.yaml --synthesize-pods | rulegen render -f app.yaml -f -
"""

RESOURCES = {"EndpointSlice": "endpointslice.discovery.k8s.io", "Endpoints": "endpoints"}


def register(app: typer.Typer) -> None:
    # Endpoints do not depend on what cluster IPs their Service has.
    app.command(epilog=EXAMPLES)(options.takes_cluster(endpoints, allocating=False))


def endpoints(
    known: Known,
    services: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SERVICE]...", help="Services, in the namespace of -n; all of all namespaces without it."
        ),
    ] = None,
    kind: Annotated[
        Literal["EndpointSlice", "Endpoints"], typer.Option("--kind", help="What is made.")
    ] = "EndpointSlice",
    selector: Annotated[
        str, typer.Option("--selector", "-l", metavar="LABELS", help="Only Services with such labels.")
    ] = "",
    everywhere: Annotated[
        bool, typer.Option("--all-namespaces", "-A", help="Of all namespaces: so it is without any SERVICE.")
    ] = False,
    output: Annotated[
        Literal["yaml", "json", "wide", "name"], typer.Option("--output", "-o", help="Form of the output.")
    ] = "yaml",
) -> None:
    """Print the EndpointSlices (or Endpoints) that the controllers make of Services and Pods.

    Names that are random in a cluster are derived from what they name: the same in every run.
    """
    from rulegen import controllers
    from rulegen.cli.output import dump_objects, emit, note
    from rulegen.controllers.written import as_object

    if services and everywhere:
        raise ValueError("a Service cannot be named across all namespaces: leave out -A or the name")
    cluster = _chosen(known, services or (), selector)
    # A cluster's controllers leave out Pods on Nodes that they do not know; here, those are just not given.
    made: list[EndpointSlice] | list[Endpoints]
    if kind == "EndpointSlice":
        made = controllers.endpoint_slices(cluster, require_nodes=False)
        if made:
            note("the ends of slices' names are random in a cluster; these are derived and stay the same")
    else:
        made = controllers.endpoints(cluster, require_nodes=False)
    if not made:
        note(f"no {kind} is made of these objects")
    elif output == "wide":
        emit(_table(made))
    elif output == "name":
        emit("".join(f"{RESOURCES[kind]}/{each.metadata.name}\n" for each in made))
    if output in ("yaml", "json"):
        dump_objects([as_object(each) for each in made], output)


def _chosen(known: Known, names: Sequence[str], selector: str) -> Cluster:
    """The cluster with the Services that are asked for. Raises ValueError for one that is not there."""
    import msgspec

    services = list(known.cluster.services)
    if selector:
        from rulegen.kubectl.selectors import matches, parse_labels

        wanted = parse_labels(selector)
        services = [each for each in services if matches(wanted, each.metadata.labels)]
    if names:
        chosen = [known.service(name) for name in names]
        services = [each for each in services if each in chosen]
    return msgspec.structs.replace(known.cluster, services=tuple(services))


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
