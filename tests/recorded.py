"""Recorded behaviour of the real Kubernetes, as tests read it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parent.parent / "fixtures"


def cases(name: str) -> Iterator[dict[str, Any]]:
    """The cases of a recorded file (``1.37-iptables``), one by one."""
    with gzip.open(FIXTURES / "conformance" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
