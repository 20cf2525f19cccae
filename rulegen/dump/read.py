"""Read listings from a file, an archive of ``rulegen collect``, or a folder that one was unpacked into."""

from __future__ import annotations

import io
import sys
import tarfile
from pathlib import Path

from rulegen.dump.listings import LISTINGS, Listings, recognise, split

MOST_BYTES = 1 << 30
"""A node's listings are megabytes; an archive that unpacks to more than this is not one."""


class DumpError(ValueError):
    """A dump that cannot be used; the message names the file and what was expected."""


def file_name(command: str) -> str:
    """What a listing is called inside an archive."""
    return command.replace(" ", "_") + ".txt"


_BY_FILE = {file_name(command): command for command in LISTINGS}


def read(name: str) -> Listings:
    """All listings of a dump: a path to a file, archive or folder, or ``-`` for standard input.

    Raises DumpError for what cannot be read or recognised.
    """
    if name == "-":
        return of_bytes(name, sys.stdin.buffer.read())
    path = Path(name)
    try:
        if path.is_dir():
            return _of_files(
                name, {each.name: each.read_bytes() for each in sorted(path.iterdir()) if each.is_file()}
            )
        return of_bytes(name, path.read_bytes())
    except OSError as error:
        raise DumpError(f"{name}: {error.strerror or error}") from error


def is_archive(content: bytes) -> bool:
    """Whether this is the beginning of a tar archive, compressed with gzip or not."""
    return content[:2] == b"\x1f\x8b" or content[257:262] == b"ustar"


def of_bytes(name: str, content: bytes) -> Listings:
    """All listings of a dump that was read already; ``name`` is what errors call it. Raises DumpError."""
    if is_archive(content):
        return _of_archive(name, content)
    text = _text(name, content)
    found: dict[str, str] = {}
    for piece in split(text):
        command = recognise(piece)
        if command is None:
            raise DumpError(
                f"{name}: neither a dump nor an archive of rulegen collect; known are the outputs of "
                + ", ".join(LISTINGS[:11])
            )
        found[command] = found.get(command, "") + piece
    return found


def _of_archive(name: str, content: bytes) -> Listings:
    files: dict[str, bytes] = {}
    total = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                if not member.isfile():
                    continue
                total += member.size
                if total > MOST_BYTES:
                    raise DumpError(f"{name}: unpacks to more than {MOST_BYTES >> 20} MB")
                stream = archive.extractfile(member)
                files[Path(member.name).name] = stream.read() if stream is not None else b""
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DumpError(f"{name}: not a readable archive: {error}") from error
    return _of_files(name, files)


def _of_files(name: str, files: dict[str, bytes]) -> Listings:
    found: dict[str, str] = {}
    for file, content in files.items():
        text = _text(f"{name}: {file}", content)
        # An empty file of an archive is an answer, too: that command ran, and there is nothing.
        command = _BY_FILE.get(file) or (recognise(text) if text.strip() else None)
        if command is not None:
            found[command] = text
    if not found:
        raise DumpError(
            f"{name}: holds no listing of a node; `rulegen collect` prints a script that gathers them"
        )
    return found


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DumpError(f"{name}: not text (byte {error.start} is no UTF-8)") from error
