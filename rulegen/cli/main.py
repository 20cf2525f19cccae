"""The `rulegen` command: calls a command and keeps tracebacks from users."""

from __future__ import annotations

import gc
import os
import sys
from typing import NoReturn

import typer

from rulegen.cli.commands import Commands
from rulegen.cli.streams import secure

app = typer.Typer(
    cls=Commands,
    name="rulegen",
    help="Compile, diff, trace and try the node rules that Kubernetes Services turn into.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _version(wanted: bool) -> None:
    if wanted:
        from rulegen import __version__
        from rulegen.versions import VERSIONS

        print(f"rulegen {__version__} (kube-proxy {', '.join(sorted(VERSIONS))})")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", help="Print versions and exit.", callback=_version, is_eager=True
    ),
) -> None:
    del version


def main() -> None:
    """Run the command line; exit codes 0, 1 (a difference, not delivered), 2 (an error).

    3 is a fault of rulegen itself, 130 an interrupt, 141 a reader that has seen enough.
    """
    try:
        app(prog_name="rulegen")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        sys.exit(_explained(error))


def _explained(error: Exception) -> int:
    """Say on standard error what went wrong; returns the exit code."""
    # Reading is a large room, and a command that failed has most likely been there already.
    from rulegen.cli.output import note_warnings
    from rulegen.load.problems import LoadError

    if isinstance(error, LoadError):
        # An unknown field is often why a required one is missing.
        note_warnings(error.warnings)
        for problem in error.problems:
            print(problem, file=sys.stderr)
        count = len(error.problems)
        print(f"{count} error{'s' if count != 1 else ''}; nothing was printed.", file=sys.stderr)
        return 2
    if isinstance(error, ValueError | OSError):
        reason = str(error)
        if isinstance(error, OSError) and error.strerror:
            reason = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        print(f"error: {reason}", file=sys.stderr)
        return 2
    if os.environ.get("RULEGEN_DEBUG"):
        raise error
    print(
        f"error: this is a fault of rulegen: {type(error).__name__}: {error}\n"
        "Please report it with the command and its input; RULEGEN_DEBUG=1 shows where it happened.",
        file=sys.stderr,
    )
    return 3


def command() -> NoReturn:
    """:func:`main` as a process of its own, which ends as soon as everything is written.

    A large cluster is a million values. Looking for cycles among them and letting go of each at the end takes
    longer than what most commands do with them; commands that go on (``collector.goes_on``) do look.
    """
    gc.disable()
    secure()
    code = 0
    for step in (main, sys.stdout.flush, sys.stderr.flush):
        try:
            step()
        except SystemExit as stop:
            # Nobody here leaves with a text.
            code = code or (stop.code if isinstance(stop.code, int) else int(stop.code is not None))
        except OSError as error:
            code = code or _explained(error)
    os._exit(code)


if __name__ == "__main__":
    command()
