"""The way of one object through the API server: decode, default, allocate, validate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from rulegen.load.api import endpoints, services
from rulegen.load.api.allocation import allocate, primary_family
from rulegen.load.api.metadata import check_resource_version, name_in_use, prepare_create
from rulegen.load.api.schema import Problems, decode, kinds
from rulegen.load.api.types import Admission, Errors, FieldError, Server, quoted, required

DEFAULT_SERVER = Server()

Object = dict[str, Any]


class Kind(NamedTuple):
    """What is done to the objects of one kind."""

    default: Callable[[Object], None]
    validate: Callable[..., Errors]
    warn: Callable[[Object], list[FieldError]]
    namespaced: bool = True


def _nothing(_: Object) -> None:
    return None


def _no_warnings(_: Object) -> list[FieldError]:
    return []


_KINDS: Mapping[str, Kind] = {
    "v1 Service": Kind(services.default_service, services.validate_service, services.service_warnings),
    "v1 Endpoints": Kind(
        endpoints.default_endpoints, endpoints.validate_endpoints, endpoints.endpoints_warnings
    ),
    "discovery.k8s.io/v1 EndpointSlice": Kind(
        endpoints.default_slice, endpoints.validate_slice, endpoints.slice_warnings
    ),
}


def admit(
    obj: Mapping[str, Any],
    *,
    strict: bool = True,
    stored: bool = False,
    server: Server = DEFAULT_SERVER,
    placeholders: bool = False,
) -> Admission:
    """What a Kubernetes 1.37 API server makes of an object that is created, or that was read from it.

    ``obj`` is plain JSON data. With ``strict`` an unknown field is an error (``fieldValidation=Strict``),
    else a warning. ``stored`` says that the object came from a cluster, so that what only a create checks
    does not refuse it. Values that the server would allocate (cluster IPs, node ports) stay absent from the
    result, or are ``"*"`` with ``placeholders``. All errors are listed at once, in the server's words; never
    raises for what is in ``obj``.
    """
    api_version, kind = obj.get("apiVersion"), obj.get("kind")
    if not isinstance(kind, str) or not kind:
        return Admission(None, (required("kind"),))
    if not isinstance(api_version, str) or not api_version:
        return Admission(None, (required("apiVersion"),))
    key = f"{api_version} {kind}"
    if key not in kinds():
        message = f"no matches for kind {quoted(kind)} in version {quoted(api_version)}"
        return Admission(None, (FieldError("kind", message),))
    problems = Problems()
    decoded = decode(key, obj, problems)
    if problems.wrong or (strict and problems.unknown):
        # The server goes no further either: what it would say next may come from what is misspelt here.
        return Admission(None, (*problems.wrong, *problems.unknown))
    warnings = list(problems.unknown)
    rules = _KINDS.get(key)
    if rules is None:
        return Admission(decoded, (), tuple(warnings))
    errors = _store(decoded, rules, server, warnings, stored=stored)
    if errors:
        # The same fault twice (an address that stands in a list twice) is said once.
        return Admission(None, tuple(dict.fromkeys(errors)), tuple(warnings))
    warnings += rules.warn(decoded)
    if kind == "Service":
        _finish_service(decoded, server, placeholders=placeholders)
    return Admission(decoded, (), tuple(warnings))


def _store(
    decoded: Object, rules: Kind, server: Server, warnings: list[FieldError], *, stored: bool
) -> Errors:
    """Bring the object into the form in which it is stored, or give its errors."""
    metadata = decoded["metadata"]
    kind = decoded["kind"]
    if stored:
        rules.default(decoded)
        if kind == "Service":
            services.default_on_read(decoded["spec"], primary_family(server))
        return rules.validate(decoded, stored=True)
    warnings += prepare_create(metadata, namespaced=rules.namespaced)
    decoded.pop("status", None)
    if kind == "EndpointSlice":
        endpoints.prepare_slice(decoded)
    rules.default(decoded)
    if kind == "Service":
        services.normalize_cluster_ips(decoded["spec"])
        errors = allocate(decoded, name_in_use(metadata), server)
        if errors:
            return errors
    errors = rules.validate(decoded, stored=False) or check_resource_version(metadata)
    metadata.pop("resourceVersion", None)
    return errors


def _finish_service(service: Object, server: Server, *, placeholders: bool) -> None:
    """The Service as a read gives it, without what the server would have chosen unless it is wanted."""
    spec = service["spec"]
    services.default_on_read(spec, primary_family(server))
    if placeholders:
        return
    if spec.get("clusterIP") == services.ALLOCATED:
        del spec["clusterIP"]
    if services.ALLOCATED in spec.get("clusterIPs", ()):
        given = [ip for ip in spec["clusterIPs"] if ip != services.ALLOCATED]
        if given:
            spec["clusterIPs"] = given
        else:
            del spec["clusterIPs"]
    for port in spec.get("ports", ()):
        if port.get("nodePort") == services.ALLOCATED:
            del port["nodePort"]
    if spec.get("healthCheckNodePort") == services.ALLOCATED:
        del spec["healthCheckNodePort"]
