"""``rulegen collect``: a script that gathers what there is to know of a node."""

from __future__ import annotations

import typer

EXAMPLES = """
Examples:

\b
  # Gather a node's rules into one archive, to look at elsewhere
  rulegen collect | ssh node-1 sudo sh > node-1.tar.gz
\b
  # The same from a debugging pod with the node's namespaces
  rulegen collect > collect.sh
"""


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(collect)


def collect() -> None:
    """Print a shell script that gathers a node's dumps, read-only, into one archive.

    Commands that take a dump take the archive.
    """
    from rulegen.cli.output import emit
    from rulegen.dump import script

    emit(script())
