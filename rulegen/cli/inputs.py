"""What every command reads: objects, the node, kube-proxy's configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from rulegen.backend import Backend, backend
from rulegen.cli.objects import by_text, find_service, read_cluster
from rulegen.cli.options import CLUSTER
from rulegen.cli.output import note, note_warnings
from rulegen.collector import kept, paused
from rulegen.load import load_configuration, node_facts, proxy_config
from rulegen.load.sources import Source
from rulegen.model import FAMILIES, Cluster, Family, Node, ProxyConfig, Service
from rulegen.plan import Plan, plan, skip_reason
from rulegen.plan.machine import detect_node_ips
from rulegen.versions import DEFAULT_VERSION


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a command works on: read, checked, completed.

    ``assumed`` names the facts about the machine that nothing told: ``interfaces``, ``nfacct``,
    ``conntrack``. A node's own dump may know them, and the ports of its userspace proxy (``found_ports``);
    ``proxy_ports`` are those that were given.
    """

    cluster: Cluster
    node: Node
    config: ProxyConfig
    backend: Backend
    version: str
    namespace: str = "default"
    family: Family | None = None
    assumed: frozenset[str] = frozenset()
    proxy_ports: Mapping[str, int] = {}
    found_ports: Mapping[Family, Mapping[str, int]] = {}

    def plan(
        self,
        family: Family,
        service_cidrs: tuple[str, ...] | None = None,
        focus: tuple[str, str] | None = None,
    ) -> Plan:
        planned = plan(
            self.cluster,
            self.node,
            self.config,
            family,
            self.version,
            service_cidrs,
            proxy_ports={**self.found_ports.get(family, {}), **self.proxy_ports},
            focus=focus,
        )
        return kept(planned)

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
        return find_service(self.cluster, self.namespace, name)


def family_named(text: str) -> Family:
    """``IPv4`` or ``IPv6`` from what a user writes (``ipv4``, ``4``, ``6``, ...)."""
    match text.lower().removeprefix("ip").removeprefix("v"):
        case "4":
            return "IPv4"
        case "6":
            return "IPv6"
    raise ValueError(f'--family "{text}": must be IPv4 or IPv6')


def read(files: Sequence[Source] | None, **options: Any) -> Inputs:
    """Read what a command needs: what :func:`read_cluster` and :func:`assemble` take.

    Raises LoadError, ValueError.
    """
    known = {name: options.pop(name) for name in CLUSTER if name in options}
    cluster = read_cluster(files, **known).cluster
    about = {name: known[name] for name in ("strict", "namespace") if name in known}
    inputs, notes = assemble(cluster, **about, **options)
    for text in notes:
        note(text)
    return kept(inputs)


def _proxy_ports(given: Sequence[str]) -> dict[str, int]:
    """Service port -> proxy port, of texts such as ``default/web:http=27000``. Raises ValueError."""
    found: dict[str, int] = {}
    for text in given:
        name, equals, number = text.partition("=")
        namespace, slash, rest = name.partition("/")
        right = equals and namespace and slash and rest and number.isascii() and number.isdigit()
        if not right or not 0 < int(number) < 65536:
            raise ValueError(f"--proxy-port {text}: must be NAMESPACE/NAME[:PORT]=NUMBER")
        if int(number) in found.values() and found.get(name) != int(number):
            raise ValueError(f"--proxy-port {text}: another service port has port {number}")
        found[name] = int(number)
    return found


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
    proxy_ports: Sequence[str] | None = None,
    addresses_follow: bool = False,
) -> tuple[Inputs, list[str]]:
    """Join a cluster with the node and the configuration that options name; and what was assumed.

    ``addresses_follow`` says that a namespace will tell what addresses its interfaces have.
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
    if facts.interfaces_note and not addresses_follow and (settings.mode == "ipvs" or chosen_addresses):
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
        proxy_ports=_proxy_ports(proxy_ports or ()),
    )
    return inputs, notes


def compile_families(inputs: Inputs, families: Sequence[Family]) -> Mapping[Family, Any]:
    """The rulesets of these families."""
    with paused():
        rules = {family: inputs.backend.compile_rules(inputs.plan(family)) for family in families}
    return kept(rules)


def without_rules(inputs: Inputs, families: Sequence[Family]) -> list[str]:
    """A line for each reason why a Service gets no rules in any of the families, with such Services."""
    noted = []
    for service in inputs.cluster.services:
        reasons = [skip_reason(service, family) for family in families]
        if all(reasons):
            noted.append(
                (f"no rules ({reasons[0]})", f"{service.metadata.namespace}/{service.metadata.name}")
            )
    return by_text(noted)
