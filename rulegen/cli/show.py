"""``rulegen show``: only what belongs to one Service."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rulegen.cli import options
from rulegen.collector import kept

if TYPE_CHECKING:
    from rulegen.backend import ShownRule
    from rulegen.cli.inputs import Inputs
    from rulegen.model import Family, Service
    from rulegen.plan import PlannedPort

EXAMPLES = """
Examples:

\b
  # The rules of a Service, each with what it does
  rulegen show svc/web -f manifests/
\b
  # Where a packet can go, with the share of each endpoint
  rulegen show svc/web -n prod -f manifests/ -o tree
"""


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(options.takes_inputs(show))


def show(
    inputs: Inputs,
    what: Annotated[
        list[str],
        typer.Argument(metavar="service NAME | svc/NAME", help="The Service whose rules are shown."),
    ],
    output: Annotated[
        Literal["notes", "tree", "raw", "json", "yaml"],
        typer.Option("--output", "-o", help="Form of the output."),
    ] = "notes",
) -> None:
    """Show the chains and rules of one Service, in the order in which a packet meets them."""
    _print(inputs, inputs.service(service_name(what)), output)


def service_name(words: list[str]) -> str:
    """``service NAME``, ``svc NAME``, ``svc/NAME`` or ``NAME``."""
    if len(words) == 2 and words[0] in ("svc", "service", "services"):
        return words[1]
    if len(words) != 1:
        raise ValueError(f"one Service is meant, as in svc/NAME, not {' '.join(words)!r}")
    return words[0]


def _print(inputs: Inputs, service: Service, output: str) -> None:
    from rulegen.cli.output import dump, emit, framed

    metadata = service.metadata
    data = []
    text: list[str] = []
    for each in inputs.families_of(service):
        ruleset, planned = _alone(inputs, service, each)
        ports = [p.port for p in planned]
        if output == "tree":
            drawn = _tree(inputs, ruleset, planned)
            text.append(framed("tree", headline=_headline(inputs, service, planned), tree=drawn))
            continue
        rules = inputs.backend.show(ruleset, ports)
        if output == "raw":
            text.append("".join(f"{rule.line or rule.rule}\n" for rule in rules))
        elif output == "notes":
            sections = _sections(rules)
            text.append(framed("show", headline=_headline(inputs, service, planned), sections=sections))
        else:
            data += [
                {
                    "family": each,
                    "table": rule.table,
                    "chain": rule.chain,
                    "number": rule.number,
                    "rule": rule.rule,
                    "note": rule.note,
                }
                for rule in rules
            ]
    if output in ("json", "yaml"):
        dump(
            {"service": f"{metadata.namespace}/{metadata.name}", "mode": inputs.config.mode, "rules": data},
            output,
        )
    else:
        emit("\n".join(text) if output == "raw" else "".join(text))


def _alone(inputs: Inputs, service: Service, family: Family) -> tuple[Any, list[PlannedPort]]:
    """The ruleset in which a Service has its rules and their numbers, and its own ports."""
    name = service.metadata.namespace, service.metadata.name
    plan = inputs.plan(family, focus=name)
    ruleset = kept(inputs.backend.compile_rules(plan))
    return ruleset, [p for p in plan.ports if (p.port.namespace, p.port.service) == name]


def _headline(inputs: Inputs, service: Service, planned: list[PlannedPort]) -> str:
    from rulegen.cli.output import paint
    from rulegen.plan.addresses import join_host_port

    parts = [
        paint(f"{service.metadata.namespace}/{service.metadata.name}", "green", bold=True),
        service.spec.type,
    ]
    for item in planned:
        port = item.port
        parts.append(f"{join_host_port(port.cluster_ip, port.port)}/{port.protocol}")
        if port.node_port:
            parts.append(f"nodePort {port.node_port}")
    where = (
        f"({inputs.config.mode}, kube-proxy {inputs.version}, node {inputs.node.name or 'without a name'})"
    )
    return "  ".join(parts) + f"   {where}"


def tree_of(inputs: Inputs, service: Service) -> str:
    """The trees of a Service in all its families, without headlines."""
    text = []
    for family in inputs.families_of(service):
        ruleset, planned = _alone(inputs, service, family)
        text.append(_tree(inputs, ruleset, planned))
    return "".join(text)


def _tree(inputs: Inputs, ruleset: object, planned: list[PlannedPort]) -> str:
    from rulegen.cli.output import tree

    about = {}
    for item in planned:
        for c in item.found:
            pod = c.source.target_ref.name if c.source.target_ref else ""
            facts = [f"pod {pod}" if pod else "", f"node {c.source.node_name}" if c.source.node_name else ""]
            known = ", ".join(fact for fact in facts if fact)
            if known:
                about[c.address] = known
    return tree(inputs.backend.tree(ruleset, [p.port for p in planned]), about=about)


def _sections(rules: list[ShownRule]) -> list[dict[str, object]]:
    """The rules by chain, in their order."""
    return [
        {"table": table, "chain": chain, "rules": list(group)}
        for (table, chain), group in groupby(rules, key=lambda rule: (rule.table, rule.chain))
    ]
