"""Reading manifests: sources in, typed and valid objects out, or every problem that they have."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import IO, Any

import msgspec
from msgspec.structs import force_setattr

from rulegen.collector import paused
from rulegen.load.api import FieldError, Server, admit
from rulegen.load.config import written_path
from rulegen.load.items import Chunk, Item, JsonItem, Reader
from rulegen.load.jsontext import JsonError
from rulegen.load.kinds import (
    KINDS,
    NAMESPACED,
    PROXY_CONFIGURATION,
    PROXY_CONFIGURATION_VERSION,
    Kind,
    group_of,
    is_builtin,
    meant_by,
)
from rulegen.load.problems import LoadError, Problem, named
from rulegen.load.sources import Source, Text, texts
from rulegen.load.together import clashes
from rulegen.model import Cluster, Origin, Service, ServiceCIDR

DEFAULT_NAMESPACE = "default"
ANY_ADDRESS = ("0.0.0.0/0", "::/0")
"""Service CIDRs of a cluster that nothing is known of."""

_EVERY = 500
_UNKNOWN = "unknown field "
# The API server takes an address for a Service before it looks at the Service's own name.
_NAMELESS = "spec.parentRef.name: Required value"
_NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


class Progress(msgspec.Struct, frozen=True):
    """How far a load has come: ``step`` is ``reading`` (in bytes) or ``checking`` (in objects).

    While reading, ``total`` is what is known of so far: it grows with every further file.
    """

    step: str
    done: int
    total: int


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What was read: the objects, remarks about them, and how many of each kind no rule depends on.

    ``plain`` holds all objects as the API server would store them, where a load was asked to keep them.
    """

    cluster: Cluster
    warnings: tuple[Problem, ...] = ()
    passed_over: Mapping[str, int] = {}
    plain: tuple[Mapping[str, Any], ...] = ()


