"""``rulegen explain endpoints``: every endpoint that was found, and why it is used or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

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
    group.command("endpoints", epilog=EXAMPLES)(endpoints)
    # A callback keeps typer from merging a group with a single command into that command.
    group.callback()(lambda: None)
    app.add_typer(group, name="explain")


def endpoints(
    what: Annotated[list[str], typer.Argument(metavar="NAME | svc/NAME", help="The Service.")],
    files: options.Files = None,
    recursive: options.Recursive = False,
    strict: options.Strict = False,
    namespace: options.Namespace = "default",
    mode: options.Mode = None,
    family: options.FamilyName = None,
    node: options.NodeName = None,
    node_file: options.NodeFile = None,
    node_ip: options.NodeIP = None,
    interface: options.Interface = None,
    nfacct: options.Nfacct = None,
    liberal: options.Liberal = None,
    config: options.Config = None,
    version: options.Version = "1.37",
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="wide, json or yaml (default: a table).")
    ] = None,
) -> None:
    """Explain every endpoint of a Service: used on this node for which traffic, or why not."""
    from rulegen.cli.inputs import read
    from rulegen.cli.output import dump, emit, note
    from rulegen.plan import skip_reason

    if output not in (None, "wide", "json", "yaml"):
        raise ValueError(f"-o {output}: must be one of wide, json, yaml")
    name = service_name(what)
    inputs = read(
        files,
        recursive=recursive,
        strict=strict,
        namespace=namespace,
        mode=mode,
        node=node,
        node_file=node_file,
        node_ips=node_ip,
        interfaces=interface,
        nfacct=nfacct,
        liberal=liberal,
        config=config,
        version=version,
    )
    service = inputs.service(name, namespace)
    data: list[dict[str, Any]] = []
    for each in inputs.families(family):
        reason = skip_reason(service, each)
        if reason is not None:
            if family is not None or each == inputs.primary():
                note(f"{namespace}/{service.metadata.name}: no {each} rules ({reason})")
            continue
        for port, chains in _explained(inputs, service, each):
            if output in ("json", "yaml"):
                data.append(_as_data(port, chains))
            else:
                emit(_as_table(port, chains, wide=output == "wide"))
    if output in ("json", "yaml"):
        dump(
            {"service": f"{namespace}/{service.metadata.name}", "node": inputs.node.name, "ports": data},
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


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _as_table(port: PortVerdicts, chains: dict[str, str], *, wide: bool) -> str:
    from rulegen.cli.output import framed, table

    header = ["ENDPOINT", "POD", "NODE", "ZONE", "CLUSTER", "LOCAL"]
    if wide:
        header += ["INTERNAL", "EXTERNAL", "ORDER", "SLICE", "CHAIN"]

    def row(v: Verdict) -> list[str]:
        cells = [v.address, v.pod or "-", v.node or "-", v.zone or "-", _yes(v.cluster), _yes(v.local)]
        if wide:
            order = str(v.order) if v.order else "-"
            cells += [_yes(v.internal), _yes(v.external), order, v.source or "-", chains.get(v.address, "-")]
        return [*cells, v.why]

    body = table([*header, "WHY"], map(row, port.verdicts)) if port.verdicts else ""
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
