"""``rulegen explain endpoints``: every endpoint that was found, and why it is used or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rulegen.cli import options
from rulegen.cli.show import service_name

if TYPE_CHECKING:
    from rulegen.cli.inputs import Inputs
    from rulegen.model import Family, Service
    from rulegen.plan.explain import PortVerdicts, Verdict

EXAMPLES = """
Examples:

\b
  # Which endpoints of a Service does node n1 use, and why not the others?
  rulegen explain endpoints web -f cluster.yaml --node n1
\b
  # The same with the EndpointSlice and the chain of each
  rulegen explain endpoints svc/web -n prod -f cluster.yaml -o wide
"""


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Explain decisions.", rich_markup_mode=None, no_args_is_help=True)
    group.command("endpoints", epilog=EXAMPLES)(options.takes_inputs(endpoints))
    # A callback keeps typer from merging a group with a single command into that command.
    group.callback()(lambda: None)
    app.add_typer(group, name="explain")


def endpoints(
    inputs: Inputs,
    what: Annotated[list[str], typer.Argument(metavar="NAME | svc/NAME", help="The Service.")],
    output: Annotated[
        Literal["table", "wide", "json", "yaml"], typer.Option("--output", "-o", help="Form of the output.")
    ] = "table",
) -> None:
    """Explain every endpoint of a Service: used on this node for which traffic, or why not."""
    from rulegen.cli.output import dump, emit

    service = inputs.service(service_name(what))
    data: list[dict[str, Any]] = []
    for each in inputs.families_of(service):
        left_out = _left_out(inputs, service, each)
        for port, chains in _explained(inputs, service, each):
            if output in ("json", "yaml"):
                pods = [{"pod": pod, "why": why} for pod, why in left_out]
                data.append({**_as_data(port, chains), "podsLeftOut": pods})
            else:
                emit(_as_table(port, chains, left_out, wide=output == "wide"))
    if output in ("json", "yaml"):
        dump(
            {
                "service": f"{inputs.namespace}/{service.metadata.name}",
                "node": inputs.node.name,
                "ports": data,
            },
            output,
        )


def _explained(inputs: Inputs, service: Service, family: Family) -> list[tuple[PortVerdicts, dict[str, str]]]:
    from rulegen.plan.explain import explain

    plan = inputs.plan(family)
    ruleset = inputs.backend.compile_rules(plan)
    metadata = service.metadata
    explained = explain(plan, inputs.cluster.slices, metadata.namespace, metadata.name)
    own = [
        p.port
        for p in plan.ports
        if (p.port.namespace, p.port.service) == (metadata.namespace, metadata.name)
    ]
    return [
        (verdicts, dict(inputs.backend.chain_names(ruleset, port)))
        for port, verdicts in zip(own, explained, strict=True)
    ]


def _left_out(inputs: Inputs, service: Service, family: Family) -> list[tuple[str, str]]:
    """Pods that the selector picks and that are no endpoints all the same, and why."""
    from rulegen.controllers import explain

    decisions = explain(service, inputs.cluster.pods, inputs.cluster.nodes, families=[family])
    return [
        (decision.pod.metadata.name, decision.detail)
        for decision in decisions
        if not decision.included and decision.verdict != "not-selected"
    ]


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _as_table(
    port: PortVerdicts, chains: dict[str, str], left_out: list[tuple[str, str]], *, wide: bool
) -> str:
    from rulegen.cli.output import framed, table

    header = ["ENDPOINT", "POD", "NODE", "ZONE", "CLUSTER", "LOCAL"]
    if wide:
        header += ["INTERNAL", "EXTERNAL", "ORDER", "SLICE", "CHAIN"]

    def row(v: Verdict) -> list[str]:
        cells = [v.address, v.pod or "-", v.node or "-", v.zone or "-", _yes(v.cluster), _yes(v.local)]
        if wide:
            order = str(v.order) if v.order else "-"
            chain = chains.get(v.address, "-") if v.order else "-"
            cells += [_yes(v.internal), _yes(v.external), order, v.source or "-", chain]
        return [*cells, v.why]

    rows = [row(verdict) for verdict in port.verdicts]
    blank = ["-"] * (len(header) - 2)
    rows += [["-", pod, *blank, f"no endpoint: {why}"] for pod, why in left_out]
    body = table([*header, "WHY"], rows) if rows else ""
    return framed("endpoints", port=port, table=body)


def _as_data(port: PortVerdicts, chains: dict[str, str]) -> dict[str, Any]:
    return {
        "port": port.name,
        "protocol": port.protocol,
        "family": port.family,
        "summary": port.summary,
        "endpoints": [
            {
                "endpoint": v.address,
                "pod": v.pod,
                "node": v.node,
                "zone": v.zone,
                "slice": v.source,
                "order": v.order,
                "ready": v.ready,
                "cluster": v.cluster,
                "local": v.local,
                "internal": v.internal,
                "external": v.external,
                "chain": chains.get(v.address, "") if v.order else "",
                "why": v.why,
            }
            for v in port.verdicts
        ],
    }
