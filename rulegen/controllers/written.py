"""Endpoints and EndpointSlices as the plain objects that a cluster would hold."""

from __future__ import annotations

from typing import Any

import msgspec

from rulegen.model import Endpoints, EndpointSlice


def as_object(made: Endpoints | EndpointSlice) -> dict[str, Any]:
    """One of them as ``kubectl get -o json`` has it, ready for ``kubectl apply``."""
    data = msgspec.to_builtins(made)
    # A Service from a manifest has no uid yet, and nothing can be owned by what has none.
    owners = [owner for owner in data["metadata"].pop("ownerReferences", ()) if owner["uid"]]
    if owners:
        data["metadata"]["ownerReferences"] = owners
    return {"apiVersion": made.api_version, "kind": made.kind, **data}
