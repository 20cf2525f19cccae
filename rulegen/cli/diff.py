"""``rulegen diff``: what changes between two sides, or whether a node is as it should be."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rulegen.cli import options

if TYPE_CHECKING:
    from rulegen.backend import Comparing, Transaction
    from rulegen.cli.sides import Side
    from rulegen.findings import Comparison, ServiceChange
    from rulegen.model import Family

EXAMPLES = """
Examples:

\b
  # What an edit changes, by Service
  rulegen diff before.yaml after.yaml
\b
  # The same as input of iptables-restore, applied in a lab namespace
  rulegen diff before.yaml after.yaml -o restore | ip netns exec n1 iptables-restore --noflush
\b
  # Is this node as it should be? (a dump, or an archive of `rulegen collect`)
  rulegen diff cluster.yaml node.tar.gz --node n1
\b
  # What another configuration would change
  rulegen diff cluster.yaml cluster.yaml --b-config new-config.yaml
"""

Output = Literal["summary", "restore", "json", "unified"]


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(options.with_shared(diff, without=("files",)))


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="Manifests, a dump, an archive, netns:NAME, or -.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The other side, likewise.")],
    output: Annotated[Output, typer.Option("--output", "-o", help="Form of the output.")] = "summary",
    a_node: Annotated[str | None, typer.Option("--a-node", metavar="NAME", help="Node of side A.")] = None,
    b_node: Annotated[str | None, typer.Option("--b-node", metavar="NAME", help="Node of side B.")] = None,
    a_node_file: Annotated[
        str | None, typer.Option("--a-node-file", metavar="FILE", help="Facts about the machine of side A.")
    ] = None,
    b_node_file: Annotated[
        str | None, typer.Option("--b-node-file", metavar="FILE", help="Facts about the machine of side B.")
    ] = None,
    a_config: Annotated[
        str | None, typer.Option("--a-config", metavar="FILE", help="Configuration of side A.")
    ] = None,
    b_config: Annotated[
        str | None, typer.Option("--b-config", metavar="FILE", help="Configuration of side B.")
    ] = None,
    *,
    shared: dict[str, Any],
) -> None:
    """Compare two sides, from A to B. Exit code 0: no difference, 1: some, above 1: an error.

    With manifests on one side and a node's dump on the other, the answer is whether the node is as it should
    be: the order of Services in shared chains, counters and the rules of others do not count.
    """
    from rulegen.cli.sides import open_sides

    if a == b == "-":
        raise ValueError("standard input can be one side only")
    own = (
        {"node": a_node, "node_file": a_node_file, "config": a_config},
        {"node": b_node, "node_file": b_node_file, "config": b_config},
    )
    sides = open_sides(
        (a, b),
        [shared | {key: value for key, value in given.items() if value is not None} for given in own],
    )
    different = _run(sides[0], sides[1], output, shared)
    raise typer.Exit(int(different))


def _run(a: Side, b: Side, output: Output, shared: Mapping[str, Any]) -> bool:
    from rulegen.backend import comparing
    from rulegen.cli.inputs import family_named
    from rulegen.dump import mode_of
    from rulegen.model import FAMILIES

    asked: str | None = shared.get("mode")
    modes: set[str] = {side.inputs.config.mode for side in (a, b) if side.inputs is not None}
    if asked is None and len(modes) > 1:
        raise ValueError(f"the sides are in different modes ({', '.join(sorted(modes))}); --mode chooses one")
    known = [side.listings for side in (a, b) if side.listings is not None]
    mode = asked or (modes.pop() if modes else mode_of(known[0]))
    room = comparing(mode)
    wanted = shared.get("family")
    families = FAMILIES if wanted is None else (family_named(wanted),)
    if output in ("summary", "json") and (a.inputs is None) != (b.inputs is None):
        return _node(room, a, b, families, output)
    return _change(room, a, b, families, output)


def _states(room: Comparing, side: Side, other: Side, family: Family) -> Any:
    """The state of a side in one family; None where a dump does not say."""
    from rulegen.cli.sides import as_node_says

    if side.listings is not None:
        return next(iter(room.read(side.listings, family).values()), None)
    inputs = side.inputs
    assert inputs is not None
    if other.listings is not None:
        facts = room.facts(list(room.read(other.listings, family).values()))
        inputs, _ = as_node_says(inputs, other.listings, facts)
    return room.state(room.compile_rules(inputs.plan(family)))


def _change(room: Comparing, a: Side, b: Side, families: tuple[Family, ...], output: Output) -> bool:
    from rulegen.cli.output import dump, emit, note

    changes: dict[Family, tuple[Any, Any, Transaction]] = {}
    compared = False
    for family in families:
        before, after = _states(room, a, b, family), _states(room, b, a, family)
        if before is None or after is None:
            if len(families) == 1:
                raise ValueError(f"{(a if before is None else b).name}: no {family} rules to compare")
            continue
        compared = True
        change = room.diff(before, after)
        if change:
            changes[family] = before, after, change
    if not compared:
        # Silence would say that nothing differs.
        raise ValueError(f"{a.name} and {b.name} hold no rules of the same mode and family to compare")
    different = bool(changes)
    if output == "restore" and len(families) > 1 and not room.forms[0].joins:
        # One text goes to one tool: that of the other family would take it for its own.
        first = _primary(a, b)
        for family in [family for family in changes if family != first]:
            note(f"{family} changes, too: --family {family} prints what its own tool takes")
            del changes[family]
    data = []
    for family, (before, after, change) in changes.items():
        match output:
            case "restore":
                emit(change.text)
            case "summary":
                _print_summary(room.summary(before, after), change.text, family)
            case "unified":
                emit(_unified(before, after, f"{a.name} ({family})", f"{b.name} ({family})"))
            case "json":
                data.append(_change_as_data(room.summary(before, after), change, family))
    if output == "json":
        dump({"different": different, "families": data}, "json")
    return different


def _primary(a: Side, b: Side) -> Family:
    """The family whose text is meant where only one can be printed: that of the node's first address."""
    return next((side.inputs.primary() for side in (b, a) if side.inputs is not None), "IPv4")


