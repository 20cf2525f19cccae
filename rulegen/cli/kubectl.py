"""``rulegen get``, ``describe``, ``expose`` and ``create``: kubectl's commands, offline.

What follows the command's own options is kubectl's command line, with kubectl's flags and errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rulegen.cli import options

if TYPE_CHECKING:
    from rulegen.model import Cluster

PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}

Rest = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ARGUMENTS", help="What kubectl takes, flags included; see kubectl COMMAND --help."
    ),
]
Plain = Annotated[bool, typer.Option("--plain", help="Leave out the part about the node's rules.")]
NodeName = Annotated[str | None, typer.Option("--node", metavar="NAME", help="The node of that part.")]
Mode = Annotated[str | None, typer.Option("--mode", metavar="MODE", help="The proxy mode of that part.")]
Now = Annotated[
    datetime | None, typer.Option("--now", help="The moment that ages are counted to (default: this one).")
]
Append = Annotated[
    bool, typer.Option("--append", help="Print the input too, and the new Service behind it: one file.")
]

GET = """
Examples:

\b
  # The tables that kubectl prints, from manifests
  rulegen get services -f manifests/ -o wide
  rulegen get pods,endpointslices -f manifests/ -l app=web
"""
DESCRIBE = """
Examples:

\b
  # As kubectl describes it, then the rules that it becomes on node n1
  rulegen describe service web -f manifests/ --node n1
\b
  # To the letter what kubectl prints
  rulegen describe service web -f manifests/ --plain
"""
EXPOSE = """
Examples:

\b
  # The Service for a Deployment
  rulegen expose deployment/web -f app.yaml --port 80 --type NodePort
\b
  # Both in one file
  rulegen expose deployment/web -f app.yaml --port 80 --append > both.yaml
"""
CREATE = """
Examples:

\b
  rulegen create service clusterip web --tcp 80:8080
  rulegen create service nodeport web --tcp 80 --node-port 30080
