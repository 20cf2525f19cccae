"""Reading manifests: sources in, typed and valid objects out, or every problem that they have."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import msgspec
from msgspec.structs import force_setattr

from rulegen.load.api import Server, admit
from rulegen.load.items import Chunk, Item, items_of, yaml_items
from rulegen.load.jsontext import JsonError
from rulegen.load.kinds import (
    KINDS,
    NAMESPACED,
    PROXY_CONFIGURATION,
    PROXY_CONFIGURATION_VERSION,
    Kind,
    group_of,
    is_builtin,
)
from rulegen.load.problems import LoadError, Problem, named
from rulegen.load.sources import Source, texts
from rulegen.load.together import check_together
from rulegen.model import Cluster, Origin

DEFAULT_NAMESPACE = "default"
_EVERY = 500
_UNKNOWN = "unknown field "


class Progress(msgspec.Struct, frozen=True):
    """How far a load has come: ``step`` is ``reading`` (in bytes) or ``checking`` (in objects)."""

    step: str
    done: int
    total: int


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What was read: the objects, remarks about them, and how many of each kind no rule depends on."""

    cluster: Cluster
    warnings: tuple[Problem, ...] = ()
    passed_over: Mapping[str, int] = {}


def load(
    *sources: Source,
    recursive: bool = False,
    strict: bool = False,
    namespace: str = DEFAULT_NAMESPACE,
    stdin: IO[bytes] | IO[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Loaded:
    """Read Kubernetes objects from files, directories, ``-``, streams, mappings and lists of mappings.

    YAML (several documents), JSON (several values), lists of any kind and what ``kubectl get -o json`` prints
    are taken; Services, EndpointSlices, Endpoints, Pods, Nodes, ServiceCIDRs and a KubeProxyConfiguration
    (also inside of its ConfigMap) are checked as Kubernetes 1.37 does, other kinds are passed over. A
    directory is read without its directories unless ``recursive``. An object without a namespace is in
    ``namespace``. With ``strict`` unknown and repeated fields are errors. ``progress`` is called now and
    then.

    Raises :class:`LoadError` with all problems of the run, and nothing else for whatever a source holds.
    """
    run = _Run(strict, namespace, progress)
    with _without_collector():
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
        where = next((str(origin) for origin in loaded.cluster.origins.values()), "")
        message = f"holds no {PROXY_CONFIGURATION}, neither bare nor in a ConfigMap"
        raise LoadError([Problem(where.rpartition(":")[0], 0, "", "", message)], loaded.warnings)
    return loaded


@contextmanager
def _without_collector() -> Iterator[None]:
    """Objects by the hundred thousand that all stay: looking for garbage among them takes long."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Run:
    def __init__(self, strict: bool, namespace: str, progress: Callable[[Progress], None] | None) -> None:
        self.strict = strict
        self.namespace = namespace
        self.progress = progress
        self.server = Server()
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.orders: dict[str, int] = {}
        self.items: list[Item] = []
        self.found: dict[str, list[Any]] = {kind: [] for kind in KINDS}
        self.others: list[Mapping[str, Any]] = []
        self.passed_over: Counter[str] = Counter()
        self.origins: dict[tuple[str, str, str], Origin] = {}
        self.configuration: Mapping[str, Any] | None = None
        self.configuration_origin: Origin | None = None
        self.bytes_read = 0

    def read(self, sources: tuple[Source, ...], recursive: bool, stdin: Any) -> None:
        for order, text in enumerate(
            texts(sources, recursive=recursive, stdin=stdin, problems=self.problems)
        ):
            self.orders.setdefault(text.file, order)
            before = len(self.items), len(self.problems)
            self.items.extend(items_of(text, order, self.problems, self._tick))
            self.bytes_read += len(text.content)
            self._tick()
            if before == (len(self.items), len(self.problems)):
                about = Problem(text.file, 0, "", "", "holds no objects")
                (self.problems if text.asked_for else self.warnings).append(about)

    def _tick(self) -> None:
        if self.progress is not None:
            self.progress(Progress("reading", self.bytes_read, self.bytes_read))

    def finish(self) -> Loaded:
        ranges_first = sorted(self.items, key=lambda item: item.kind != "ServiceCIDR")
        for number, item in enumerate(ranges_first):
            if self.progress is not None and number % _EVERY == 0:
                self.progress(Progress("checking", number, len(self.items)))
            try:
                self._take(item)
            except JsonError as error:
                self._report(item, item.line + error.line, "", "", error.message)
        if not self.problems and not self.items:
            self.problems.append(Problem("", 0, "", "", "no objects were given"))
        self.problems.extend(check_together(self.found["Service"], self.origins, self.warnings))
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
        return Loaded(cluster=cluster, warnings=tuple(warnings), passed_over=dict(self.passed_over))

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
        if kind in KINDS and is_builtin(group_of(version)):
            if version in KINDS[kind].versions:
                self._take_typed(item, KINDS[kind])
            else:
                self._wrong_version(item, KINDS[kind].versions[0])
        elif kind == PROXY_CONFIGURATION:
            if version == PROXY_CONFIGURATION_VERSION:
                self._take_configuration(item)
            else:
                self._wrong_version(item, PROXY_CONFIGURATION_VERSION)
        elif not (kind == "ConfigMap" and version == "v1" and self._take_config_map(item)):
            self._pass_over(item)

    def _wrong_version(self, item: Item, right: str) -> None:
        message = (
            f'no matches for kind "{item.kind}" in version "{item.api_version}": it is served in {right}'
        )
        namespace = self.namespace if item.kind in NAMESPACED else ""
        title = _title(item.kind, item.data(), namespace)
        self._report(item, item.line_of("apiVersion"), title, "apiVersion", message)

    def _take_typed(self, item: Item, kind: Kind) -> None:
        value = item.typed(kind.type)
        if value is not None and kind.namespaced and not value.metadata.namespace:
            force_setattr(value.metadata, "namespace", self.namespace)
        stored = value is not None and bool(value.metadata.uid or value.metadata.resource_version)
        if not stored and not self._keys_are_single(item):
            return
        if value is None or not self._plainly_right(value, kind, stored):
            value = self._admitted(item, kind)
            if value is None:
                return
        value = kind.fill(value)
        if self._is_first(item, kind.name, value.metadata.namespace, value.metadata.name):
            self.found[kind.name].append(value)

    def _plainly_right(self, value: Any, kind: Kind, stored: bool) -> bool:
        return False

    def _keys_are_single(self, item: Item) -> bool:
        """kubectl lets the last of two equal keys win without a word; the API server names it."""
        repeated = item.repeated()
        if repeated:
            title = _title(item.kind, item.data(), self.namespace)
            for path, line in repeated:
                problem = Problem(item.file, line, title, path, f'duplicate field "{path}"')
                (self.problems if self.strict else self.warnings).append(problem)
        return not (repeated and self.strict)

    def _admitted(self, item: Item, kind: Kind) -> Any:
        data = item.data()
        metadata = data.get("metadata")
        namespace = ""
        if kind.namespaced and (metadata is None or isinstance(metadata, dict)):
            namespace = (metadata or {}).get("namespace") or self.namespace
            data = {**data, "metadata": {**(metadata or {}), "namespace": namespace}}
        result = self._admit(item, data, namespace)
        if result is None:
            return None
        result = {**result, "apiVersion": kind.versions[0], "kind": kind.name}
        try:
            return msgspec.convert(result, kind.type)
        except msgspec.ValidationError as error:
            self._report(item, item.line, _title(kind.name, data, namespace), "", str(error))
            return None

    def _admit(self, item: Item, data: dict[str, Any], namespace: str) -> dict[str, Any] | None:
        metadata = data.get("metadata")
        stored = isinstance(metadata, dict) and bool(metadata.get("uid") or metadata.get("resourceVersion"))
        admission = admit(data, strict=self.strict, stored=stored, server=self.server)
        title = _title(item.kind, data, namespace)
        for fault in (*admission.errors, *admission.warnings):
            remark = fault in admission.warnings or (not self.strict and fault.message.startswith(_UNKNOWN))
            problem = Problem(item.file, item.line_of(fault.field), title, fault.field, fault.message)
            (self.warnings if remark else self.problems).append(problem)
        return admission.result

    def _is_first(self, item: Item, kind: str, namespace: str, name: str) -> bool:
        key = (kind, namespace, name)
        known = self.origins.get(key)
        if known is None:
            self.origins[key] = Origin(item.file, item.line)
            return True
        self._report(
            item,
            item.line_of("metadata.name"),
            named(*key),
            "metadata.name",
            f"the same object is at {known} too",
        )
        return False

    def _take_configuration(self, item: Item) -> None:
        if not self._keys_are_single(item):
            return
        data = item.data()
        if self._admit(item, data, "") is None:
            return
        if self.configuration_origin is not None:
            message = f"another one is at {self.configuration_origin}"
            self._report(item, item.line, PROXY_CONFIGURATION, "", message)
            return
        self.configuration = data
        self.configuration_origin = Origin(item.file, item.line)

    def _take_config_map(self, item: Item) -> bool:
        """kubeadm keeps kube-proxy's configuration in a ConfigMap, under the key ``config.conf``."""
        data = item.data()
        texts_ = data.get("data")
        if not isinstance(texts_, dict):
            return False
        taken = False
        for key, text in texts_.items():
            if not isinstance(text, str) or PROXY_CONFIGURATION not in text:
                continue
            first = item.text_line_of(("data", key))
            chunk = Chunk(text, first, True) if first else Chunk(text, item.line_of(f"data[{key}]"), False)
            for inner in yaml_items(item.file, item.order, chunk, self.problems):
                if inner.kind == PROXY_CONFIGURATION:
                    self._take(inner)
                    taken = True
        return taken

    def _pass_over(self, item: Item) -> None:
        data = item.data()
        group = group_of(item.api_version)
        self.passed_over[item.kind if is_builtin(group) else f"{item.kind}.{group}"] += 1
        metadata = data.get("metadata")
        if isinstance(metadata, dict) and isinstance(metadata.get("name"), str):
            namespace = metadata.get("namespace") or ""
            if item.kind in NAMESPACED and is_builtin(group) and not namespace:
                namespace = self.namespace
                data = {**data, "metadata": {**metadata, "namespace": namespace}}
            self.origins.setdefault(
                (item.kind, str(namespace), metadata["name"]), Origin(item.file, item.line)
            )
        self.others.append(data)

    def _report(self, item: Item, line: int, title: str, field: str, message: str) -> None:
        self.problems.append(Problem(item.file, line, title, field, message))


def _title(kind: str, data: Any, namespace: str) -> str:
    metadata = data.get("metadata") if isinstance(data, dict) else None
    if not isinstance(metadata, dict):
        return kind
    name = metadata.get("name") or metadata.get("generateName")
    namespace = metadata.get("namespace") or namespace
    return named(kind, str(namespace), name) if isinstance(name, str) else kind
