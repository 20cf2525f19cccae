"""What kubectl prints about recorded objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rulegen.kubectl import run
from rulegen.kubectl.age import moment


def kubectl(objects: Iterable[Mapping[str, Any]], args: Sequence[str], now: str) -> dict[str, Any]:
    """The exit code, stdout and stderr of ``kubectl ARGS`` at the moment ``now`` (RFC 3339)."""
    outcome = run(objects, args, moment(now))
    return {"code": outcome.code, "stdout": outcome.stdout, "stderr": outcome.stderr}
