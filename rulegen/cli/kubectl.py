"""``rulegen get``, ``describe``, ``expose`` and ``create``: kubectl's commands, offline.

What is no option of the command's own is kubectl's command line, with kubectl's flags and errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rulegen.cli import options
from rulegen.cli.passing import Passing

if TYPE_CHECKING:
    from rulegen.kubectl import Outcome
    from rulegen.load.sources import Source
    from rulegen.model import Cluster

Rest = Annotated[
    list[str] | None, typer.Argument(metavar="ARGUMENTS", help="What kubectl takes, its flags included.")
]
Plain = Annotated[bool, typer.Option("--plain", help="Leave out the part about the node's rules.")]
Now = Annotated[
    datetime | None, typer.Option("--now", help="The moment that ages are counted to (default: this one).")
]
Append = Annotated[
    bool, typer.Option("--append", help="Print the input too, and the new Service behind it: one file.")
]

GET = """
kubectl's flags, among others: -A, -l SELECTOR, --field-selector SELECTOR,
-o wide|name|yaml|json|jsonpath=...|custom-columns=..., --show-labels, -L LABEL, --no-headers,
--sort-by JSONPATH.

Examples:

\b
  # The tables that kubectl prints, from manifests
  rulegen get services -f manifests/ -o wide
\b
  # What the controllers would make is there, too
  rulegen get pods,endpointslices,endpoints -f app.yaml --synthesize-pods -l app=web
\b
  # One value for a script
  rulegen get svc web -f manifests/ -o jsonpath='{.spec.clusterIP}'
"""
DESCRIBE = """
kubectl's flags, among others: -A, -l SELECTOR, --show-events.

Examples:

\b
  # As kubectl describes it, then the rules that it becomes on node n1
  rulegen describe service web -f manifests/ --node n1
\b
  # To the letter what kubectl prints
  rulegen describe service web -f manifests/ --plain
"""
EXPOSE = """
kubectl's flags: --name, --port, --target-port, --protocol, --type, --external-ip, --load-balancer-ip,
--cluster-ip, --session-affinity, -l/--labels, --selector, --overrides, -o yaml|json|name|...; and one of our
own: --node-port.

Examples:

\b
  # The Service for a Deployment
  rulegen expose deployment/web -f app.yaml --port 80 --type NodePort --node-port 30080
\b
  # Both in one file
  rulegen expose deployment/web -f app.yaml --port 80 --append > both.yaml
\b
  # Straight to its rules
  rulegen expose deployment/web -f app.yaml --port 80 | rulegen render -f app.yaml -f -
"""
CREATE = """
What can be created: service clusterip|nodeport|loadbalancer|externalname NAME.

kubectl's flags: --tcp PORT[:TARGET],... --clusterip IP|None, --node-port PORT, --external-name NAME,
-o yaml|json|name|...

Examples:

\b
  rulegen create service clusterip web --tcp 80:8080
  rulegen create service nodeport web --tcp 80 --node-port 30080
  rulegen create service externalname db --external-name db.example.com
"""

NO_SOURCE = tuple(name for name in options.SHARED if name not in options.SOURCES)


def register(app: typer.Typer) -> None:
    joined = (
        (options.with_shared(get, without=options.ABOUT_NODE), GET),
        (options.with_shared(describe), DESCRIBE),
        (options.with_shared(expose, without=NO_SOURCE), EXPOSE),
        (options.with_shared(create, without=NO_SOURCE), CREATE),
    )
    for command, examples in joined:
        app.command(epilog=examples, cls=Passing)(command)


def get(context: typer.Context, rest: Rest = None, now: Now = None, *, shared: dict[str, Any]) -> None:
    """Print objects as ``kubectl get`` does: services, endpoints, endpointslices, nodes, pods."""
    from rulegen.cli.stored import read_stored

    _print(_run(context, ["get", *(rest or ())], read_stored(**shared).objects, now))


def describe(
    context: typer.Context,
    rest: Rest = None,
    plain: Plain = False,
    now: Now = None,
    *,
    shared: dict[str, Any],
) -> None:
    """Describe a Service as ``kubectl describe`` does, then the rules that it becomes on a node."""
    from rulegen.cli.stored import read_stored

    stored = read_stored(**{name: shared[name] for name in options.CLUSTER})
    outcome = _run(context, ["describe", *(rest or ())], stored.objects, now)
    about = {name: shared[name] for name in (*options.ABOUT_NODE, "strict", "namespace")}
    rules = "" if plain or not outcome.services else _rules(outcome.services, stored.cluster, about)
    _print(outcome, rules)


def expose(
    context: typer.Context,
    rest: Rest = None,
    append: Append = False,
    now: Now = None,
    *,
    shared: dict[str, Any],
) -> None:
    """Write the Service that ``kubectl expose`` makes for a workload, a Pod or another Service."""
    _write_service(context, ["expose", *(rest or ())], now, append, shared)


def create(
    context: typer.Context,
    rest: Rest = None,
    append: Append = False,
    now: Now = None,
    *,
    shared: dict[str, Any],
) -> None:
    """Write the Service that ``kubectl create service`` makes."""
    _write_service(context, ["create", *(rest or ())], now, append, shared)


def _run(
    context: typer.Context, words: Sequence[str], objects: Sequence[Mapping[str, Any]], now: datetime | None
) -> Outcome:
    """What a kubectl command line prints; a namespace is passed on where one was given."""
    from rulegen.kubectl import run

    moment = now if now is not None else datetime.now(UTC)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    source = context.get_parameter_source("namespace")
    given = source is not None and source.name != "DEFAULT"
    namespace = ["-n", context.params["namespace"]] if given else []
    return run(objects, [*namespace, *words], moment, program="rulegen")


def _print(outcome: Outcome, more: str = "") -> None:
    """Print it, and what is ours; a failure ends this command with kubectl's exit code."""
    import sys

    from rulegen.cli.output import emit

    emit(outcome.stdout + more)
    sys.stderr.write(outcome.stderr)
    if outcome.code:
        raise typer.Exit(outcome.code)


