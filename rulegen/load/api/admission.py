"""The way of one object through the API server: decode, default, allocate, validate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from rulegen.load.api import cluster, endpoints, proxy, services, workloads
from rulegen.load.api.allocation import allocate, primary_family
from rulegen.load.api.answers import Admission, Errors, FieldError, Server, quoted, required
from rulegen.load.api.metadata import check_resource_version, name_in_use, prepare_create
from rulegen.load.api.schema import Problems, decode, kinds

DEFAULT_SERVER = Server()

Object = dict[str, Any]


class Kind(NamedTuple):
    """What is done to the objects of one kind.

    ``scope`` says whether they have a namespace; ``""`` is no metadata at all. Objects that are
    ``described`` tell what runs in a cluster: nothing of them is dropped.
    """

    default: Callable[[Object], None]
    validate: Callable[..., Errors]
    warn: Callable[[Object], list[FieldError]]
    scope: Literal["namespace", "cluster", ""] = "namespace"
    described: bool = False


def _nothing(_: Object) -> None:
    return None


def _no_warnings(_: Object) -> list[FieldError]:
    return []


_WORKLOAD = Kind(workloads.default_workload, workloads.validate_workload, _no_warnings, described=True)
_SERVICE_CIDR = Kind(_nothing, cluster.validate_service_cidr, _no_warnings, "cluster")
_KINDS: Mapping[str, Kind] = {
    "apps/v1 DaemonSet": _WORKLOAD,
    "apps/v1 Deployment": _WORKLOAD,
    "apps/v1 ReplicaSet": _WORKLOAD,
    "apps/v1 StatefulSet": _WORKLOAD,
    "discovery.k8s.io/v1 EndpointSlice": Kind(
        endpoints.default_slice, endpoints.validate_slice, endpoints.slice_warnings
    ),
    "kubeproxy.config.k8s.io/v1alpha1 KubeProxyConfiguration": Kind(
        proxy.default_configuration, proxy.validate_configuration, _no_warnings, "", described=True
    ),
    "networking.k8s.io/v1 ServiceCIDR": _SERVICE_CIDR,
    "networking.k8s.io/v1beta1 ServiceCIDR": _SERVICE_CIDR,
    "v1 ConfigMap": Kind(_nothing, cluster.validate_config_map, _no_warnings),
    "v1 Endpoints": Kind(
        endpoints.default_endpoints, endpoints.validate_endpoints, endpoints.endpoints_warnings
    ),
    "v1 Namespace": Kind(
        cluster.default_namespace, cluster.validate_namespace, _no_warnings, "cluster", described=True
    ),
    "v1 Node": Kind(cluster.default_node, cluster.validate_node, _no_warnings, "cluster", described=True),
    "v1 Pod": Kind(workloads.default_pod, workloads.validate_pod, _no_warnings, described=True),
    "v1 Service": Kind(services.default_service, services.validate_service, services.service_warnings),
}


def admit(
    obj: Mapping[str, Any],
    *,
    strict: bool = True,
    stored: bool = False,
    server: Server = DEFAULT_SERVER,
    placeholders: bool = False,
    keep_status: bool = False,
) -> Admission:
    """What a Kubernetes 1.37 API server makes of an object that is created, or that was read from it.

    ``obj`` is plain JSON data. With ``strict`` an unknown field is an error (``fieldValidation=Strict``),
    else a warning. ``stored`` says that the object came from a cluster, so that what only a create checks
    does not refuse it. Values that the server would allocate (cluster IPs, node ports) stay absent from the
    result, or are ``"*"`` with ``placeholders``. A create drops a Service's status; ``keep_status`` takes it
    for what the cluster will have, and checks it as the server checks an update of the status. All errors
    are listed at once, in the server's words; never raises for what is in ``obj``.
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
    rules = _KINDS[key]
    problems = Problems(keeps_empty=not rules.scope)
    decoded = decode(key, obj, problems)
    if problems.wrong or (strict and problems.unknown):
        # The server goes no further either: what it would say next may come from what is misspelt here.
        return Admission(None, (*problems.wrong, *problems.unknown))
    warnings = list(problems.unknown)
    spec = decoded["spec"] if kind == "Service" else {}
    asked = ["nodePort" in port for port in spec.get("ports", ())]
    if spec and obj.get("status") is None:
        del decoded["status"]
    errors = _store(decoded, rules, server, warnings, stored=stored, keep_status=keep_status)
    if errors:
        # The same fault twice (an address that stands in a list twice) is said once.
        return Admission(None, tuple(dict.fromkeys(errors)), tuple(warnings))
    warnings += rules.warn(decoded)
    if spec:
        services.default_on_read(spec, primary_family(server))
        if placeholders:
            _mark_allocated(spec, asked)
        else:
            _drop_allocated(spec)
    return Admission(decoded, (), tuple(warnings))


def _store(
    decoded: Object,
    rules: Kind,
    server: Server,
    warnings: list[FieldError],
    *,
    stored: bool,
    keep_status: bool,
) -> Errors:
    """Bring the object into the form in which it is stored, or give its errors."""
    kind = decoded["kind"]
    if stored or rules.described:
        if rules.scope == "namespace":
            decoded["metadata"].setdefault("namespace", "default")
        rules.default(decoded)
        if kind == "Service":
            services.default_on_read(decoded["spec"], primary_family(server))
        return rules.validate(decoded, stored=stored)
    metadata = decoded["metadata"]
    warnings += prepare_create(metadata, namespaced=rules.scope == "namespace")
    if not keep_status:
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
    name = name_in_use(metadata)
    if not errors and kind == "Service" and f"{metadata['namespace']}/{name}" in server.services:
        errors = [FieldError("metadata.name", f"services {quoted(name)} already exists")]
    for field in ("resourceVersion", "generation"):
        metadata.pop(field, None)
    return errors


def _mark_allocated(spec: Object, asked: list[bool]) -> None:
    """Mark the node ports that were not asked for, also those of ports that share one that was."""
    for port, given in zip(spec.get("ports", ()), asked, strict=True):
        if "nodePort" in port and not given:
            port["nodePort"] = services.ALLOCATED


def _drop_allocated(spec: Object) -> None:
    """Leave out what the server would choose."""
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
