"""What was once allocated, kept in a file so that it never moves, whatever is added."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec


class Given(msgspec.Struct, rename="camel", omit_defaults=True):
    """What one Service was given. ``node_ports`` are by ``port name/protocol``."""

    cluster_ips: list[str] = []
    node_ports: dict[str, int] = {}
    health_check_node_port: int = 0


class State(msgspec.Struct, rename="camel"):
    """``namespace/name`` -> what the Service was given."""

    services: dict[str, Given] = {}


def read_state(path: str) -> State:
    """The state in a file; an empty one where there is no file yet. Raises ValueError, OSError."""
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        return State()
    try:
        return msgspec.json.decode(content, type=State)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"--state {path}: not a state of rulegen: {error}") from error


def write_state(path: str, state: State) -> None:
    """Write it whole or not at all, Services in order. Raises ValueError, OSError."""
    ordered = State(dict(sorted(state.services.items())))
    content = msgspec.json.format(msgspec.json.encode(ordered), indent=2) + b"\n"
    try:
        handle, name = tempfile.mkstemp(dir=Path(path).resolve().parent, prefix=".rulegen-")
    except OSError as error:
        raise ValueError(f"--state {path}: cannot be written: {error.strerror}") from error
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(name).replace(path)