def _write_service(
    context: typer.Context, words: list[str], now: datetime | None, append: bool, shared: dict[str, Any]
) -> None:
    from rulegen.cli.objects import read_objects

    before = ""
    if append:
        if not shared["files"]:
            raise ValueError("--append: name the file that the Service belongs to with -f")
        before, shared["files"] = _texts(shared["files"])
    objects: Sequence[Mapping[str, Any]] = ()
    if shared["files"] or words[0] != "create":
        objects = read_objects(**shared, keep_plain=True, used=None).plain
    outcome = _run(context, words, objects, now)
    if append and not outcome.code:
        _refuse_known(outcome, objects, shared["namespace"])
        outcome = type(outcome)(0, f"{before}---\n{outcome.stdout}", outcome.stderr)
    _print(outcome)


def _texts(files: Sequence[str]) -> tuple[str, list[Source]]:
    """The text of files, joined, and what can be read in their place: standard input is read once only."""
    import io
    import sys
    from pathlib import Path

    texts: list[str] = []
    sources: list[Source] = []
    for name in files:
        if name != "-" and not Path(name).is_file():
            raise ValueError(f"--append: {name}: only to files can anything be appended")
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        texts.append(text if text.endswith("\n") else text + "\n")
        sources.append(io.StringIO(text) if name == "-" else name)
    return "---\n".join(texts), sources


def _refuse_known(outcome: Outcome, objects: Sequence[Mapping[str, Any]], namespace: str) -> None:
    """A file with two Services of one name would be none that anything takes."""
    import sys

    services = [item["metadata"] for item in objects if item.get("kind") == "Service"]
    there = {(metadata["namespace"], metadata["name"]) for metadata in services}
    for its_namespace, name in outcome.services:
        if (its_namespace or namespace, name) in there:
            sys.stderr.write(f'Error from server (AlreadyExists): services "{name}" already exists\n')
            raise typer.Exit(1)


def _rules(services: Sequence[tuple[str, str]], cluster: Cluster, about: Mapping[str, Any]) -> str:
    """What each described Service becomes on a node, as the ways of a packet."""
    from rulegen.cli.inputs import assemble
    from rulegen.cli.output import note
    from rulegen.cli.show import tree_of

    if len(cluster.nodes) > 1 and not (about["node"] or about["node_file"]):
        names = ", ".join(sorted(node.metadata.name for node in cluster.nodes)[:10])
        note(f"no rules are shown, as there are several nodes: --node NAME chooses one of {names}")
        return ""
    inputs, _ = assemble(cluster, **about)
    text = []
    for namespace, name in services:
        service = next(
            each
            for each in cluster.services
            if (each.metadata.namespace, each.metadata.name) == (namespace, name)
        )
        where = f"{inputs.config.mode}, kube-proxy {inputs.version}"
        of = f" of {namespace}/{name}" if len(services) > 1 else ""
        text.append(f"\nRules{of} on node {inputs.node.name} ({where}):\n")
        lines = tree_of(inputs, service).rstrip().splitlines()
        text += [f"  {line}".rstrip() + "\n" for line in lines or ["none"]]
    return "".join(text)