def load(
    *sources: Source,
    recursive: bool = False,
    strict: bool = False,
    namespace: str = DEFAULT_NAMESPACE,
    server: Server | None = None,
    stdin: IO[bytes] | IO[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
    keep_plain: bool = False,
    every_key: bool = False,
) -> Loaded:
    """Read Kubernetes objects from files, directories, ``-``, streams, mappings and lists of mappings.

    YAML (several documents), JSON (several values), lists of any kind and what ``kubectl get -o json`` prints
    are taken; Services, EndpointSlices, Endpoints, Pods, Nodes, ServiceCIDRs and a KubeProxyConfiguration
    (also inside of its ConfigMap) are checked as Kubernetes 1.37 does, other kinds are passed over. A
    directory is read without its directories unless ``recursive``. An object without a namespace is in
    ``namespace``. With ``strict`` unknown and repeated fields are errors; without it or ``every_key`` nobody
    looks for repeated ones in JSON that comes from a cluster, which has none. ``server`` says what the API
    server was started with; by default its Service CIDRs are those of the ServiceCIDRs, or any where the one
    called ``kubernetes`` is not among the objects. ``progress`` is called now and then.

    A Service that has no cluster IP yet is kept as it is. Raises :class:`LoadError` with all
    problems of the run, and nothing else for whatever a source holds.
    """
    run = _Run(strict, namespace, server, progress, keep_plain, every_key)
    with paused():
        run.read(sources, recursive, stdin)
        return run.finish()


def load_configuration(
    source: Source, *, strict: bool = False, stdin: IO[bytes] | IO[str] | None = None
) -> Loaded:
    """Read a KubeProxyConfiguration, bare or in its ConfigMap, into ``cluster.proxy_configuration``.

    Raises :class:`LoadError` as :func:`load` does, and where there is none.
    """
    loaded = load(source, strict=strict, stdin=stdin)
    if loaded.cluster.proxy_configuration is None:
        file = next((origin.file for origin in loaded.cluster.origins.values()), "")
        message = f"holds no {PROXY_CONFIGURATION}, neither bare nor in a ConfigMap"
        raise LoadError([Problem(file, 0, "", "", message)], loaded.warnings)
    return loaded


class _Run:
    """One load: what was read, what was made of it, what is wrong with it."""

    def __init__(
        self,
        strict: bool,
        namespace: str,
        server: Server | None,
        progress: Callable[[Progress], None] | None,
        keep_plain: bool = False,
        every_key: bool = False,
    ) -> None:
        self.strict = strict
        self.every_key = every_key or strict
        self.namespace = namespace
        self.progress = progress
        self.given_server = server
        self.server = server or Server(service_cidrs=ANY_ADDRESS, cluster_ips={})
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.orders: dict[str, int] = {}
        self.items: list[Item] = []
        self.saw_list = False
        self.found: dict[str, list[Any]] = {kind: [] for kind in KINDS}
        self.service_items: dict[tuple[str, str], Item] = {}
        self.others: list[Mapping[str, Any]] = []
        self.passed_over: Counter[str] = Counter()
        self.origins: dict[tuple[str, str, str], Origin] = {}
        self.configuration: Mapping[str, Any] | None = None
        self.configuration_origin: Origin | None = None
        self.keep_plain = keep_plain
        self.plain: list[Mapping[str, Any]] = []

    def read(self, sources: tuple[Source, ...], recursive: bool, stdin: Any) -> None:
        """Take the sources apart into objects, none of which is looked into yet."""
        before = 0
        for order, text in enumerate(
            texts(sources, recursive=recursive, stdin=stdin, problems=self.problems)
        ):
            self.orders.setdefault(text.file, order)
            known = len(self.items), len(self.problems)
            size = len(text.content)

            def tick(position: int, start: int = before, size: int = size) -> None:
                if self.progress is not None:
                    self.progress(Progress("reading", start + min(position, size), start + size))

            reader = Reader(text, order, self.problems, tick)
            self.items.extend(reader.items())
            tick(size)
            before += size
            self.saw_list |= reader.saw_list
            if known == (len(self.items), len(self.problems)) and not reader.saw_list:
                about = Problem(text.file, 0, "", "", "holds no objects")
                (self.problems if text.asked_for else self.warnings).append(about)

    def finish(self) -> Loaded:
        """Check every object, then all of them together."""
        for number, item in enumerate(sorted(self.items, key=lambda item: item.kind != "ServiceCIDR")):
            if self.progress is not None and number % _EVERY == 0:
                self.progress(Progress("checking", number, len(self.items)))
            try:
                self._take(item)
            except JsonError as error:
                self._report(item, item.line + error.line, "", "", error.message)
        if not self.problems and not self.items and not self.saw_list:
            self.problems.append(Problem("", 0, "", "", "no objects were given"))
        self._check_together()
        problems = sorted(self.problems, key=self._place_of)
        warnings = sorted(self.warnings, key=self._place_of)
        if problems:
            raise LoadError(problems, warnings)
        cluster = Cluster(
            services=tuple(self.found["Service"]),
            slices=tuple(self.found["EndpointSlice"]),
            endpoints=tuple(self.found["Endpoints"]),
            pods=tuple(self.found["Pod"]),
            nodes=tuple(self.found["Node"]),
            service_cidrs=tuple(self.found["ServiceCIDR"]),
            proxy_configuration=self.configuration,
            others=tuple(self.others),
            origins=self.origins,
        )
        return Loaded(
            cluster=cluster,
            warnings=tuple(warnings),
            passed_over=dict(self.passed_over),
            plain=tuple(self.plain),
        )

    def _place_of(self, problem: Problem) -> tuple[int, int]:
        return self.orders.get(problem.file, -1), problem.line

    def _take(self, item: Item) -> None:
        kind, version = item.kind, item.api_version
        for field, value in (("kind", kind), ("apiVersion", version)):
            if not isinstance(value, str) or not value:
                title = kind if isinstance(kind, str) else ""
                message = "Required value" if value in (None, "") else "Invalid value: must be a string"
                self._report(item, item.line_of(field), title, field, message)
                return
        builtin = is_builtin(group_of(version))
        if builtin and kind in KINDS:
            if version in KINDS[kind].versions:
                self._take_typed(item, KINDS[kind])
            else:
                self._no_matches(item, "apiVersion", f"it is served in {KINDS[kind].versions[0]}")
        elif kind == PROXY_CONFIGURATION:
            if version == PROXY_CONFIGURATION_VERSION:
                self._take_configuration(item)
            else:
                self._no_matches(item, "apiVersion", f"it is served in {PROXY_CONFIGURATION_VERSION}")
        elif builtin and (meant := meant_by(kind)) is not None:
            self._no_matches(item, "kind", f"the kind is called {meant}")
        elif not (kind == "ConfigMap" and version == "v1" and self._take_config_map(item)):
            self._pass_over(item)

    def _no_matches(self, item: Item, field: str, remark: str) -> None:
        title = _title(item.kind, item.data(), self.namespace if item.kind in NAMESPACED else "")
        message = f'no matches for kind "{item.kind}" in version "{item.api_version}": {remark}'
        self._report(item, item.line_of(field), title, field, message)

    def _take_typed(self, item: Item, kind: Kind) -> None:
        value = item.typed(kind.type)
        if value is not None and kind.namespaced and not value.metadata.namespace:
            force_setattr(value.metadata, "namespace", self.namespace)
        # To look through all keys of a large listing takes a fifth of the time of everything else.
        passed = isinstance(item, JsonItem) and value is not None and _is_stored(value) and not self.every_key
        if not passed and not self._keys_are_single(item):
            return
        if value is not None and not self.keep_plain and kind.is_plain(value, self.server):
            value = kind.complete(value, self.server)
        else:
            value = self._admitted(item, kind)
            if value is None:
                return
        namespace, name = value.metadata.namespace, value.metadata.name
        if self._is_first(item, kind.name, namespace, name):
            self.found[kind.name].append(value)
            if isinstance(value, Service):
                self.service_items[namespace, name] = item
            elif isinstance(value, ServiceCIDR) and self.given_server is None:
                self._take_service_cidrs()

    def _take_service_cidrs(self) -> None:
        """The Service CIDRs of the cluster, where its own are told; others may have been added (KEP-1880)."""
        objects = self.found["ServiceCIDR"]
        if any(each.metadata.name == "kubernetes" for each in objects):
            own_first = sorted(objects, key=lambda each: each.metadata.name != "kubernetes")
            cidrs = tuple(cidr for each in own_first for cidr in each.spec.cidrs or ())
            self.server = Server(service_cidrs=cidrs or ANY_ADDRESS, cluster_ips={})

    def _keys_are_single(self, item: Item) -> bool:
        """kubectl lets the last of two equal keys win without a word; the API server names it."""
        repeated = item.repeated()
        if repeated:
            title = _title(item.kind, item.data(), self.namespace if item.kind in NAMESPACED else "")
            for path, line in repeated:
                problem = Problem(item.file, line, title, path, f'duplicate field "{path}"')
                (self.problems if self.strict else self.warnings).append(problem)
        return not (repeated and self.strict)

    def _admitted(self, item: Item, kind: Kind) -> Any:
        """The exact way: the object as the API server takes it, or None when its problems were added."""
        data = dict(item.data())
        metadata = data.get("metadata")
        namespace = ""
        if kind.namespaced and (metadata is None or isinstance(metadata, dict)):
            namespace = (metadata or {}).get("namespace") or self.namespace
            data["metadata"] = {**(metadata or {}), "namespace": namespace}
        result = self._admit(item, data, namespace)
        if result is None:
            return None
        result["apiVersion"] = kind.versions[0]
        try:
            value = msgspec.convert(result, kind.type)
        except msgspec.ValidationError as error:
            self._report(item, item.line, _title(kind.name, data, namespace), "", str(error))
            return None
        if not value.metadata.name:
            name = _generated_name(value.metadata.generate_name, result)
            force_setattr(value.metadata, "name", name)
            result["metadata"]["name"] = name
        if self.keep_plain:
            self.plain.append(result)
        return value

    def _admit(self, item: Item, data: dict[str, Any], namespace: str) -> dict[str, Any] | None:
        metadata = data.get("metadata")
        stored = isinstance(metadata, dict) and bool(metadata.get("uid") or metadata.get("resourceVersion"))
        # A create drops the status of a Service; whoever writes one into a manifest means it.
        admission = admit(data, strict=self.strict, stored=stored, server=self.server, keep_status=True)
        title = _title(item.kind, data, namespace)
        self._add_faults(item, title, admission.errors, admission.warnings)
        return admission.result

    def _add_faults(
        self, item: Item, title: str, errors: tuple[FieldError, ...], warnings: tuple[FieldError, ...]
    ) -> None:
        for fault in (*errors, *warnings):
            remark = fault in warnings or (not self.strict and fault.message.startswith(_UNKNOWN))
            line = item.line_of(written_path(fault.field))
            message = fault.message
            if message.endswith(_NAMELESS):
                message += " (the Service has no metadata.name)"
            problem = Problem(item.file, line, title, fault.field, message)
            (self.warnings if remark else self.problems).append(problem)

    def _is_first(self, item: Item, kind: str, namespace: str, name: str) -> bool:
        key = (kind, namespace, name)
        known = self.origins.get(key)
        if known is None:
            self.origins[key] = Origin(item.file, item.line)
            return True
        message = f"the same object stands at {known} already"
        self._report(item, item.line_of("metadata.name"), named(*key), "metadata.name", message)
        return False

    def _check_together(self) -> None:
        for clash in clashes(self.found["Service"]):
            own, holder = clash.service.metadata, clash.holder.metadata
            item = self.service_items[own.namespace, own.name]
            place = self.origins["Service", holder.namespace, holder.name]
            message = f"{clash.fault.message} (by {named('Service', holder.namespace, holder.name)}, {place})"
            title = named("Service", own.namespace, own.name)
            field = clash.fault.field
            problem = Problem(item.file, item.line_of(field), title, field, message)
            (self.warnings if clash.both_stored else self.problems).append(problem)

    def _take_configuration(self, item: Item) -> None:
        if not self._keys_are_single(item):
            return
        data = item.data()
        # kube-proxy fills this in before it validates, and with it looks at the cluster CIDRs.
        local = {"detectLocalMode": "ClusterCIDR"} if data.get("detectLocalMode") in (None, "") else {}
        if self._admit(item, {**data, **local}, "") is None:
            return
        if self.configuration_origin is not None:
            message = f"another one stands at {self.configuration_origin}"
            self._report(item, item.line, PROXY_CONFIGURATION, "", message)
            return
        self.configuration = data
        self.configuration_origin = Origin(item.file, item.line)

    def _take_config_map(self, item: Item) -> bool:
        """kubeadm keeps kube-proxy's configuration in a ConfigMap, under the key ``config.conf``."""
        held = item.data().get("data")
        taken = False
        for key, text in held.items() if isinstance(held, dict) else ():
            if not isinstance(text, str) or PROXY_CONFIGURATION not in text:
                continue
            first = item.text_line_of(("data", key))
            chunk = Chunk(text, first) if first else Chunk(text, item.line_of(f"data[{key}]"), exact=False)
            reader = Reader(Text(item.file, b""), item.order, self.problems)
            for inner in reader.items_of_chunk(chunk):
                if inner.kind == PROXY_CONFIGURATION:
                    self._take(inner)
                    taken = True
        return taken

    def _pass_over(self, item: Item) -> None:
        data = item.data()
        group = group_of(item.api_version)
        builtin = is_builtin(group)
        self.passed_over[item.kind if builtin else f"{item.kind}.{group}"] += 1
        metadata = data.get("metadata")
        if isinstance(metadata, dict) and isinstance(metadata.get("name"), str):
            namespace = metadata.get("namespace") or ""
            if builtin and item.kind in NAMESPACED and not namespace:
                namespace = self.namespace
                data = {**data, "metadata": {**metadata, "namespace": namespace}}
            key = (item.kind, str(namespace), metadata["name"])
            self.origins.setdefault(key, Origin(item.file, item.line))
        self.others.append(data)
        if self.keep_plain:
            self.plain.append(data)

    def _report(self, item: Item, line: int, title: str, field: str, message: str) -> None:
        self.problems.append(Problem(item.file, line, title, field, message))


def _is_stored(value: Any) -> bool:
    """Whether an object comes from a cluster."""
    return bool(value.metadata.uid or value.metadata.resource_version)


def _title(kind: str, data: Any, namespace: str) -> str:
    metadata = data.get("metadata") if isinstance(data, dict) else None
    if not isinstance(metadata, dict):
        return kind
    name = metadata.get("name") or metadata.get("generateName")
    namespace = metadata.get("namespace") or namespace
    return named(kind, str(namespace), name) if isinstance(name, str) else kind


def _generated_name(prefix: str, data: Any) -> str:
    """A name for an object that leaves it to the API server: of the server's form, the same each time."""
    digest = hashlib.sha256(msgspec.json.encode(data, order="deterministic")).digest()
    return prefix + "".join(_NAME_ALPHABET[byte % len(_NAME_ALPHABET)] for byte in digest[:5])
