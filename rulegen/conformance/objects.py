"""Whether an object is taken, and with which defaults: recorded as ``api-1.37.jsonl.gz``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rulegen.load.api import admit


def validate(object: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002 - the name that the cases' README gives
    """What the API server answers to a create of the object with ``fieldValidation=Strict``.

    ``{"result": object}`` with its defaults, ``"*"`` standing for each value that the server allocates; or
    ``{"errors": [[field, message], ...]}``.
    """
    admission = admit(object, strict=True, placeholders=True)
    if admission.result is None:
        return {"errors": [list(error) for error in admission.errors]}
    return {"result": admission.result}
