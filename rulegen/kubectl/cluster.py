"""The objects of a cluster, answered for as its API server does: lists in order of their keys, not found.

What a command asks the server is here a call of :class:`Session`, which also collects what the server warns
of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from rulegen.kubectl.errors import KubectlError, ServerError, not_found
from rulegen.kubectl.plain import Object, name_of, namespace_of, text
from rulegen.kubectl.resources import Resource
from rulegen.kubectl.selectors import field_matches, matches, parse_fields, parse_labels
from rulegen.load.api.answers import quoted

_DEPRECATED = {
    "Endpoints": "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    "ComponentStatus": "v1 ComponentStatus is deprecated in v1.19+",
}


class Cluster:
    """Objects by type, in the order in which the server lists them: by namespace and name.

    The server sorts the keys of its store, ``NAMESPACE/NAME``, byte by byte: namespace ``a-b`` comes before
    ``a``. Of two objects of one type, namespace and name the later one counts.
    """

    def __init__(self, objects: Iterable[Object]) -> None:
        found: defaultdict[tuple[str, str], dict[str, Object]] = defaultdict(dict)
        for item in objects:
            group, _, _ = text(item, "apiVersion").rpartition("/")
            key = f"{namespace_of(item)}/{name_of(item)}".lstrip("/")
            found[group, text(item, "kind")][key] = item
        self._kinds: Mapping[tuple[str, str], Mapping[str, Object]] = {
            kind: dict(sorted(by_key.items(), key=lambda each: each[0])) for kind, by_key in found.items()
        }

    def all(self, resource: Resource, namespace: str = "") -> list[Object]:
        """Every object of a type, or those of one namespace."""
        by_key = self._kinds.get((resource.group, resource.kind), {})
        if namespace and resource.namespaced:
            return [item for item in by_key.values() if namespace_of(item) == namespace]
        return list(by_key.values())

    def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        key = f"{namespace}/{name}" if resource.namespaced else name
        return self._kinds.get((resource.group, resource.kind), {}).get(key)


class Session:
    """One command's conversation with the cluster, at the moment ``now``.

    ``program`` is what the command is called by in its own messages. Warnings come into :attr:`notes`, each
    once, and the Services that it describes or makes into :attr:`services`, as namespace and name.
    """

    def __init__(self, cluster: Cluster, now: datetime, program: str = "kubectl") -> None:
        self.cluster = cluster
        self.now = now
        self.program = program
        self.out: list[str] = []
        self.notes: list[str] = []
        self.services: list[tuple[str, str]] = []
        self._warned: set[str] = set()

    @property
    def offline(self) -> bool:
        """Whether this is not kubectl itself: nothing can then be created, only written."""
        return self.program != "kubectl"

    @property
    def warnings(self) -> int:
        """How many different warnings the server gave."""
        return len(self._warned)

    def list(self, resource: Resource, namespace: str, labels: str = "", fields: str = "") -> list[Object]:
        """The objects that selectors choose; an empty namespace stands for all."""
        if not resource.listed:
            raise ServerError(
                "MethodNotAllowed", "the server does not allow this method on the requested resource"
            )
        self._warn(resource)
        try:
            wanted = parse_labels(labels)
            fitting = parse_fields(fields, resource)
        except ValueError as fault:
            raise ServerError(
                "BadRequest",
                f"Unable to find {quoted(str(resource))} that match label selector {quoted(labels)},"
                f" field selector {quoted(fields)}: {fault}",
            ) from None
        return [
            item
            for item in self.cluster.all(resource, namespace)
            if matches(wanted, (item.get("metadata") or {}).get("labels"))
            and field_matches(fitting, resource, item)
        ]

    def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """One object; :class:`ServerError` where there is none."""
        _check_name(name)
        if not resource.listed:
            raise ServerError("NotFound", "the server could not find the requested resource")
        self._warn(resource)
        found = self.cluster.get(resource, namespace, name)
        if found is None:
            raise not_found(resource.full_name, name)
        return found

    def warn(self, warning: str) -> None:
        """Pass a warning on, unless it was given before."""
        if warning not in self._warned:
            self._warned.add(warning)
            self.notes.append(f"Warning: {warning}")

    def _warn(self, resource: Resource) -> None:
        if not resource.group and resource.kind in _DEPRECATED:
            self.warn(_DEPRECATED[resource.kind])


def _check_name(name: str) -> None:
    """Names that cannot be part of a path are refused before they are asked for."""
    if not name:
        raise KubectlError("resource name may not be empty")
    faults: Sequence[str] = [f"may not be '{name}'"] if name in (".", "..") else ()
    faults = faults or [f"may not contain '{c}'" for c in "/%" if c in name]
    if faults:
        raise KubectlError(f"invalid resource name {quoted(name)}: [{', '.join(faults)}]")
