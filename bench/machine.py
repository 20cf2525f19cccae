"""Where figures come from, beside them in the same file."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")
    return {
        "cpu": model or platform.processor(),
        "cores": os.cpu_count(),
        "memoryMB": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def write(path: Path, results: Sequence[dict[str, Any]]) -> None:
    """The figures as JSON, with the machine's facts."""
    path.write_text(json.dumps({"machine": machine(), "results": results}, indent=2) + "\n")
