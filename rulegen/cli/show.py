"""``rulegen show``: only what belongs to one Service."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from rulegen.cli import options

if TYPE_CHECKING:
    from rulegen.backend import ShownRule
    from rulegen.cli.inputs import Inputs
    from rulegen.model import Service
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
    app.command(epilog=EXAMPLES)(show)


def show(
    what: Annotated[
        list[str],
        typer.Argument(metavar="service NAME | svc/NAME", help="The Service whose rules are shown."),
    ],
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
    output: Annotated[str, typer.Option("--output", "-o", help="notes, tree, raw, json or yaml.")] = "notes",
) -> None:
    """Show the chains and rules of one Service, in the order in which a packet meets them."""
    from rulegen.cli.inputs import read

    if output not in ("notes", "tree", "raw", "json", "yaml"):
        raise ValueError(f"-o {output}: must be one of notes, tree, raw, json, yaml")
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
    _print(inputs, inputs.service(name, namespace), family, output)


def service_name(words: list[str]) -> str:
    """``service NAME``, ``svc NAME``, ``svc/NAME`` or ``NAME``."""
    if len(words) == 2 and words[0] in ("svc", "service", "services"):
        return words[1]
    if len(words) != 1:
        raise ValueError(f"one Service is meant, as in svc/NAME, not {' '.join(words)!r}")
    return words[0]


def _print(inputs: Inputs, service: Service, family: str | None, output: str) -> None:
    from rulegen.cli.output import dump, emit, framed, note
    from rulegen.plan import skip_reason

    metadata = service.metadata
    data = []
    text: list[str] = []
    for each in inputs.families(family):
        reason = skip_reason(service, each)
        if reason is not None:
            if family is not None or each == inputs.primary():
                note(f"{metadata.namespace}/{metadata.name}: no {each} rules ({reason})")
            continue
        plan = inputs.plan(each)
        ruleset = inputs.backend.compile_rules(plan)
        planned = [
            p for p in plan.ports if (p.port.namespace, p.port.service) == (metadata.namespace, metadata.name)
        ]
        ports = [p.port for p in planned]
        if output == "tree":
            drawn = _tree(inputs, ruleset, planned)
            text.append(framed("tree", headline=_headline(inputs, service, planned), tree=drawn))
            continue
        rules = inputs.backend.show(ruleset, ports)
        if output == "raw":
            text.append("".join(f"-A {rule.chain} {rule.rule}\n" for rule in rules))
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
