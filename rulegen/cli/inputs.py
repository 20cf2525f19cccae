"""What every command reads: objects, the node, kube-proxy's configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from rulegen.allocation import allocate, ranges, read_state, write_state
from rulegen.allocation.ranges import DEFAULT_CIDRS, DEFAULT_NODE_PORTS
from rulegen.backend import Backend, backend
from rulegen.cli.output import note, note_warnings
from rulegen.cli.progress import progress_bar
from rulegen.collector import paused
from rulegen.controllers import EndpointSource, complete, synthesis
from rulegen.load import Loaded, load, load_configuration, node_facts, proxy_config
from rulegen.load.api import Server
from rulegen.load.loader import ANY_ADDRESS
from rulegen.load.sources import Source
from rulegen.model import FAMILIES, Cluster, Family, Node, ProxyConfig, Service
from rulegen.plan import Plan, plan, skip_reason
from rulegen.plan.machine import detect_node_ips
from rulegen.versions import DEFAULT_VERSION


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a command works on: read, checked, completed.

    ``assumed`` names the facts about the machine that nothing told: ``interfaces``, ``nfacct``,
    ``conntrack``. A node's own dump may know them.
    """

    cluster: Cluster
    node: Node
    config: ProxyConfig
    backend: Backend
    version: str
    namespace: str = "default"
    family: Family | None = None
    assumed: frozenset[str] = frozenset()

    def plan(self, family: Family, service_cidrs: tuple[str, ...] | None = None) -> Plan:
        return plan(self.cluster, self.node, self.config, family, self.version, service_cidrs)

    def primary(self) -> Family:
        """The family of the node's first address."""
        return detect_node_ips(self.node, self.config)[0]

    def families(self) -> tuple[Family, ...]:
        """The family asked for, or both: the primary first."""
        if self.family is not None:
            return (self.family,)
        first = self.primary()
        return (first, *(family for family in FAMILIES if family != first))

    def families_of(self, service: Service) -> list[Family]:
        """The families in which a Service has rules; a note says why where one that matters has none."""
        found = []
        for family in self.families():
            reason = skip_reason(service, family)
            if reason is None:
                found.append(family)
            elif self.family is not None or family == self.primary():
                metadata = service.metadata
                note(f"{metadata.namespace}/{metadata.name}: no {family} rules ({reason})")
        return found

    def service(self, name: str) -> Service:
        """The Service that ``NAME``, ``svc/NAME`` or ``service/NAME`` means. Raises ValueError if none."""
        kind, slash, rest = name.partition("/")
        if slash:
            if kind not in ("svc", "service", "services"):
                raise ValueError(f"{name}: a Service is meant, as in svc/{rest}")
            name = rest
        for service in self.cluster.services:
            if (service.metadata.namespace, service.metadata.name) == (self.namespace, name):
                return service
        elsewhere = [s.metadata.namespace for s in self.cluster.services if s.metadata.name == name]
        if elsewhere:
            raise ValueError(
                f'services "{name}" not found in namespace {self.namespace}; it is in'
                f" {', '.join(sorted(elsewhere)[:10])}: add -n {min(elsewhere)}"
            )
        known = sorted(f"{s.metadata.namespace}/{s.metadata.name}" for s in self.cluster.services)
        listed = ", ".join(known[:10]) + (f" and {len(known) - 10} more" if len(known) > 10 else "")
        raise ValueError(
            f'services "{name}" not found in namespace {self.namespace}; found: {listed or "none"}'
        )


def family_named(text: str) -> Family:
    """``IPv4`` or ``IPv6`` from what a user writes (``ipv4``, ``4``, ``6``, ...)."""
    match text.lower().removeprefix("ip").removeprefix("v"):
        case "4":
            return "IPv4"
        case "6":
            return "IPv6"
    raise ValueError(f'--family "{text}": must be IPv4 or IPv6')


def read_objects(
    files: Sequence[Source] | None,
    *,
    recursive: bool,
    strict: bool,
    namespace: str,
    server: Server | None = None,
    keep_plain: bool = False,
) -> Loaded:
    """Read manifests; warnings go to standard error. Raises LoadError with all problems."""
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
        )
    note_warnings(loaded.warnings)
    if loaded.passed_over:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(loaded.passed_over.items()))
        note(f"passed over: {kinds}")
    return loaded


def read(
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
    **about: Any,
) -> Inputs:
    """Read what a command needs; ``about`` is what :func:`assemble` takes. Raises LoadError, ValueError."""
    with paused():
        server = server_of(service_cidr, node_port_range)
        loaded = read_objects(files, recursive=recursive, strict=strict, namespace=namespace, server=server)
        cluster = allocated(loaded.cluster, service_cidr, node_port_range, state)
        if synthesize or scales:
            cluster = _with_pods(cluster, every=synthesize, scales=scales or (), namespace=namespace)
        completed = complete(cluster)
    _note_sources(completed.sources)
    inputs, notes = assemble(completed.cluster, strict=strict, namespace=namespace, **about)
    for text in notes:
        note(text)
    return inputs