def _change_as_data(services: list[ServiceChange], change: Transaction, family: Family) -> dict[str, Any]:
    return {
        "family": family,
        "services": [
            {"service": of.service, "changes": list(of.lines), "places": list(of.places)} for of in services
        ],
        "transaction": change.text,
    }


def _unified(before: Any, after: Any, a: str, b: str) -> str:
    old, new = (str(getattr(state, "text", state)).splitlines(keepends=True) for state in (before, after))
    return "".join(difflib.unified_diff(old, new, fromfile=a, tofile=b, n=1))


def _print_summary(services: list[ServiceChange], text: str, family: str) -> None:
    from rulegen.cli.output import emit, paint

    for change in services:
        emit(paint(change.service or "kube-proxy itself", "green", bold=True))
        for line in change.lines:
            colour = {"+": "green", "-": "red"}.get(line[:1], "yellow")
            emit("  " + paint(line, colour))
    named = sum(1 for change in services if change.service)
    emit(f"{named} service port{'s' if named != 1 else ''} changed in {family}: {len(text.encode())} bytes\n")


def _node(room: Comparing, a: Side, b: Side, families: tuple[Family, ...], output: Output) -> bool:
    """Manifests against a node: findings by Service."""
    from rulegen.cli.output import dump, note
    from rulegen.cli.sides import as_node_says

    inputs = a.inputs or b.inputs
    listings = a.listings if a.listings is not None else b.listings
    assert inputs is not None and listings is not None
    read = {family: list(room.read(listings, family).values()) for family in families}
    facts = room.facts([state for states in read.values() for state in states])
    inputs, taken = as_node_says(inputs, listings, facts)
    if taken:
        note(f"taken from the node: {', '.join(taken)}")
    if not any(read.values()):
        raise ValueError(
            f"{(b if b.inputs is None else a).name}: no listing of {inputs.config.mode} mode in it"
        )
    different = False
    data: list[dict[str, Any]] = []
    for family, states in read.items():
        ruleset = room.compile_rules(inputs.plan(family, facts.service_cidrs.get(family)))
        for state in states[:1]:
            comparison = room.compare(state, ruleset)
            different = different or bool(comparison)
            if output == "json":
                data.append(_as_data(comparison, family))
            else:
                _print_comparison(comparison, family)
    if output == "json":
        dump({"different": different, "takenFromNode": taken, "families": data}, "json")
    return different


def _as_data(comparison: Comparison, family: str) -> dict[str, Any]:
    import msgspec

    return {
        "family": family,
        "findings": [msgspec.to_builtins(finding) for finding in comparison.findings],
        "notes": list(comparison.notes),
        "foreign": dict(comparison.foreign),
    }


def _print_comparison(comparison: Comparison, family: str) -> None:
    from rulegen.cli.output import emit, note, paint

    for service, findings in comparison.by_service().items():
        emit(paint(service or "kube-proxy itself", "green", bold=True))
        for finding in findings:
            emit("  " + paint(finding.text.partition(": ")[2], "red"))
    for text in comparison.notes:
        note(f"note: {text}")
    if comparison.foreign:
        count = sum(comparison.foreign.values())
        whose = ", ".join(sorted(comparison.foreign))
        note(f"{family}: {count} rules of others were left out of the comparison ({whose})")
    if not comparison:
        emit(f"{family}: the node is as it should be")
