"""The ``describe`` command: which objects, in which order, with their events or without."""

from __future__ import annotations

import msgspec

from rulegen.kubectl.builder import Query, find
from rulegen.kubectl.cluster import Session
from rulegen.kubectl.describe.endpoints import describe_endpoints, describe_slice
from rulegen.kubectl.describe.service import describe_service, ports_without_number
from rulegen.kubectl.errors import AggregateError, KubectlError, ServerError, raise_all
from rulegen.kubectl.plain import Object, name_of, namespace_of, text
from rulegen.kubectl.resources import Resource, by_kind

_EVENTS = by_kind("", "Event")
_SLICES = by_kind("discovery.k8s.io", "EndpointSlice")
_OWNER = "kubernetes.io/service-name"


class Describe(msgspec.Struct, frozen=True):
    """One ``describe`` command; ``events`` is what ``--show-events`` says, if it was given."""

    query: Query
    events: bool | None = None


def describe(session: Session, command: Describe) -> None:
    """Print what a ``describe`` command prints; :class:`KubectlError` where something was wrong."""
    query = command.query
    found = find(session, query)
    chosen = found.objects()
    # Events are for one object alone, unless they are asked for.
    events = (len(chosen) < 2 and not found.errors) if command.events is None else command.events
    if len(found.errors) == 1 and len(query.arguments) == 2:
        error = found.errors[0]
        if isinstance(error, ServerError) and error.reason == "NotFound":
            _by_prefix(session, command, error, events)
            return
    errors: list[KubectlError] = list(found.errors)
    seen: set[str] = set()
    for resource, item in chosen:
        try:
            text_of_one = _one(session, resource, item, events)
        except KubectlError as error:
            if str(error) not in seen:
                seen.add(str(error))
                errors.append(error)
            continue
        session.out.append(f"\n\n{text_of_one}" if session.out else text_of_one)
    if not chosen and not errors:
        where = "" if query.all_namespaces else f" in {query.namespace} namespace."
        session.notes.append(f"No resources found{where}")
    raise_all(errors)


def _by_prefix(session: Session, command: Describe, error: ServerError, events: bool) -> None:
    """Describe all objects of a type whose name begins as the one that does not exist."""
    kind, prefix = command.query.arguments
    if len(set(kind.split(","))) > 1:
        raise KubectlError("you may only specify a single resource type")
    query = msgspec.structs.replace(command.query, arguments=(kind,), labels="", fields="")
    found = find(session, query)
    if found.errors:
        raise AggregateError(found.errors)
    matching = [each for each in found.objects() if name_of(each[1]).startswith(prefix)]
    if not matching:
        raise error
    for resource, item in matching:
        session.out.append(_one(session, resource, item, events) + "\n")


def _one(session: Session, resource: Resource, item: Object, with_events: bool) -> str:
    events = _events(session, resource, item) if with_events else None
    if resource.kind == "Service":
        slices = _slices(session, item)
        for name in ports_without_number(slices):
            session.notes.append(
                f"note: EndpointSlice {name} has a port without a number, over which kubectl 1.37 panics"
            )
        session.services.append((namespace_of(item), name_of(item)))
        return describe_service(item, slices, events, session.now)
    if resource.kind == "Endpoints":
        return describe_endpoints(item, events, session.now)
    if resource.kind == "EndpointSlice":
        return describe_slice(item, events, session.now)
    raise KubectlError(f"rulegen describes services, endpoints and endpointslices, no {resource.full_name}")


def _slices(session: Session, service: Object) -> list[Object]:
    assert _SLICES is not None
    name = name_of(service)
    return [
        item
        for item in session.cluster.all(_SLICES, namespace_of(service))
        if text(item, "metadata", "labels", _OWNER) == name
    ]


def _events(session: Session, resource: Resource, item: Object) -> list[Object]:
    assert _EVENTS is not None
    uid = text(item, "metadata", "uid")
    about = {"kind": resource.kind, "name": name_of(item), "namespace": namespace_of(item)}
    if uid:
        about["uid"] = uid
    return [
        event
        for event in session.cluster.all(_EVENTS, namespace_of(item))
        if all(text(event, "involvedObject", field) == value for field, value in about.items())
    ]
