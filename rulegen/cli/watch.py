"""``rulegen watch``: transactions as files change."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rulegen.cli import options

if TYPE_CHECKING:
    from rulegen.cli.inputs import Inputs

EXAMPLES = """
Examples:

\b
  # What would have to be programmed while you edit
  rulegen watch -f manifests/
\b
  # The first change only, into a lab namespace
  rulegen watch -f manifests/ --count 1 | ip netns exec lab iptables-restore --noflush
"""


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(options.with_shared(watch))


def watch(
    interval: Annotated[
        float, typer.Option("--interval", help="Seconds between two looks at the files.")
    ] = 0.5,
    count: Annotated[int, typer.Option("--count", help="Stop after this many transactions (0: never).")] = 0,
    *,
    shared: dict[str, Any],
) -> None:
    """Follow files and print a transaction for iptables-restore --noflush whenever they change.

    Only the Services that changed are looked at again. A state of the files that cannot be used is told and
    passed over: the rules stay as they were until it can.
    """
    from rulegen.cli.output import note
    from rulegen.compiler import Compiler
    from rulegen.load import LoadError
    from rulegen.watching import stamp

    files = shared["files"] or []
    if "-" in files:
        raise ValueError("standard input cannot be watched")
    seen = stamp(files, recursive=shared["recursive"])
    inputs = _read(shared)
    if inputs.config.mode != "iptables":
        raise ValueError(f"watch knows the iptables mode only, not {inputs.config.mode}")
    family = inputs.families()[0]
    compiler = Compiler(inputs.cluster, inputs.node, inputs.config, inputs.version, family)
    note(f"watching {len(seen)} file{'s' if len(seen) != 1 else ''} ({family}); interrupt to stop")
    told = 0
    while not count or told < count:
        time.sleep(interval)
        now = stamp(files, recursive=shared["recursive"])
        if now == seen:
            continue
        seen = now
        try:
            fresh = _read(shared)
        except LoadError as error:
            for problem in error.problems:
                note(str(problem))
            note("not used: the rules stay as they were")
            continue
        told += _follow(compiler, inputs, fresh)
        inputs = fresh


def _read(shared: dict[str, Any]) -> Inputs:
    from rulegen.cli.inputs import read

    return read(**shared)


def _follow(compiler: Any, before: Inputs, after: Inputs) -> int:
    """Print the transaction between two states of the files; 1 where there was one."""
    import sys

    from rulegen.cli.output import emit, note
    from rulegen.watching import changes

    if (before.node, before.config) != (after.node, after.config):
        note("the node or the configuration changed: start watch anew")
        raise typer.Exit(2)
    found = changes(before.cluster, after.cluster)
    transaction = compiler.update(found.changed, found.removed)
    if not transaction:
        return 0
    emit(transaction.text)
    sys.stdout.flush()
    note(f"{len(found.changed)} changed, {len(found.removed)} removed: {len(transaction.text)} bytes")
    return 1
