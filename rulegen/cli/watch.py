"""``rulegen watch``: transactions as files change."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rulegen.cli import options

if TYPE_CHECKING:
    from rulegen.backend import Transaction
    from rulegen.cli.inputs import Inputs
    from rulegen.compiler import Compiler
    from rulegen.model import Cluster, Family
    from rulegen.netns.apply import Report
    from rulegen.netns.facts import Says
    from rulegen.netns.follow import Followed
    from rulegen.plan import Plan

LONGEST = 86400
"""Seconds, a day."""
FIXED_CHANGED = "the node, the configuration or the Service CIDRs changed"

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
    count: Annotated[
        int, typer.Option("--count", min=0, help="Stop after this many transactions (0: never).")
    ] = 0,
    apply: Annotated[
        bool,
        typer.Option(
            "--apply",
            help="Program each transaction into a namespace (--netns), of all its families.",
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

    It is text for iptables-restore --noflush, nft -f or (ipvs) a shell, of the family that --family names or
    the node's first one. iptables-restore takes one after another from a pipe, nft waits for the end of its
    input. One transaction may be of several tables; a note says when it has been printed. In chains that
    Services share new rules come first: their order means nothing there.

    When a file changes all of them are read again, and the Services that differ are compiled again; where the
    node or the configuration changed, the transaction is that between the two whole rulesets.

    A state of the files that cannot be used is told and passed over: the rules stay as they were until it
    can. Another mode is such a state. An interrupt ends watch with exit code 130.

    With --apply the namespace is programmed as `rulegen apply` does at first, then by each transaction; where
    the kernel refuses one, all of it is looked at again. What others change in the namespace is not seen
    until then: `rulegen apply` mends it.
    """
    from rulegen.cli.output import note
    from rulegen.collector import goes_on
    from rulegen.load import LoadError
    from rulegen.model import Cluster
    from rulegen.watching import settled, stamp

    files = shared["files"] or []
    if "-" in files:
        raise ValueError("standard input cannot be watched")
    if apply != (netns is not None):
        raise ValueError("--apply and --netns NAME go together: the namespace that follows the files")
    if create and not apply:
        raise ValueError("--create goes with --apply: nothing else needs a namespace")
    if not 0.01 <= interval <= LONGEST:
        raise ValueError(f"--interval {interval:g}: must be from 0.01 to {LONGEST} seconds")
    files = [*files, *(file for file in (shared["node_file"], shared["config"]) if file)]
    look = partial(stamp, files, recursive=shared["recursive"])
    seen = look()
    watched = _Watched(_read(shared, apply))
    if apply:
        # What cannot be followed is refused before a namespace is touched.
        watched.compile(Cluster())
        watched.begin_in(str(netns), create=create)
    watched.compile(watched.inputs.cluster)
    note(
        f"watching {len(seen)} file{'s' if len(seen) != 1 else ''} ({', '.join(watched.compilers)}); "
        "interrupt to stop"
    )
    goes_on()
    told = 0
    while not count or told < count:
        time.sleep(interval)
        now = look()
        if now == seen:
            continue
        seen = settled(now, look)
        try:
            fresh = _read(shared, apply)
            watched.check(fresh)
        except (LoadError, ValueError, OSError) as error:
            for reason in error.problems if isinstance(error, LoadError) else [error]:
                note(str(reason))
            note("not used: the rules stay as they were")
            continue
        told += watched.follow(fresh)


def _read(shared: dict[str, Any], apply: bool) -> Inputs:
    from rulegen.cli.inputs import read

    return read(**shared, addresses_follow=apply)


class _Watched:
    """What was read last, its rules, and the namespace that follows, if one does.

    ``read`` is as it was read, ``inputs`` with what the namespace says of itself.
    """

    def __init__(self, inputs: Inputs) -> None:
        self.read = self.inputs = inputs
        self.families: tuple[Family, ...] = inputs.families()[:1]
        self.compilers: dict[Family, Compiler] = {}
        self.followed: Followed | None = None

    def begin_in(self, netns: str, *, create: bool) -> None:
        """Program the namespace as a whole."""
        from rulegen.cli.apply import target_of
        from rulegen.netns.follow import Followed
        from rulegen.netns.space import TIMEOUT

        target = target_of(netns, host_netns=False, seconds=TIMEOUT, create=create)
        self.followed = Followed(target, self.inputs.config.mode, self._plans)
        _tell(self.followed.start())

    def _plans(self, facts: Says) -> dict[Family, Plan]:
        from rulegen.cli.apply import known_of

        self.inputs = known = known_of(self.read, facts)
        self.families = tuple(family for family in known.families() if family != "IPv6" or facts.ipv6)
        return {family: known.plan(family) for family in known.families()}

    def compile(self, cluster: Cluster) -> None:
        """Begin with the rules of a cluster."""
        from rulegen.compiler import Compiler

        known = self.inputs
        self.compilers = {
            family: Compiler(cluster, known.node, known.config, version=known.version, family=family)
            for family in self.families
        }

    def check(self, fresh: Inputs) -> None:
        """Raise ValueError for a state that no transaction leads to."""
        mode, family = fresh.config.mode, fresh.families()[0]
        if mode != self.read.config.mode:
            raise ValueError(f"{mode} mode is another one: start watch anew to follow it")
        if self.followed is None and family not in self.families:
            raise ValueError(f"the node's first family is {family} now: start watch anew to follow it")

    def follow(self, fresh: Inputs) -> int:
        """Print, or program, what leads to another state of the files; returns whether there was any."""
        before, self.read = self.read, fresh
        if _fixed(before) != _fixed(fresh):
            return self._follow_whole()
        return self._follow_changes(before.cluster, fresh.cluster)

    def _follow_changes(self, before: Cluster, after: Cluster) -> int:
        from rulegen.cli.output import emit, note
        from rulegen.watching import changes

        found = changes(before, after)
        told = 0
        for family, compiler in self.compilers.items():
            transaction = compiler.update(found.changed, found.removed)
            if not transaction:
                continue
            told = 1
            if self.followed is None:
                emit(transaction.text)
            else:
                again = self.followed.take(family, transaction)
                if again is not None:
                    note(f"{family}: the kernel refused it, so all was looked at")
                    _tell(again)
                    continue
            _note_size(transaction, family, f"{len(found.changed)} changed, {len(found.removed)} removed")
        return told

    def _follow_whole(self) -> int:
        """Another node or configuration may change every rule: two whole states are compared."""
        from rulegen.backend import comparing
        from rulegen.cli.output import emit, note

        if self.followed is not None:
            note(f"{FIXED_CHANGED}: all is looked at")
            report = self.followed.start()
            _tell(report)
            self.compile(self.inputs.cluster)
            return int(bool(report.steps))
        self.inputs = self.read
        before = self.compilers
        self.compile(self.inputs.cluster)
        room = comparing(self.inputs.config.mode)
        told = 0
        for family, compiler in self.compilers.items():
            transaction = room.diff(room.state(before[family].ruleset), room.state(compiler.ruleset))
            if transaction:
                told = 1
                emit(transaction.text)
                _note_size(transaction, family, FIXED_CHANGED)
        return told


def _tell(report: Report) -> None:
    from rulegen.cli.apply import tell

    tell(report, "text", aside=True)


def _note_size(transaction: Transaction, family: Family, why: str) -> None:
    from rulegen.cli.output import note

    note(f"{why}: {len(transaction.text.encode())} bytes ({family})")


def _fixed(inputs: Inputs) -> tuple[object, ...]:
    """What a :class:`rulegen.Compiler` takes as given."""
    return inputs.node, inputs.config, inputs.cluster.service_cidrs
