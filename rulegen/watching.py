"""Following files: which objects changed between two loads of the same sources."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from rulegen.compiler import ObjectKey
from rulegen.load.sources import SUFFIXES
from rulegen.model import Cluster, EndpointSlice, Service


class Changes(msgspec.Struct, frozen=True):
    """What is new or different, and the keys of what is gone."""

    changed: tuple[Service | EndpointSlice, ...] = ()
    removed: tuple[ObjectKey, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)


def changes(before: Cluster, after: Cluster) -> Changes:
    """Compare the Services and EndpointSlices of two clusters, by value."""
    old, new = _objects(before), _objects(after)
    changed = [item for key, item in new.items() if old.get(key) != item]
    return Changes(tuple(changed), tuple(key for key in old if key not in new))


def _objects(cluster: Cluster) -> dict[ObjectKey, Service | EndpointSlice]:
    items: list[Service | EndpointSlice] = [*cluster.services, *cluster.slices]
    return {(item.kind, item.metadata.namespace, item.metadata.name): item for item in items}


QUIET = 0.05
"""Seconds without a change after which files are taken to be written."""
MOST_LOOKS = 40

Stamp: TypeAlias = dict[str, tuple[int, ...]]
"""File -> times of its last change (ns; of content, of anything), inode and size."""
NOT_THERE: tuple[int, ...] = ()


def settled(stamp: Stamp, look: Callable[[], Stamp], wait: Callable[[float], None] = time.sleep) -> Stamp:
    """The stamp once two looks agree: a file that is empty now may be one that is being written.

    Files that never come to rest are taken as they are after some looks.
    """
    for _ in range(MOST_LOOKS):
        wait(QUIET)
        before, stamp = stamp, look()
        if before == stamp:
            break
    return stamp


def stamp(sources: Sequence[str], *, recursive: bool) -> Stamp:
    """The stamp of all files that a load of these sources reads.

    Two stamps differ where a file was written, made or removed in between. What cannot be looked at is
    ``NOT_THERE``; reading it will say why.
    """
    found: Stamp = {}
    for source in sources:
        files = _files(source, recursive=recursive) if Path(source).is_dir() else [source]
        for file in files:
            try:
                status = Path(file).stat()
            except OSError:
                found[file] = NOT_THERE
                continue
            found[file] = (status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size)
    return found


def _files(folder: str, *, recursive: bool) -> list[str]:
    found = []
    for place, folders, files in os.walk(folder):
        found += [f"{place}/{file}" for file in files if file.endswith(SUFFIXES)]
        if not recursive:
            folders.clear()
    return found
