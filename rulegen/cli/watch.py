"""``rulegen watch``: transactions as files change."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rulegen.cli import options

if TYPE_CHECKING:
    from rulegen.cli.inputs import Inputs
    from rulegen.compiler import Compiler
    from rulegen.model import Family
    from rulegen.netns.facts import Says
    from rulegen.netns.follow import Followed
    from rulegen.plan import Plan

EXAMPLES = """
Examples:

\b
  # What would have to be programmed while you edit
  rulegen watch -f manifests/
\b
  # A lab namespace that follows the files
  rulegen watch -f manifests/ --apply --netns lab --create
"""


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(options.with_shared(watch))


def watch(
    interval: Annotated[
        float, typer.Option("--interval", help="Seconds between two looks at the files.")
    ] = 0.5,
    count: Annotated[int, typer.Option("--count", help="Stop after this many transactions (0: never).")] = 0,
    apply: Annotated[
        bool,
        typer.Option(
            "--apply", help="Program each transaction into a namespace (--netns), of both families."
        ),
    ] = False,
    netns: Annotated[
        str | None,
        typer.Option("--netns", metavar="NAME", help="The namespace that follows, with --apply."),
    ] = None,
    create: Annotated[
        bool, typer.Option("--create", help="Make the namespace if it is not there, with --apply.")
    ] = False,
    *,
    shared: dict[str, Any],
) -> None:
    """Follow files, and print a transaction whenever they change what the rules are.

    It is text for iptables-restore --noflush, nft -f or (ipvs) a shell. Only the Services that changed are
    looked at again. A state of the files that cannot be used is told and passed over: the rules stay as they
    were until it can. With --apply the namespace is programmed as `rulegen apply` does at first, then by each
    transaction; where the kernel refuses one, all of it is looked at again.
    """
    from rulegen.cli.output import note
    from rulegen.collector import goes_on
    from rulegen.compiler import Compiler
    from rulegen.load import LoadError
    from rulegen.watching import stamp

    files = shared["files"] or []
    if "-" in files:
        raise ValueError("standard input cannot be watched")
    if apply != (netns is not None):
        raise ValueError("--apply and --netns NAME go together: the namespace that follows the files")
    seen = stamp(files, recursive=shared["recursive"])
    watched = _Watched(_read(shared))
    if apply:
        watched.begin_in(str(netns), create=create)
    inputs = watched.inputs
    families = watched.families if apply else watched.families[:1]
    compilers = {
        family: Compiler(inputs.cluster, inputs.node, inputs.config, inputs.version, family)
        for family in families
    }
    note(
        f"watching {len(seen)} file{'s' if len(seen) != 1 else ''} ({', '.join(families)}); interrupt to stop"
    )
    goes_on()
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
        told += watched.follow(compilers, fresh)


def _read(shared: dict[str, Any]) -> Inputs:
    from rulegen.cli.inputs import read

    return read(**shared)


class _Watched:
    """What was read last, and the namespace that follows, if one does.

    ``read`` is as it was read, ``inputs`` with what the namespace says of itself.
    """

    def __init__(self, inputs: Inputs) -> None:
        self.read = self.inputs = inputs
        self.families: tuple[Family, ...] = inputs.families()
        self.followed: Followed | None = None

    def begin_in(self, netns: str, *, create: bool) -> None:
        """Program the namespace as a whole."""
        from rulegen.cli.apply import target_of, tell
        from rulegen.netns.follow import Followed
        from rulegen.netns.space import TIMEOUT

        target = target_of(netns, host_netns=False, seconds=TIMEOUT, create=create)
        self.followed = Followed(target, self.inputs.config.mode, self._plans)
        tell(self.followed.start(), "text", aside=True)

    def _plans(self, facts: Says) -> dict[Family, Plan]:
        from rulegen.cli.apply import known_of

        self.inputs = known = known_of(self.read, facts)
        self.families = tuple(family for family in known.families() if family != "IPv6" or facts.ipv6)
        return {family: known.plan(family) for family in known.families()}

    def follow(self, compilers: dict[Family, Compiler], fresh: Inputs) -> int:
        """Print, or program, the transactions between two states of the files; how many there were."""
        import sys

        from rulegen.cli.output import emit, note
        from rulegen.watching import changes

        before = self.read
        if (before.node, before.config) != (fresh.node, fresh.config):
            note("the node or the configuration changed: start watch anew")
            raise typer.Exit(2)
        self.read = fresh
        found = changes(before.cluster, fresh.cluster)
        told = 0
        for family, compiler in compilers.items():
            transaction = compiler.update(found.changed, found.removed)
            if not transaction:
                continue
            told = 1
            size = len(transaction.text.encode())
            if self.followed is None:
                emit(transaction.text)
                sys.stdout.flush()
            else:
                again = self.followed.take(family, transaction)
                if again is not None:
                    note(f"{family}: the kernel refused it, so all was looked at: {len(again.steps)} steps")
            note(f"{len(found.changed)} changed, {len(found.removed)} removed: {size} bytes ({family})")
        return told
