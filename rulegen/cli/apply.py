"""``rulegen apply``: program a network namespace."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rulegen.cli import options
from rulegen.netns.space import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rulegen.cli.inputs import Inputs
    from rulegen.model import Family
    from rulegen.netns.apply import Report, Target
    from rulegen.netns.facts import Says
    from rulegen.plan import Plan

EXAMPLES = """
Examples:

\b
  # A namespace with the rules of node n1, made if it is not there
  rulegen apply -f cluster.yaml --node n1 --netns n1 --create
\b
  # What a change would do, as input of the tools that would do it
  rulegen apply -f cluster.yaml --netns n1 --dry-run
\b
  # From iptables to nftables, leaving nothing behind; or to ipvs, where the kernel has it
  rulegen apply -f cluster.yaml --netns n1 --mode nftables --prune
  rulegen apply -f cluster.yaml --netns n1 --mode ipvs --prune
\b
  # Without root: a shell, or a command, in a namespace of its own
  rulegen apply -f cluster.yaml --create
  rulegen apply -f cluster.yaml --create -- iptables-nft-save
"""

TARGET = "Namespace"

Netns = Annotated[
    str | None,
    typer.Option(
        "--netns",
        metavar="NAME",
        help="Network namespace, as `ip netns` names them.",
        rich_help_panel=TARGET,
    ),
]
HostNetns = Annotated[
    bool,
    typer.Option(
        "--host-netns",
        help="The namespace that this command runs in: the host's own, most often.",
        rich_help_panel=TARGET,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be programmed; change nothing.")]
Seconds = Annotated[
    float,
    typer.Option("--timeout", metavar="SECONDS", min=0.001, help="How long one step may take."),
]
Output = Annotated[Literal["text", "json"], typer.Option("--output", "-o", help="Form of the output.")]


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(options.takes_inputs(apply, addresses_follow=True))


def apply(
    inputs: Inputs,
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- COMMAND...]",
            help="What to run in a namespace of its own (default: a shell); without --netns.",
        ),
    ] = None,
    netns: Netns = None,
    create: Annotated[
        bool, typer.Option("--create", help="Make the namespace if it is not there.", rich_help_panel=TARGET)
    ] = False,
    host_netns: HostNetns = False,
    variant: Annotated[
        Literal["legacy", "nft"] | None,
        typer.Option("--variant", help="Variant of iptables (default: the one that is in use there)."),
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Also remove what other modes and variants have left.")
    ] = False,
    dry_run: DryRun = False,
    output: Output = "text",
    timeout: Seconds = TIMEOUT,
) -> None:
    """Program a network namespace as kube-proxy would program the node, and read it back.

    Only what differs is changed, and rules of others are not touched. A step that fails, or this command
    being killed, leaves the namespace as it was before. Facts that were not given (addresses, nfacct,
    nf_conntrack_tcp_be_liberal) are those of the namespace.
    """
    from rulegen.netns import programs

    target, space = _target(netns, create=create, host_netns=host_netns, command=command, seconds=timeout)
    report = programs.apply(
        target,
        inputs.config.mode,
        lambda facts: _plans(inputs, facts),
        variant=variant,
        prune=prune,
        dry_run=dry_run,
        space=space,
    )
    tell(report, output, aside=target.throwaway and not dry_run)
    if target.throwaway and not dry_run:
        _run(command or [os.environ.get("SHELL") or "sh"])


def target_of(netns: str | None, *, host_netns: bool, seconds: float, create: bool = False) -> Target:
    """The namespace that options name. Raises ValueError where they name none, or two."""
    from rulegen.netns.apply import Target

    if netns is not None and host_netns:
        raise ValueError("--netns and --host-netns are two namespaces: choose one")
    if host_netns and create:
        raise ValueError("the host's own namespace is there: --create is for others")
    return Target(netns=netns, create=create, seconds=seconds)


def _target(
    netns: str | None, *, create: bool, host_netns: bool, command: list[str] | None, seconds: float
) -> tuple[Target, Any]:
    """The namespace, and the way into it where it is not the usual one."""
    if netns is not None or host_netns:
        if command:
            raise ValueError("a command is run in a namespace of its own: leave out --netns and --host-netns")
        return target_of(netns, host_netns=host_netns, seconds=seconds, create=create), None
    if not create:
        raise ValueError(
            "which namespace? --netns NAME, --create for one of its own, or --host-netns for the host's"
        )
    from rulegen.netns import throwaway
    from rulegen.netns.apply import Target

    return Target(netns=None, throwaway=True, seconds=seconds), throwaway.enter(timeout=seconds)


def known_of(inputs: Inputs, facts: Says) -> Inputs:
    """What manifests ask for in a namespace that says these facts of itself; what it told is said."""
    from rulegen.cli.output import note
    from rulegen.cli.sides import as_node_says
    from rulegen.findings import Facts

    told = Facts(nfacct=facts.nfacct, conntrack_tcp_be_liberal=facts.liberal)
    known, taken = as_node_says(inputs, {"ip -j addr": facts.addresses}, told)
    if taken:
        note(f"taken from the namespace: {', '.join(taken)}")
    return known


def _plans(inputs: Inputs, facts: Says) -> Mapping[Family, Plan]:
    known = known_of(inputs, facts)
    return {family: known.plan(family) for family in known.families()}


def _run(command: list[str]) -> None:
    """Become another command; what was printed has to be out by then."""
    import sys

    sys.stdout.flush()
    try:
        os.execvp(command[0], command)
    except OSError as error:
        raise ValueError(f"{command[0]}: {error.strerror or error}") from error


def tell(report: Report, output: str, *, aside: bool = False) -> None:
    """Say what was done. ``aside``: standard output is somebody else's."""
    from rulegen.cli.output import dump, emit, note

    if report.recovered:
        note(report.recovered)
    for text in report.notes:
        note(f"note: {text}")
    if output == "json":
        dump(_data(report), "json")
        return
    if report.dry_run:
        for step in report.steps:
            emit(f"# {' '.join(step.command)}\n{step.stdin or ''}")
    (note if aside or report.dry_run else emit)(_line(report))


def _line(report: Report) -> str:
    name = report.name
    used = f" ({report.program})" if report.program else ""
    if not report.steps:
        reason = "all is as it should be" if report.mode else "nothing of kube-proxy's is there"
        return f"{name}: nothing to do{used}: {reason}"
    count = len(report.changed)
    what = (
        f"{count} service{'s' if count != 1 else ''} changed, " if report.mode else "kube-proxy's removed, "
    )
    if report.dry_run:
        return f"{name}: {what}{report.bytes} bytes to program{used}; nothing was done"
    made = "made, " if report.created else ""
    milliseconds = max(1, round(report.seconds * 1000))
    return (
        f"{name}: {made}{what}{report.bytes} bytes programmed in {milliseconds} ms{used}, read back and equal"
    )


def _data(report: Report) -> dict[str, Any]:
    return {
        "namespace": report.name,
        "mode": report.mode,
        "program": report.program,
        "created": report.created,
        "dryRun": report.dry_run,
        "recovered": report.recovered,
        "changed": bool(report.steps),
        "services": [
            {"service": change.service, "changes": list(change.lines), "places": list(change.places)}
            for change in report.services
        ],
        "bytes": report.bytes,
        "milliseconds": round(report.seconds * 1000, 3),
        "steps": [{"command": list(step.command), "stdin": step.stdin} for step in report.steps],
        "notes": list(report.notes),
    }
