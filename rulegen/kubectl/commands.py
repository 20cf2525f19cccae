"""kubectl's command line: which command is meant, its flags, what is printed and the exit code.

``get``, ``describe``, ``expose`` and ``create service`` are answered from a :class:`Cluster`, without a
server, in kubectl's words (1.37) for right and wrong use alike. What would change a cluster, or needs a
running one (``--watch``, ``--raw``), is refused in ours.

Under another name than kubectl the commands have no cluster to create anything in: ``expose`` and ``create``
then write YAML where nothing else is asked for, and ``expose`` takes ``--node-port``, as ``create`` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from rulegen.kubectl.builder import Query, find
from rulegen.kubectl.cluster import Cluster, Session
from rulegen.kubectl.create import NewService, create_service
from rulegen.kubectl.describe import Describe, describe
from rulegen.kubectl.errors import KubectlError, PrintError, raise_all
from rulegen.kubectl.expose import Expose
from rulegen.kubectl.flags import Flag, FlagSet, Parsed, boolean
from rulegen.kubectl.get import Get, get
from rulegen.kubectl.overrides import Overrides
from rulegen.kubectl.plain import Object, name_of, namespace_of
from rulegen.kubectl.printers import Printer, choose
from rulegen.kubectl.tables import Style
from rulegen.load.api.answers import quoted


class Outcome(msgspec.Struct, frozen=True):
    """What a command printed, and its exit code.

    ``services`` are the Services that it described or made, each as namespace (empty where none was said)
    and name.
    """

    code: int
    stdout: str
    stderr: str
    services: tuple[tuple[str, str], ...] = ()


_GLOBAL = (
    Flag("namespace", short="n"),
    Flag("as"),
    Flag("as-group", "strings", default=()),
    Flag("as-uid"),
    Flag("as-user-extra", "strings", default=()),
    Flag("cache-dir"),
    Flag("certificate-authority"),
    Flag("client-certificate"),
    Flag("client-key"),
    Flag("cluster"),
    Flag("context"),
    boolean("disable-compression"),
    boolean("insecure-skip-tls-verify"),
    Flag("kubeconfig"),
    Flag("kuberc"),
    Flag("log-flush-frequency"),
    boolean("match-server-version"),
    Flag("password"),
    Flag("profile"),
    Flag("profile-output"),
    Flag("proxy-url"),
    Flag("request-timeout"),
    Flag("server", short="s"),
    Flag("tls-server-name"),
    Flag("token"),
    Flag("user"),
    Flag("username"),
    Flag("v", "int", short="v", default=0),
    Flag("vmodule"),
    boolean("warnings-as-errors"),
    boolean("help", "h"),
)
"""Flags of every command; those that say how to reach a server are read and not needed."""

_FILES = (
    Flag("filename", "strings", short="f", default=()),
    Flag("kustomize", short="k"),
    boolean("recursive", "R"),
)
_PRINT = (
    Flag("output", short="o"),
    Flag("template"),
    boolean("allow-missing-template-keys", default=True),
    boolean("show-managed-fields"),
)
_LIST = (
    boolean("all-namespaces", "A"),
    Flag("chunk-size", "int", default=500),
    Flag("selector", short="l"),
)
_WRITE = (
    Flag("dry-run", default="none", bare="unchanged"),
    Flag("field-manager"),
    boolean("save-config"),
)
_GET = (
    *_GLOBAL,
    *_FILES,
    *_PRINT,
    *_LIST,
    Flag("field-selector"),
    boolean("ignore-not-found"),
    Flag("label-columns", "strings", short="L", default=()),
    boolean("no-headers"),
    boolean("output-watch-events"),
    Flag("raw"),
    boolean("server-print", default=True),
    boolean("show-kind"),
    boolean("show-labels"),
    Flag("sort-by"),
    Flag("subresource"),
    boolean("watch", "w"),
    boolean("watch-only"),
)
_DESCRIBE = (*_GLOBAL, *_FILES, *_LIST, boolean("show-events", default=True))
_EXPOSE = (
    *_GLOBAL,
    *_FILES,
    *_PRINT,
    *_WRITE,
    Flag("cluster-ip"),
    Flag("external-ip"),
    Flag("labels", short="l"),
    Flag("load-balancer-ip"),
    Flag("name"),
    Flag("override-type", default="merge"),
    Flag("overrides"),
    Flag("port"),
    Flag("protocol"),
    boolean("record"),
    Flag("selector"),
    Flag("session-affinity"),
    Flag("target-port"),
    Flag("type"),
)
_OURS = (Flag("node-port", "int", default=0),)
"""Flags of ``expose`` that kubectl does not have."""
_CREATE = (
    *_GLOBAL,
    *_PRINT,
    *_WRITE,
    Flag("tcp", "strings", default=()),
    Flag("validate", default="strict", bare="strict"),
)
_YES = ("1", "t", "T", "TRUE", "true", "True")
_NO = ("0", "f", "F", "FALSE", "false", "False")
_TYPES = {
    "clusterip": "ClusterIP",
    "nodeport": "NodePort",
    "loadbalancer": "LoadBalancer",
    "externalname": "ExternalName",
}
_TYPE_FLAGS: Mapping[str, tuple[Flag, ...]] = {
    "clusterip": (Flag("clusterip"),),
    "nodeport": (Flag("node-port", "int", default=0),),
    "externalname": (Flag("external-name"),),
}


def run(
    cluster: Cluster | Iterable[Object], arguments: Sequence[str], now: datetime, *, program: str = "kubectl"
) -> Outcome:
    """What ``PROGRAM ARGUMENTS...`` prints at the moment ``now``, and its exit code (0 or 1)."""
    known = cluster if isinstance(cluster, Cluster) else Cluster(cluster)
    session = Session(known, now, program)
    code = 0
    try:
        _dispatch(session, list(arguments))
    except KubectlError as error:
        if isinstance(error, PrintError):
            session.out.append(error.printed)
        session.notes.append(error.line())
        code = 1
    stderr = "".join(f"{note}\n" for note in session.notes)
    return Outcome(code, "".join(session.out), stderr, tuple(session.services))


def flags(command: str) -> FlagSet:
    """All flags that ``get``, ``describe``, ``expose`` or ``create`` may have, ours included."""
    of_types = [flag for each in _TYPE_FLAGS.values() for flag in each]
    known = {
        "get": _GET,
        "describe": _DESCRIBE,
        "expose": (*_EXPOSE, *_OURS),
        "create": (*_CREATE, *of_types),
    }
    return FlagSet(known[command])


def _dispatch(session: Session, line: list[str]) -> None:
    path: list[str] = []
    rest = line
    commands: Sequence[str] = ("get", "describe", "expose", "create")
    while commands:
        word, after = _take_argument(rest)
        if word == "svc" and path == ["create"]:
            word = "service"
        if word not in commands:
            _unknown(session, path, word, rest)
        path.append(word)
        rest = after
        commands = {"create": ("service",), "create service": tuple(_TYPES)}.get(" ".join(path), ())
    name = " ".join([session.program, *path])
    known, command = _command(session, path)
    parsed = _parse(known, rest, name)
    if parsed.given("record"):
        session.notes.append("Flag --record has been deprecated, --record will be removed in the future")
    if parsed.on("help"):
        raise _no_manual(path)
    command(session, parsed, name)
    if parsed.on("warnings-as-errors") and session.warnings:
        count = session.warnings
        raise KubectlError(f"{count} warning{'' if count == 1 else 's'} received")


def _command(
    session: Session, path: Sequence[str]
) -> tuple[Sequence[Flag], Callable[[Session, Parsed, str], None]]:
    if path[0] == "get":
        return _GET, _get
    if path[0] == "describe":
        return _DESCRIBE, _describe
    if path[0] == "expose":
        return (*_EXPOSE, *(_OURS if session.offline else ())), _expose
    kind = path[-1]
    return (
        (*_CREATE, *_TYPE_FLAGS.get(kind, ())),
        lambda session, parsed, name: _create(session, parsed, name, kind),
    )


def _take_argument(line: Sequence[str]) -> tuple[str, list[str]]:
    """The first word that is neither a flag nor the value of one, and the line without it.

    As cobra finds a command: before the command's own flags are known, a flag that is none of the global
    ones is taken to have a value.
    """
    known = FlagSet(_GLOBAL)
    at = 0
    while at < len(line) and line[at] != "--":
        word = line[at]
        if word and not word.startswith("-"):
            return word, [*line[:at], *line[at + 1 :]]
        flag = known.named(word[2:]) if word.startswith("--") else known.short(word[1:])
        alone = "=" not in word and (word.startswith("--") or len(word) == 2)
        at += 2 if alone and (flag is None or not flag.bare) else 1
    return "", list(line)


def _unknown(session: Session, path: Sequence[str], word: str, rest: Sequence[str]) -> None:
    name = " ".join([session.program, *path])
    if not word and session.offline and path[:1] == ["create"]:
        raise KubectlError(
            f"name what to create: {session.program} create service {'|'.join(_TYPES)} NAME\n"
            f"See '{session.program} create -h' for help and examples"
        )
    if not word:
        raise _no_manual(path)
    if path == ["create", "service"]:
        words = " ".join(_parse(_GLOBAL, rest, name).arguments)
        raise KubectlError(f"unknown command {quoted(words)}\nSee '{name} -h' for help and examples")
    if path == ["create"]:
        raise KubectlError(f"rulegen creates services only, no {word}")
    raise KubectlError(f"unknown command {quoted(word)} for {quoted(session.program)}")


def _no_manual(path: Sequence[str]) -> KubectlError:
    return KubectlError(f"rulegen has no manual of kubectl's: see '{' '.join(['kubectl', *path])} --help'")


def _parse(known: Iterable[Flag], rest: Sequence[str], name: str) -> Parsed:
    try:
        return FlagSet(known).parse(rest)
    except KubectlError as error:
        raise KubectlError(f"{error}\nSee '{name} --help' for usage.") from None


def _get(session: Session, parsed: Parsed, name: str) -> None:
    for flag in ("filename", "kustomize", "raw", "watch", "watch-only", "subresource"):
        if parsed.values[flag] not in ("", False, ()):
            raise KubectlError(f"rulegen get has no --{flag}")
    if not parsed.arguments:
        session.notes.append(
            'You must specify the type of resource to get. Use "kubectl api-resources" for a complete list'
            " of supported resources.\n"
        )
        raise KubectlError(
            'Required resource not specified.\nUse "kubectl explain <resource>" for a detailed description'
            f" of that resource (e.g. kubectl explain pods).\nSee '{name} -h' for help and examples"
        )
    output = parsed.text("output")
    if parsed.on("show-labels") and output not in ("", "wide"):
        raise KubectlError(f"--show-labels option cannot be used with {output} printer")
    if parsed.texts("label-columns") and output.startswith("custom-columns"):
        raise KubectlError(f"--label-columns option cannot be used with {output} printer")
    if parsed.on("output-watch-events"):
        raise KubectlError("--output-watch-events option can only be used with --watch or --watch-only")
    query = Query(
        arguments=parsed.arguments,
        namespace=parsed.text("namespace") or "default",
        all_namespaces=parsed.on("all-namespaces"),
        labels=parsed.text("selector"),
        fields=parsed.text("field-selector"),
    )
    style = Style(
        wide=output == "wide",
        headers=not parsed.on("no-headers"),
        show_labels=parsed.on("show-labels"),
        labels=parsed.texts("label-columns"),
        show_kind=parsed.on("show-kind"),
        server=parsed.on("server-print"),
    )
    command = Get(
        query,
        output=output,
        style=style,
        chunk_size=parsed.number("chunk-size"),
        ignore_not_found=parsed.on("ignore-not-found"),
        managed_fields=parsed.on("show-managed-fields"),
        sort_by=parsed.text("sort-by"),
        template=parsed.text("template"),
        lenient=parsed.on("allow-missing-template-keys"),
    )
    get(session, command)


def _describe(session: Session, parsed: Parsed, name: str) -> None:
    _refuse_files(parsed, "describe")
    if not parsed.arguments:
        raise KubectlError(
            'You must specify the type of resource to describe. Use "kubectl api-resources" for a'
            " complete list of supported resources."
        )
    query = Query(
        arguments=parsed.arguments,
        namespace=parsed.text("namespace") or "default",
        all_namespaces=parsed.on("all-namespaces"),
        labels=parsed.text("selector"),
    )
    events = parsed.on("show-events") if parsed.given("show-events") else None
    describe(session, Describe(query, events))


def _expose(session: Session, parsed: Parsed, name: str) -> None:
    client = _dry_run(session, parsed)
    printer = _write_printer(session, parsed, "exposed (dry run)")
    _refuse_files(parsed, "expose")
    query = Query(
        arguments=parsed.arguments, namespace=parsed.text("namespace") or "default", everything=False
    )
    found = find(session, query)
    if not found.errors:
        _only_dry_run(client)
    overrides = parsed.text("overrides")
    command = Expose(
        name=parsed.text("name"),
        selector=parsed.text("selector"),
        port=parsed.text("port"),
        target_port=parsed.text("target-port"),
        protocol=parsed.text("protocol"),
        type=parsed.text("type"),
        labels=parsed.text("labels"),
        external_ip=parsed.text("external-ip"),
        load_balancer_ip=parsed.text("load-balancer-ip"),
        session_affinity=parsed.text("session-affinity"),
        cluster_ip=parsed.text("cluster-ip"),
        node_port=parsed.number("node-port") if session.offline else 0,
        namespace=parsed.text("namespace"),
        change_cause=_cause(session, parsed) if parsed.on("record") else "",
        overrides=Overrides(overrides, parsed.text("override-type")) if overrides else None,
    )
    errors: list[KubectlError] = []
    services = []
    for each in found.results:
        if isinstance(each, KubectlError):
            errors.append(each)
            continue
        try:
            services += [command.service_for(each.resource, item) for item in each.objects]
        except KubectlError as error:
            errors.append(error)
    session.out.append(printer.several(services))
    session.services += map(_key, services)
    raise_all(errors)


def _cause(session: Session, parsed: Parsed) -> str:
    """The command as ``--record`` writes it down: arguments first, then the flags that were given."""
    words = [session.program, "expose", *parsed.arguments]
    return " ".join([*words, *(f"--{name}={value}" for name, value in parsed.settings)])


def _create(session: Session, parsed: Parsed, name: str, kind: str) -> None:
    if kind == "externalname" and not parsed.given("external-name"):
        raise KubectlError('required flag(s) "external-name" not set')
    count = len(parsed.arguments) if parsed.before_dash < 0 else parsed.before_dash
    if count != 1:
        raise KubectlError(
            f"exactly one NAME is required, got {count}\nSee '{name} -h' for help and examples"
        )
    client = _dry_run(session, parsed)
    printer = _write_printer(session, parsed, "created (dry run)")
    validate = parsed.text("validate")
    if validate not in ("strict", "warn", "ignore", *_YES, *_NO):
        raise KubectlError(
            f"invalid - validate option {quoted(validate)}; must be one of: strict (or true), warn, ignore"
            " (or false)"
        )
    new = NewService(
        name=parsed.arguments[0],
        type=_TYPES[kind],
        tcp=parsed.texts("tcp"),
        cluster_ip=parsed.text("clusterip") if kind == "clusterip" else "",
        node_port=parsed.number("node-port") if kind == "nodeport" else 0,
        external_name=parsed.text("external-name") if kind == "externalname" else "",
        namespace=parsed.text("namespace"),
    )
    service = create_service(new)
    _only_dry_run(client)
    session.out.append(printer.one(service))
    session.services.append(_key(service))


def _key(service: Object) -> tuple[str, str]:
    return namespace_of(service), name_of(service)


def _refuse_files(parsed: Parsed, command: str) -> None:
    for flag in ("filename", "kustomize"):
        if parsed.values[flag]:
            raise KubectlError(f"rulegen {command} takes its objects from rulegen's input, not from --{flag}")


def _write_printer(session: Session, parsed: Parsed, operation: str) -> Printer:
    output, asked = parsed.text("output"), parsed.text("template")
    if session.offline and not (output or asked or parsed.given("dry-run")):
        output = "yaml"
    chosen, template = choose(output, asked, get=False)
    return Printer(
        chosen,
        operation,
        managed_fields=parsed.on("show-managed-fields"),
        typed=True,
        template=template,
        lenient=parsed.on("allow-missing-template-keys"),
    )


def _dry_run(session: Session, parsed: Parsed) -> bool:
    """Whether ``--dry-run`` asks for one on the client's side."""
    if session.offline and not parsed.given("dry-run"):
        return True
    value = parsed.text("dry-run")
    if value in ("unchanged", *_YES):
        session.notes.append(f"warning: --dry-run={value} is deprecated: use --dry-run=client")
    if value in ("client", "unchanged", *_YES):
        return True
    if value in ("none", "server", *_NO):
        return False
    raise KubectlError(f'Invalid dry-run value ({value}). Must be "none", "server", or "client".')


def _only_dry_run(client: bool) -> None:
    if not client:
        raise KubectlError("rulegen has no cluster to change: use --dry-run=client")