"""


def register(app: typer.Typer) -> None:
    for command, examples in ((get, GET), (describe, DESCRIBE), (expose, EXPOSE), (create, CREATE)):
        app.command(epilog=examples, context_settings=PASSED_ON)(command)


def get(
    context: typer.Context,
    rest: Rest = None,
    files: options.Files = None,
    recursive: options.Recursive = False,
    namespace: options.Namespace = "default",
    now: Now = None,
) -> None:
    """Print objects as ``kubectl get`` does: services, endpoints, endpointslices, nodes, pods."""
    words = ["get", *(rest or ()), *context.args]
    _run(words, _objects(files, recursive=recursive, namespace=namespace)[0], namespace, now)


def describe(
    context: typer.Context,
    rest: Rest = None,
    files: options.Files = None,
    recursive: options.Recursive = False,
    namespace: options.Namespace = "default",
    plain: Plain = False,
    node: NodeName = None,
    mode: Mode = None,
    now: Now = None,
) -> None:
    """Describe a Service as ``kubectl describe`` does, then the rules that it becomes on a node."""
    words = ["describe", *(rest or ()), *context.args]
    objects, cluster = _objects(files, recursive=recursive, namespace=namespace)
    _run(words, objects, namespace, now)
    if not plain:
        _print_rules(words, cluster, namespace=namespace, node=node, mode=mode)


def expose(
    context: typer.Context,
    rest: Rest = None,
    files: options.Files = None,
    recursive: options.Recursive = False,
    namespace: options.Namespace = "default",
    append: Append = False,
    now: Now = None,
) -> None:
    """Write the Service that ``kubectl expose`` makes for a workload, a Pod or another Service."""
    words = ["expose", *(rest or ()), *context.args]
    objects, _ = _objects(files, recursive=recursive, namespace=namespace)
    _write_service(words, objects, namespace, now, _texts(files) if append else [])


def create(
    context: typer.Context,
    rest: Rest = None,
    files: options.Files = None,
    recursive: options.Recursive = False,
    namespace: options.Namespace = "default",
    append: Append = False,
    now: Now = None,
) -> None:
    """Write the Service that ``kubectl create service`` makes."""
    words = ["create", *(rest or ()), *context.args]
    objects: Sequence[Mapping[str, Any]] = ()
    if files:
        objects, _ = _objects(files, recursive=recursive, namespace=namespace)
    _write_service(words, objects, namespace, now, _texts(files) if append else [])


def _objects(
    files: Sequence[str] | None, *, recursive: bool, namespace: str
) -> tuple[list[Mapping[str, Any]], Cluster]:
    """All objects as a cluster would hold them, with the EndpointSlices that its controllers would add."""
    import msgspec

    from rulegen.cli.output import note
    from rulegen.controllers import complete
    from rulegen.load import load

    if not files:
        raise ValueError("nothing to read: name a file or directory with -f (- is standard input)")
    loaded = load(*files, recursive=recursive, namespace=namespace, keep_plain=True)
    for warning in loaded.warnings:
        note(f"warning: {warning}")
    completed = complete(loaded.cluster).cluster
    given = {(piece.metadata.namespace, piece.metadata.name) for piece in loaded.cluster.slices}
    made = [
        {"apiVersion": piece.api_version, "kind": piece.kind, **msgspec.to_builtins(piece)}
        for piece in completed.slices
        if (piece.metadata.namespace, piece.metadata.name) not in given
    ]
    return [*loaded.plain, *made], completed


def _run(
    words: Sequence[str], objects: Sequence[Mapping[str, Any]], namespace: str, now: datetime | None
) -> None:
    """Run a kubectl command line; a failure ends this command with kubectl's exit code."""
    import sys

    from rulegen.cli.output import emit
    from rulegen.kubectl import run

    moment = now if now is not None else datetime.now(UTC)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    outcome = run(objects, ["-n", namespace, *words], moment, program="rulegen")
    emit(outcome.stdout)
    sys.stderr.write(outcome.stderr)
    if outcome.code:
        raise typer.Exit(outcome.code)


def _texts(files: Sequence[str] | None) -> list[str]:
    from pathlib import Path

    texts = []
    for name in files or ():
        path = Path(name)
        if name == "-" or not path.is_file():
            raise ValueError(f"--append: {name}: only files can be appended to")
        texts.append(path.read_text(encoding="utf-8"))
    return texts


def _write_service(
    words: list[str],
    objects: Sequence[Mapping[str, Any]],
    namespace: str,
    now: datetime | None,
    before: list[str],
) -> None:
    """Print the new Service: nothing is created here, so that is what ``--dry-run=client -o yaml`` prints."""
    from rulegen.cli.output import emit

    if not any(word.startswith("--dry-run") for word in words):
        words = [*words, "--dry-run=client"]
    if not any(word == "-o" or word.startswith(("-o", "--output")) for word in words):
        words = [*words, "-o", "yaml"]
    for text in before:
        emit(text)
        emit("---")
    _run(words, objects, namespace, now)


def _print_rules(
    words: Sequence[str], cluster: Cluster, *, namespace: str, node: str | None, mode: str | None
) -> None:
    """What each described Service becomes on a node, as the ways of a packet."""
    from rulegen.cli.inputs import assemble
    from rulegen.cli.output import emit
    from rulegen.cli.show import tree_of

    names = [word for word in words[1:] if not word.startswith("-")]
    if names and names[0] in ("service", "services", "svc"):
        names = names[1:]
    inputs, _ = assemble(cluster, namespace=namespace, mode=mode, node=node)
    for name in names:
        emit(f"\nRules on node {inputs.node.name} ({inputs.config.mode}, kube-proxy {inputs.version}):")
        tree = tree_of(inputs, inputs.service(name))
        emit("".join(f"  {line}".rstrip() + "\n" for line in tree.rstrip().splitlines()) or "  none")
