"""The objects that commands read: checked, allocated, completed with what a cluster's controllers make."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from rulegen.allocation import allocate, ranges, read_state, service_cidrs, write_state
from rulegen.allocation.ranges import DEFAULT_CIDRS, DEFAULT_NODE_PORTS
from rulegen.cli.output import note, note_warnings
from rulegen.cli.progress import progress_bar
from rulegen.collector import paused
from rulegen.controllers import NO_PODS, EndpointSource, complete, synthesis
from rulegen.load import Loaded, load
from rulegen.load.api import Server
from rulegen.load.loader import ANY_ADDRESS
from rulegen.load.sources import Source
from rulegen.model import Cluster, Service


def read_objects(
    files: Sequence[Source] | None,
    *,
    recursive: bool,
    strict: bool,
    namespace: str,
    server: Server | None = None,
    keep_plain: bool = False,
    used: Collection[str] | None = (),
    every_warning: bool = False,
) -> Loaded:
    """Read manifests; warnings go to standard error, and which kinds mean nothing here.

    With ``every_warning`` all of them do, and all are looked for.

    ``used`` are kinds that do although no rule depends on them; None: all do. Raises LoadError with all
    problems.
    """
    if not files:
        raise ValueError("nothing to read: name a file or directory with -f (- is standard input)")
    with progress_bar() as progress:
        loaded = load(
            *files,
            recursive=recursive,
            strict=strict,
            namespace=namespace,
            server=server,
            progress=progress,
            keep_plain=keep_plain,
            every_key=every_warning,
        )
    note_warnings(loaded.warnings, every=every_warning)
    idle = {} if used is None else {kind: n for kind, n in loaded.passed_over.items() if kind not in used}
    kinds = [f"{count} {kind}" for kind, count in sorted(idle.items())]
    if kinds:
        note(f"passed over: {', '.join(kinds)}")
    return loaded


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """The objects of a cluster, allocated and completed, without anything about a node.

    ``sources`` tell where endpoints come from. ``plain`` holds the input's objects as the API server would
    store them, where they were asked for.
    """

    cluster: Cluster
    namespace: str = "default"
    sources: tuple[EndpointSource, ...] = ()
    plain: tuple[Mapping[str, Any], ...] = ()

    def service(self, name: str) -> Service:
        """The Service that ``NAME``, ``svc/NAME`` or ``service/NAME`` means. Raises ValueError if none."""
        return find_service(self.cluster, self.namespace, name)


def read_cluster(
    files: Sequence[Source] | None,
    *,
    recursive: bool = False,
    strict: bool = False,
    namespace: str = "default",
    synthesize: bool = False,
    scales: Sequence[str] | None = None,
    service_cidr: str | None = None,
    node_port_range: str = DEFAULT_NODE_PORTS,
    state: str | None = None,
    keep_plain: bool = False,
    all_kinds: bool = False,
    allocating: bool = True,
) -> Known:
    """Read objects, allocate what Services lack, make up Pods as asked for, and complete the slices.

    What was done is said; ``allocating`` is false where nothing depends on it. ``all_kinds`` says that
    objects of all kinds are used. Raises LoadError, ValueError.
    """
    with paused():
        made_up = synthesize or bool(scales)
        loaded = read_objects(
            files,
            recursive=recursive,
            strict=strict,
            namespace=namespace,
            server=server_of(service_cidr, node_port_range),
            keep_plain=keep_plain,
            used=None if all_kinds else synthesis.KINDS if made_up else (),
        )
        cluster = loaded.cluster
        if allocating:
            cluster = allocated(cluster, service_cidr, node_port_range, state)
        if made_up:
            cluster = _with_pods(cluster, every=synthesize, scales=scales or (), namespace=namespace)
        completed = complete(cluster)
    advice = "" if made_up or not synthesis.without_pods(cluster) else "; --synthesize-pods makes some up"
    _note_sources(completed.sources, advice)
    return Known(
        cluster=completed.cluster, namespace=namespace, sources=completed.sources, plain=loaded.plain
    )


def server_of(service_cidr: str | None, node_port_range: str) -> Server | None:
    """What the API server was started with, where options say it; else what objects themselves tell."""
    if service_cidr is None and node_port_range == DEFAULT_NODE_PORTS:
        return None
    known = ranges(service_cidr or DEFAULT_CIDRS, node_port_range)
    cidrs = (
        tuple(str(net) for nets in known.cidrs.values() for net in nets)
        if service_cidr is not None
        else ANY_ADDRESS
    )
    return Server(service_cidrs=cidrs, node_ports=known.node_ports, cluster_ips={})


def allocated(cluster: Cluster, service_cidr: str | None, node_port_range: str, state: str | None) -> Cluster:
    """The cluster with cluster IPs and node ports for Services that lack them; a few are told of."""
    own = service_cidrs(cluster.service_cidrs)
    given = ranges(service_cidr or own or DEFAULT_CIDRS, node_port_range)
    before = read_state(state) if state is not None else None
    found = allocate(cluster, given, before)
    for text in found.notes if len(found.given) == 1 else ():
        note(text)
    if len(found.given) > 1:
        note(
            f"{_first(found.given)}: cluster IPs and node ports allocated here; a cluster may choose others"
            " (`rulegen allocate` prints them)"
        )
    if state is not None and found.state != before:
        write_state(state, found.state)
    return found.cluster


def find_service(cluster: Cluster, namespace: str, name: str) -> Service:
    kind, slash, rest = name.partition("/")
    if slash:
        if kind not in ("svc", "service", "services"):
            raise ValueError(f"{name}: a Service is meant, as in svc/{rest}")
        name = rest
    for service in cluster.services:
        if (service.metadata.namespace, service.metadata.name) == (namespace, name):
            return service
    elsewhere = [s.metadata.namespace for s in cluster.services if s.metadata.name == name]
    if elsewhere:
        raise ValueError(
            f'services "{name}" not found in namespace {namespace}; it is in'
            f" {', '.join(sorted(elsewhere)[:10])}: add -n {min(elsewhere)}"
        )
    known = sorted(f"{s.metadata.namespace}/{s.metadata.name}" for s in cluster.services)
    listed = ", ".join(known[:10]) + (f" and {len(known) - 10} more" if len(known) > 10 else "")
    raise ValueError(f'services "{name}" not found in namespace {namespace}; found: {listed or "none"}')


def _with_pods(cluster: Cluster, *, every: bool, scales: Sequence[str], namespace: str) -> Cluster:
    """The cluster with made-up Pods, as asked for; what was made up is said."""
    numbers = [synthesis.scale(text) for text in scales]
    made = synthesis.synthesize(cluster, every=every, scales=numbers, namespace=namespace)
    for text in made.notes:
        note(text)
    return made.cluster


def _note_sources(sources: Sequence[EndpointSource], advice: str) -> None:
    """One line for each thing to know about where endpoints come from, however many Services it is about.

    ``advice`` is for those that lack Pods.
    """
    noted = [
        (source.note + (advice if source.note == NO_PODS else ""), f"{source.namespace}/{source.name}")
        for source in sources
        if source.note
    ]
    for line in by_text(noted):
        note(line)


def by_text(noted: Iterable[tuple[str, str]]) -> list[str]:
    """A line for each text, with the first few of the names that it is about."""
    about: dict[str, list[str]] = {}
    for text, name in noted:
        about.setdefault(text, []).append(name)
    return [f"{_first(names)}: {text}" for text, names in about.items()]


def _first(names: Sequence[str]) -> str:
    """The first few of many names."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
