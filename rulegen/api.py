"""The Python API: load objects, compile rules, write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import msgspec

from rulegen.allocation import allocate, ranges, service_cidrs
from rulegen.backend import backend
from rulegen.collector import paused
from rulegen.load import load as load_all
from rulegen.load import load_configuration, plain_node, proxy_config
from rulegen.load.kinds import PROXY_CONFIGURATION, PROXY_CONFIGURATION_VERSION
from rulegen.model import FAMILIES, Cluster, Family, Node, ProxyConfig
from rulegen.plan import plan
from rulegen.versions import DEFAULT_VERSION

if TYPE_CHECKING:
    from rulegen.trace.packet import State
    from rulegen.trace.result import Trace

Source: TypeAlias = str | IO[str] | IO[bytes] | Mapping[str, Any] | Sequence[Mapping[str, Any]]


def load(
    *sources: Source, recursive: bool = False, strict: bool = False, namespace: str = "default"
) -> Cluster:
    """Read Kubernetes objects: defaults applied, validated, completed as a cluster would.

    Services without cluster IP or node port get them (of 10.96.0.0/12, or of the ServiceCIDR objects, and of
    30000-32767; the same ones each time), endpoints are made as the controllers would make them.

    A source is a path to a file or directory, ``-`` for standard input, an open stream, or objects as plain
    data. Raises :class:`rulegen.LoadError` with every problem that was found.
    """
    from rulegen.controllers import complete

    loaded = load_all(*sources, recursive=recursive, strict=strict, namespace=namespace)
    cidrs = service_cidrs(loaded.cluster.service_cidrs)
    allocated = allocate(loaded.cluster, ranges(cidrs) if cidrs else ranges())
    return complete(allocated.cluster).cluster


def compile(
    cluster: Cluster,
    node: Node | Mapping[str, Any] | None = None,
    config: ProxyConfig | Mapping[str, Any] | None = None,
    mode: str | None = None,
    version: str = DEFAULT_VERSION,
    families: Sequence[Family] = FAMILIES,
) -> dict[Family, Any]:
    """The rules of a node, by family; the type of a ruleset is the mode's own.

    ``node`` and ``config`` may be plain data (a node file's form, a KubeProxyConfiguration); by default a
    plain node and the configuration found among the objects. ``mode`` wins over the configuration's. Raises
    ValueError for an unknown mode, version or family, and :class:`rulegen.LoadError` for plain data that a
    node file or kube-proxy would not take, unknown fields included.
    """
    check_cluster(cluster)
    node = as_node(node)
    config = as_config(config, cluster, mode)
    chosen = backend(config.mode)
    rules: dict[Family, Any] = {}
    with paused():
        for family in families:
            rules[family] = chosen.compile_rules(plan(cluster, node, config, family, version))
    return rules


def check_cluster(cluster: object) -> None:
    """Raise ValueError for what is no cluster, such as a path."""
    if not isinstance(cluster, Cluster):
        raise ValueError(f"{type(cluster).__name__} is no Cluster: rulegen.load makes one")


def as_node(node: Node | Mapping[str, Any] | None) -> Node:
    """A node from plain data, or a plain one. Raises :class:`rulegen.LoadError` for what no node file has."""
    return node if isinstance(node, Node) else plain_node(node or {})


def as_config(
    config: ProxyConfig | Mapping[str, Any] | None, cluster: Cluster | None, mode: str | None
) -> ProxyConfig:
    """A configuration from plain data, or that among the objects; ``mode`` wins over its own.

    Raises :class:`rulegen.LoadError` for plain data that kube-proxy would not take.
    """
    if not isinstance(config, ProxyConfig):
        found = cluster.proxy_configuration if cluster is not None else None
        return proxy_config(found if config is None else _checked(config), mode)
    if mode is not None and mode != config.mode:
        return msgspec.structs.replace(config, mode=mode)
    return config


def _checked(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    kind = {"apiVersion": PROXY_CONFIGURATION_VERSION, "kind": PROXY_CONFIGURATION}
    return load_configuration({**kind, **config}, strict=True).cluster.proxy_configuration


def text(ruleset: Any, form: str | None = None, mode: str = "iptables") -> str:
    """A ruleset as text, in one of its mode's forms (by default the first one, such as ``restore``)."""
    forms = backend(mode).forms
    for candidate in forms:
        if form in (None, candidate.name):
            return candidate.write(ruleset)
    known = ", ".join(candidate.name for candidate in forms)
    raise ValueError(f"unknown form {form!r}; {mode} has {known}")


def trace(
    rules: Any,
    source: str,
    to: str,
    *,
    cluster: Cluster | None = None,
    node: Node | Mapping[str, Any] | None = None,
    config: ProxyConfig | Mapping[str, Any] | None = None,
    mode: str | None = None,
    version: str = DEFAULT_VERSION,
    namespace: str = "default",
    family: Family | None = None,
    protocol: str | None = None,
    interface: str | None = None,
    state: State = "NEW",
    recent: Mapping[str, Sequence[str]] | None = None,
    conntrack: str = "",
) -> Trace:
    """Follow the first packet of a connection through the text of rules, and say what becomes of it.

    ``rules`` are what :func:`compile` returned (by family), objects to compile (a Cluster), or a node's dump:
    its text, or listings by the command that printed them (``iptables-save``, ``nft list ruleset``,
    ``ipvsadm -Sn``, ``ipset save``, ``ip -j addr``...). ``source`` is ``pod/NAME``, ``node``, ``external``,
    ``IP`` or ``IP:PORT``; ``to`` is ``svc/NAME[:PORT]``, ``IP:PORT``, a name of the cluster DNS with a port,
    or ``ping WHERE``. ``cluster`` gives names, and explains outcomes in the Service's words. ``interface`` is
    the device that the packet comes in by (by default the way back to its sender). ``recent`` are addresses
    in lists of session affinity, by the list's name; ``conntrack`` is what ``conntrack -L`` printed. For
    many packets, :class:`rulegen.Tracer` reads the rules once::

        cluster = rulegen.load("fixtures/ngx")
        node = {"name": "n1", "ips": ["192.168.10.1"]}
        trace = rulegen.trace(cluster, "external", "192.168.10.1:30651", node=node)
        trace.delivered                                        # True
        [outcome.endpoint for outcome in trace.outcomes]       # ["10.10.0.232:80", "10.10.1.86:80"]
        print(trace.text("tree"))                              # as the command line shows it

    Raises ValueError for a question that cannot be asked, or for rules that cannot be read.
    """
    from rulegen.trace.tracer import Tracer

    tracer = Tracer(
        rules,
        cluster=cluster,
        node=node,
        config=config,
        mode=mode,
        version=version,
        namespace=namespace,
        recent=recent,
    )
    return tracer.trace(
        source,
        to,
        family=family,
        protocol=protocol,
        interface=interface,
        state=state,
        conntrack=conntrack,
    )
