"""The way of one object through the API server: decode, default, allocate, validate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rulegen.load.api.schema import Problems, decode, kinds
from rulegen.load.api.types import Admission, FieldError, Server, required

DEFAULT_SERVER = Server()


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
        message = f'no matches for kind "{kind}" in version "{api_version}"'
        return Admission(None, (FieldError("kind", message),))
    problems = Problems()
    decoded = decode(key, obj, problems)
    if problems.wrong:
        return Admission(None, (*problems.wrong, *problems.unknown))
    errors = list(problems.unknown) if strict else []
    warnings = [] if strict else list(problems.unknown)
    if errors:
        return Admission(None, tuple(errors), tuple(warnings))
    return Admission(decoded, (), tuple(warnings))
