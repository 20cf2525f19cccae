"""``rulegen whose``: which Service a chain, an address, a port or a set entry belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rulegen.cli import options

if TYPE_CHECKING:
    from rulegen.cli.inputs import Inputs
    from rulegen.whose import Answer

EXAMPLES = """
Examples:

\b
  # A chain seen on a node, and the manifests it may come from
  rulegen whose KUBE-SEP-N357PXV6D5FPH3DQ -f manifests/
\b
  # An address, from the node's own dump
  rulegen whose 10.10.0.232:80 --dump node.save
\b
  # A node port; an entry of an ipset
  rulegen whose 30651 -f manifests/
  rulegen whose KUBE-CLUSTER-IP 10.96.0.1,tcp:443 -f manifests/
"""


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(options.takes_inputs(whose, optional=True))


def whose(
    inputs: Inputs | None,
    what: Annotated[
        list[str],
        typer.Argument(metavar="CHAIN | IP[:PORT] | PORT | SET ENTRY", help="What was found somewhere."),
    ],
    dump: Annotated[
        list[str] | None,
        typer.Option(
            "--dump", metavar="FILE", help="A node's dump, or an archive of `rulegen collect`. Repeatable."
        ),
    ] = None,
    output: Annotated[
        Literal["table", "json", "yaml"], typer.Option("--output", "-o", help="Form of the output.")
    ] = "table",
) -> None:
    """Say which Service, port and endpoint something belongs to; exit code 1 where it is nobody's."""
    from rulegen.cli.output import dump as dump_data
    from rulegen.cli.output import emit, note, table
    from rulegen.dump import read
    from rulegen.whose import in_dump, in_plan, question

    asked = question(what)
    if inputs is None and not dump:
        raise ValueError("nothing to look in: name manifests with -f, a node's dump with --dump, or both")
    answers: list[Answer] = []
    if inputs is not None:
        for family in inputs.families():
            answers += in_plan(inputs.plan(family), asked)
    for name in dump or ():
        answers += [found for found in in_dump(read(name), asked) if not _known(found, answers)]
    if output != "table":
        dump_data({"asked": asked.text, "owners": [_as_data(answer) for answer in answers]}, output)
    elif answers:
        rows = [
            (a.service or "-", a.protocol or "-", a.family, a.role, a.endpoint or "-", a.note)
            for a in answers
        ]
        emit(table(("SERVICE", "PROTOCOL", "FAMILY", "ROLE", "ENDPOINT", "NOTE"), rows))
    else:
        note(f"{asked.text}: no Service of those given has it")
    if not answers:
        raise typer.Exit(1)


def _known(found: Answer, answers: list[Answer]) -> bool:
    """Whether manifests said the same already, or named what a dump cannot name."""
    return any(
        (found.service, found.endpoint) == (answer.service, answer.endpoint)
        or (not found.service and answer.service)
        for answer in answers
    )


def _as_data(answer: Answer) -> dict[str, str]:
    return {
        "service": answer.service,
        "protocol": answer.protocol,
        "family": answer.family,
        "role": answer.role,
        "endpoint": answer.endpoint,
        "note": answer.note,
    }