def assemble(
    cluster: Cluster,
    *,
    strict: bool = False,
    namespace: str = "default",
    mode: str | None = None,
    assumed_mode: str | None = None,
    family: str | None = None,
    node: str | None = None,
    node_file: str | None = None,
    node_ips: Sequence[str] | None = None,
    interfaces: Sequence[str] | None = None,
    nfacct: bool | None = None,
    liberal: bool | None = None,
    config: str | None = None,
    version: str = DEFAULT_VERSION,
) -> tuple[Inputs, list[str]]:
    """Join a cluster with the node and the configuration that options name; and what was assumed.

    ``assumed_mode`` is that of the node where neither ``mode`` nor the configuration says one.
    Raises LoadError, ValueError.
    """
    wanted = None if family is None else family_named(family)
    configuration = cluster.proxy_configuration
    if config is not None:
        given = load_configuration(config, strict=strict)
        note_warnings(given.warnings)
        configuration = given.cluster.proxy_configuration
    facts = node_facts(
        cluster,
        file=node_file,
        name=node,
        ips=node_ips or (),
        interfaces=interfaces or (),
        conntrack_liberal=liberal,
        nfacct=nfacct,
        configuration=configuration,
    )
    notes = list(facts.notes)
    if mode is None and assumed_mode is not None and not (configuration or {}).get("mode"):
        mode = assumed_mode
        if mode != ProxyConfig().mode:
            notes.append(f"{mode} mode is meant, as the node's rules are of that (--mode chooses another)")
    settings = proxy_config(configuration, mode)
    chosen_addresses = any(text not in ("primary", "all") for text in settings.node_port_addresses)
    if facts.interfaces_note and (settings.mode == "ipvs" or chosen_addresses):
        notes.append(facts.interfaces_note)
    told = {
        "interfaces": not facts.interfaces_note,
        "nfacct": nfacct is not None or node_file is not None,
        "conntrack": liberal is not None or node_file is not None or facts.node.conntrack_tcp_be_liberal,
    }
    inputs = Inputs(
        cluster=cluster,
        node=facts.node,
        config=settings,
        backend=backend(settings.mode),
        version=version,
        namespace=namespace,
        family=wanted,
        assumed=frozenset(name for name, known in told.items() if not known),
    )
    return inputs, notes


def server_of(service_cidr: str | None, node_port_range: str) -> Server | None:
    """What the API server was started with, where options say it; else what objects themselves tell."""
    if service_cidr is None and node_port_range == DEFAULT_NODE_PORTS:
        return None
    known = ranges(service_cidr or DEFAULT_CIDRS, node_port_range)
    cidrs = tuple(map(str, known.cidrs.values())) if service_cidr is not None else ANY_ADDRESS
    return Server(service_cidrs=cidrs, node_ports=known.node_ports, cluster_ips={})


def allocated(cluster: Cluster, service_cidr: str | None, node_port_range: str, state: str | None) -> Cluster:
    """The cluster with cluster IPs and node ports for Services that lack them; what was given is said."""
    own = [cidr for item in cluster.service_cidrs for cidr in item.spec.cidrs or ()]
    given = ranges(service_cidr or own or DEFAULT_CIDRS, node_port_range)
    before = read_state(state) if state is not None else None
    found = allocate(cluster, given, before)
    for text in found.notes:
        note(text)
    if state is not None and found.state != before:
        write_state(state, found.state)
    return found.cluster


def _with_pods(cluster: Cluster, *, every: bool, scales: Sequence[str], namespace: str) -> Cluster:
    """The cluster with made-up Pods, as asked for; what was made up is said."""
    numbers = [synthesis.scale(text) for text in scales]
    made = synthesis.synthesize(cluster, every=every, scales=numbers, namespace=namespace)
    for text in made.notes:
        note(text)
    return made.cluster


def _note_sources(sources: Sequence[EndpointSource]) -> None:
    """One line for each thing to know about where endpoints come from, however many Services it is about."""
    noted = [(source.note, f"{source.namespace}/{source.name}") for source in sources if source.note]
    for line in _by_text(noted):
        note(line)


def _by_text(noted: Iterable[tuple[str, str]]) -> list[str]:
    """A line for each text, with the first few of the names that it is about."""
    about: dict[str, list[str]] = {}
    for text, name in noted:
        about.setdefault(text, []).append(name)
    lines = []
    for text, names in about.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        lines.append(f"{', '.join(names[:3])}{more}: {text}")
    return lines


def compile_families(inputs: Inputs, families: Sequence[Family]) -> Mapping[Family, Any]:
    """The rulesets of these families."""
    with paused():
        return {family: inputs.backend.compile_rules(inputs.plan(family)) for family in families}


def without_rules(inputs: Inputs, families: Sequence[Family]) -> list[str]:
    """A line for each reason why a Service gets no rules in any of the families, with such Services."""
    noted = []
    for service in inputs.cluster.services:
        reasons = [skip_reason(service, family) for family in families]
        if all(reasons):
            noted.append(
                (f"no rules ({reasons[0]})", f"{service.metadata.namespace}/{service.metadata.name}")
            )
    return _by_text(noted)
