"""The two sides of a comparison: manifests, a node's dump, or a namespace."""

from __future__ import annotations

import contextlib
import io
import json
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from rulegen.cli.inputs import Inputs, read
from rulegen.dump import Listings, is_archive, mode_of, of_bytes, recognise
from rulegen.dump import read as read_dump
from rulegen.findings import Facts
from rulegen.model import FAMILIES

NAMESPACE = "netns:"
STDIN = "-"
SNIFFED = 1 << 16
"""Bytes of a file that tell a dump from manifests."""


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One side: either what manifests ask for (``inputs``), or what a node has (``listings``)."""

    name: str
    inputs: Inputs | None = None
    listings: Listings | None = None


def open_sides(names: Sequence[str], options: Sequence[Mapping[str, Any]]) -> list[Side]:
    """Read the sides of a comparison; ``options``, one for each, are those of :func:`inputs.read`.

    ``netns:NAME`` is a namespace; what looks like a dump, or an archive of ``rulegen collect``, is a node;
    anything else is manifests. Where nothing says the mode of these, it is that of the node on the other
    side. Raises LoadError, ValueError.
    """
    opened = [_opened(name) for name in names]
    modes = {mode_of(found) for found in opened if isinstance(found, Mapping)}
    mode = modes.pop() if len(modes) == 1 else None
    return [
        Side(name=name, listings=found)
        if isinstance(found, Mapping)
        else Side(name=name, inputs=read([found], assumed_mode=mode, **own))
        for name, found, own in zip(names, opened, options, strict=True)
    ]


def _opened(name: str) -> Listings | str | IO[bytes]:
    """The listings of a node; or where manifests are read from."""
    if name.startswith(NAMESPACE):
        return of_namespace(name.removeprefix(NAMESPACE))
    if name == STDIN or _is_pipe(name):
        return _of_pipe(name)
    return read_dump(name) if _is_dump(name) else name


def _is_pipe(name: str) -> bool:
    try:
        return stat.S_ISFIFO(Path(name).stat().st_mode)
    except OSError:
        return False


def _of_pipe(name: str) -> Listings | IO[bytes]:
    """Standard input, or ``<(command)``: it can be read once, and may be either."""
    try:
        content = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
    except OSError as error:
        raise ValueError(f"{name}: {error.strerror or error}") from error
    if looks_like_dump(content[:SNIFFED]):
        return of_bytes(name, content)
    stream = io.BytesIO(content)
    stream.name = name
    return stream


def _is_dump(name: str) -> bool:
    path = Path(name)
    if path.is_dir():
        return any(file.name.endswith((".txt", ".save")) for file in path.iterdir() if file.is_file())
    try:
        with path.open("rb") as file:
            return looks_like_dump(file.read(SNIFFED))
    except OSError:
        return False


def looks_like_dump(start: bytes) -> bool:
    """Whether a file that begins like this is an archive or a listing of a node, and not manifests."""
    if is_archive(start):
        return True
    text = start.decode("utf-8", "replace")
    if text.lstrip().startswith(("{", "[")):
        # A cut-off JSON text is not JSON; its first words tell.
        return '"nftables"' in text[:200] or '"ifname"' in text[:200]
    return recognise(text) is not None


def of_namespace(name: str) -> Listings:
    """What the tools say in a network namespace. Raises ValueError, PermissionError."""
    from rulegen.netns.facts import variant_of
    from rulegen.netns.rules import Rules
    from rulegen.netns.space import CommandError, open_space

    space = open_space(name)
    found: dict[str, str] = {}
    with contextlib.suppress(CommandError):
        known: dict[str, str] = {}
        variant = variant_of(space, known)
        for family in FAMILIES:
            part = Rules(family, variant)
            found[part.listing] = known[part.name]
    network = ("ip -j addr", "ip -j route", "ip -j -6 route")
    for command in ("nft list ruleset", "ipvsadm -Sn", "ipset save", *network):
        with contextlib.suppress(CommandError):
            found[command] = space.run(*command.split())
    return found


def interfaces_of(listings: Listings) -> dict[str, tuple[str, ...]] | None:
    """Device -> addresses, from ``ip -j addr``; None where that was not gathered.

    kube-ipvs0 is kube-proxy's own and left out, as are link-local addresses.
    """
    text = listings.get("ip -j addr")
    if text is None:
        return None
    found: dict[str, tuple[str, ...]] = {}
    for link in json.loads(text):
        if link.get("ifname") in (None, "kube-ipvs0"):
            continue
        found[link["ifname"]] = tuple(
            f"{info['local']}/{info['prefixlen']}"
            for info in link.get("addr_info", ())
            if info.get("scope") != "link" and "local" in info
        )
    return found


def as_node_says(inputs: Inputs, listings: Listings, facts: Facts) -> tuple[Inputs, list[str]]:
    """What manifests ask for on the very node of a dump, and the facts that only the dump told."""
    node, taken = inputs.node, []
    interfaces = interfaces_of(listings)
    if "interfaces" in inputs.assumed and interfaces is not None:
        node = msgspec.structs.replace(node, interfaces=interfaces)
        taken.append("the addresses of its interfaces")
    if "nfacct" in inputs.assumed and facts.nfacct is not None:
        node = msgspec.structs.replace(node, nfacct=facts.nfacct)
        taken.append(f"nfacct counters ({'there' if facts.nfacct else 'none'})")
    liberal = facts.conntrack_tcp_be_liberal
    if "conntrack" in inputs.assumed and liberal is not None:
        node = msgspec.structs.replace(node, conntrack_tcp_be_liberal=liberal)
        taken.append(f"nf_conntrack_tcp_be_liberal ({int(liberal)})")
    if any(facts.proxy_ports.values()):
        taken.append("the ports of the userspace proxy")
    return msgspec.structs.replace(inputs, node=node, found_ports=facts.proxy_ports), taken
