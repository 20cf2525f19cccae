"""Every single tampering with what ipvsadm, ipset and ip list."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from rulegen.ipvs.base import DUMMY
from tests.iptables.tampering import mutants

UNORDERED = ("KUBE-IPVS-OUT-FILTER",)


class Tampered(NamedTuple):
    """What was done, a word that a finding has to name, and the listing that comes of it."""

    what: str
    name: str
    listing: str


def of_rules(listing: str) -> Iterator[Tampered]:
    for what, chain, lines in mutants(listing.split("\n"), UNORDERED):
        yield Tampered(what, chain, "\n".join(lines))


def of_servers(listing: str) -> Iterator[Tampered]:
    """``ipvsadm -Sn`` and ``-Ln``."""
    lines = listing.rstrip("\n").split("\n")
    heads = [index for index, line in enumerate(lines) if re.match(r"-A|TCP|UDP|SCTP", line)]
    for number, head in enumerate(heads):
        end = heads[number + 1] if number + 1 < len(heads) else len(lines)
        address = re.findall(r"\S+:\d+", lines[head])[0]
        yield _with("server gone", address, lines[:head] + lines[end:])
        other = lines[head].replace(address, re.sub(r"\d$", "7777", address))
        yield _with("server added", "7777", [*lines[:head], other, *lines[head:]])
        for pattern, by in (
            (r"(-s|:\d+) (rr|wrr|lc|sed|wlc|sh|mh|nq|lblc)\b", r"\1 dh"),
            (r"(-p|persistent) \d+", r"\1 7"),
            (r" (-p|persistent) \d+", ""),
            (r"$", f" {'-p' if lines[head].startswith('-A') else 'persistent'} 60"),
        ):
            edited = re.sub(pattern, by, lines[head], count=1)
            if edited != lines[head] and edited.count(" -p ") < 2 and edited.count("persistent") < 2:
                yield _with(f"edited: {edited}", address, [*lines[:head], edited, *lines[head + 1 :]])
        for index in range(head + 1, end):
            real = re.findall(r"\S+:\d+", lines[index])[-1]
            yield _with("real server gone", real, lines[:index] + lines[index + 1 :])
            extra = lines[index].replace(real, re.sub(r"\d$", "9999", real))
            yield _with("real server added", "9999", [*lines[:index], extra, *lines[index:]])
            for pattern, by in (
                (r"-w 1", "-w 5"),
                (r"-w 1", "-w 0"),
                (r"-m ", "-g "),
                (r"Masq    1", "Masq    3"),
                (r"Masq ", "Route"),
            ):
                edited = re.sub(pattern, by, lines[index], count=1)
                if edited != lines[index]:
                    yield _with(f"edited: {edited}", real, [*lines[:index], edited, *lines[index + 1 :]])


def of_sets(listing: str) -> Iterator[Tampered]:
    """``ipset save`` and ``list``."""
    lines = listing.rstrip("\n").split("\n")
    name = ""
    for index, line in enumerate(lines):
        words = line.split()
        if words[:1] == ["create"]:
            name = words[1]
            rest = [other for other in lines if other.split()[1] != name]
            yield _with("set gone", name, rest)
            for pattern, by in (
                (r"hash:ip,port family", "hash:ip,mark family"),
                (r"maxelem \d+", "maxelem 9"),
                (r"(bucketsize)", r"timeout 30 \1"),
                (r"range 0-65535", "range 0-30000"),
            ):
                edited = re.sub(pattern, by, line, count=1)
                if edited != line:
                    yield _with(f"edited: {edited}", name, [*lines[:index], edited, *lines[index + 1 :]])
            entry = _stranger(line)
            yield _with(
                "entry added", name, [*lines[: index + 1], f"add {name} {entry}", *lines[index + 1 :]]
            )
        elif words[:1] == ["add"]:
            yield _with("entry gone", words[2], lines[:index] + lines[index + 1 :])
            edited = re.sub(r"(tcp|udp|sctp):(\d+)", r"\1:1\2", line)
            edited = f"{line}1" if edited == line else edited
            yield _with("entry edited", words[2], [*lines[:index], edited, *lines[index + 1 :]])


def _stranger(create: str) -> str:
    ip = "2001:db8::99" if "inet6" in create else "192.0.2.99"
    for kind, entry in (
        ("bitmap:port", "7"),
        ("hash:ip,port,ip", f"{ip},tcp:7,{ip}"),
        ("hash:ip,port,net", f"{ip},tcp:7,10.0.0.0/8" if ":" not in ip else f"{ip},tcp:7,fd00::/8"),
        ("hash:ip,port", f"{ip},tcp:7"),
    ):
        if kind in create:
            return entry
    return ip


def of_addresses(listing: str) -> Iterator[Tampered]:
    """``ip -j addr``: only kube-proxy's device is its business."""
    links = json.loads(listing)
    index = next(i for i, link in enumerate(links) if link["ifname"] == DUMMY)
    gone = links[:index] + links[index + 1 :]
    yield Tampered("device gone", DUMMY, json.dumps(gone))
    for place, info in enumerate(links[index]["addr_info"]):
        if info["scope"] == "link":
            continue
        changed = copy.deepcopy(links)
        del changed[index]["addr_info"][place]
        yield Tampered("address gone", info["local"], json.dumps(changed))
        changed = copy.deepcopy(links)
        changed[index]["addr_info"].append(
            info | {"local": "2001:db8::99" if ":" in info["local"] else "192.0.2.99"}
        )
        yield Tampered("address added", "99", json.dumps(changed))


def _with(what: str, name: str, lines: list[str]) -> Tampered:
    return Tampered(what, name, "\n".join(lines) + "\n")


WAYS = {
    "iptables-save": of_rules,
    "ip6tables-save": of_rules,
    "ipvsadm -Sn": of_servers,
    "ipvsadm -Ln": of_servers,
    "ipset save": of_sets,
    "ip -j addr": of_addresses,
}
