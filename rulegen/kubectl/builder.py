"""What the arguments of a command name: ``svc``, ``svc,ep``, ``svc web db``, ``svc/web deploy/api``.

The rules, and the words for breaking them, are those of kubectl's resource builder
(``k8s.io/cli-runtime/pkg/resource``, 1.37).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from rulegen.kubectl.cluster import Session
from rulegen.kubectl.errors import KubectlError
from rulegen.kubectl.plain import Object
from rulegen.kubectl.resources import ALL, Resource, find_resource, other_meanings
from rulegen.load.api.answers import quoted

MISSING = """You must provide one or more resources by argument or filename.
Example resource specifications include:
   '-f rsrc.yaml'
   '--filename=rsrc.json'
   '<resource> <name>'
   '<resource>'"""


class Query(msgspec.Struct, frozen=True):
    """What is asked for. ``everything`` lets a type without names mean all of its objects."""

    arguments: tuple[str, ...]
    namespace: str
    all_namespaces: bool = False
    labels: str = ""
    fields: str = ""
    everything: bool = True


class Answer(msgspec.Struct, frozen=True):
    """One answer of the server: an object that was asked for by name, or a list."""

    resource: Resource
    objects: tuple[Object, ...]


class Found(msgspec.Struct, frozen=True):
    """What came of each question, in order; ``single`` says that just one object was asked for by name."""

    results: tuple[Answer | KubectlError, ...]
    single: bool

    @property
    def answers(self) -> list[Answer]:
        return [each for each in self.results if isinstance(each, Answer)]

    @property
    def errors(self) -> list[KubectlError]:
        return [each for each in self.results if isinstance(each, KubectlError)]

    def objects(self) -> list[tuple[Resource, Object]]:
        return [(answer.resource, item) for answer in self.answers for item in answer.objects]


def find(session: Session, query: Query) -> Found:
    """Ask for all that is named; :class:`KubectlError` where the arguments make no sense."""
    arguments = _spread(query.arguments)
    slashes = sum("/" in argument for argument in arguments)
    labels, fields = query.labels.strip(), query.fields.strip()
    namespace = "" if query.all_namespaces else query.namespace
    if slashes:
        if slashes != len(arguments):
            get = f"{session.program} get"
            raise KubectlError(
                "there is no need to specify a resource type as a separate argument when passing arguments in"
                f" resource/name form (e.g. '{get} resource/<resource_name>' instead of '{get} resource"
                " resource/<resource_name>'"
            )
        pairs = [_pair(argument) for argument in arguments]
        if labels or fields:
            raise KubectlError(
                "selectors and the all flag cannot be used when passing resource/name arguments"
            )
        wanted = [(_meant(session, kind), name) for kind, name in pairs]
        return _by_name(session, wanted, namespace, query.all_namespaces)
    types = _types(arguments[0]) if arguments else []
    names = arguments[1:]
    if labels or fields or (len(arguments) == 1 and query.everything):
        if names:
            raise KubectlError("name cannot be provided when a selector is specified")
        if not types:
            raise KubectlError("at least one resource must be specified to use a selector")
        return _by_selector(session, types, namespace, labels, fields)
    if names:
        if len(types) > 1:
            raise KubectlError("you must specify only one resource")
        resource = _meant(session, types[0])
        return _by_name(session, [(resource, name) for name in names], namespace, query.all_namespaces)
    if types:
        for each in types:
            _meant(session, each)
        raise KubectlError("resource(s) were provided, but no name was specified")
    raise KubectlError(MISSING)


def _meant(session: Session, argument: str) -> Resource:
    for other in other_meanings(argument):
        session.warn(
            f"short name {quoted(argument)} could also match lower priority resource {other.full_name}"
        )
    return find_resource(argument)


def _spread(arguments: Sequence[str]) -> list[str]:
    """``a,b c`` as ``a/c b/c``."""
    if len(arguments) >= 2:
        types = list(dict.fromkeys(arguments[0].split(",")))
        if len(types) > 1:
            return [f"{each}/{name}" for each in types for name in arguments[1:]]
    return list(arguments)


def _pair(argument: str) -> tuple[str, str]:
    parts = argument.split("/")
    if len(parts) != 2:
        raise KubectlError("arguments in resource/name form may not have more than one slash")
    kind, name = parts
    if not kind or not name or len(set(kind.split(","))) != 1:
        raise KubectlError("arguments in resource/name form must have a single resource and name")
    return kind, name


def _types(argument: str) -> list[str]:
    found: list[str] = []
    for each in argument.split(","):
        found += ALL if each == "all" else [each]
    return list(dict.fromkeys(found))


def _by_name(
    session: Session, wanted: Sequence[tuple[Resource, str]], namespace: str, everywhere: bool
) -> Found:
    if everywhere and any(resource.namespaced for resource, _ in wanted):
        raise KubectlError("a resource cannot be retrieved by name across all namespaces")
    results: list[Answer | KubectlError] = []
    for resource, name in wanted:
        try:
            item = session.get(resource, namespace, name)
        except KubectlError as error:
            results.append(error)
        else:
            results.append(Answer(resource, (item,)))
    return Found(tuple(results), len(wanted) == 1)


def _by_selector(session: Session, types: Sequence[str], namespace: str, labels: str, fields: str) -> Found:
    results: list[Answer | KubectlError] = []
    for resource in dict.fromkeys([_meant(session, each) for each in types]):
        try:
            chosen = session.list(resource, namespace if resource.namespaced else "", labels, fields)
        except KubectlError as error:
            results.append(error)
        else:
            results.append(Answer(resource, tuple(chosen)))
    return Found(tuple(results), single=False)
