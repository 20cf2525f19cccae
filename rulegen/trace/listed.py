"""Services as rules themselves tell of them: names in comments and chains, with their cluster IPs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise

from rulegen.trace import nft_text
from rulegen.trace.ground import NFT, SAVES

Listed = dict[str, list[tuple[str, str, int]]]
"""``namespace/service`` -> (cluster IP, protocol, port) of each of its ports."""

_SAID = (" cluster IP", " has no endpoints", " has no local endpoints")
"""What comments of a Service's own rules end with."""

_ELEMENT = re.compile(
    r"(?P<ip>[0-9a-f.:]+) \. (?P<protocol>\w+) \. (?P<port>\d+) : "
    r"goto (?:service|local)-\w{8}-(?P<name>[^/\s]+/[^/\s]+)/"
)
_TARGET = re.compile(r"(?:service|local)-\w{8}-([^/\s]+/[^/\s]+)/")
_UNSERVED = re.compile(
    r"(?P<ip>[0-9a-f.:]+) \. (?P<protocol>\w+) \. (?P<port>\d+) "
    r'comment "(?P<name>[^/"]+/[^:"]+)(?::[^"]*)?" :'
)


def services(listings: Mapping[str, str]) -> Listed:
    """The Services that listings of a node name; none in ipvs mode, whose rules know no names."""
    found: Listed = {}
    for names in SAVES.values():
        for name in names:
            _of_iptables(listings.get(name, "").splitlines(), found)
    for name in NFT[:2]:
        for pattern in (_ELEMENT, _UNSERVED):
            for match in pattern.finditer(listings.get(name, "")):
                _add(found, match["name"], match["ip"], match["protocol"], int(match["port"]))
    if NFT[2] in listings:
        _of_json(listings[NFT[2]], found)
    return found


def _of_json(text: str, found: Listed) -> None:
    for table in nft_text.read(text):
        for container in table.containers.values():
            for element in container.elements:
                match element:
                    case [{"concat": [str(ip), str(protocol), int(port)]}, {"goto": {"target": str(target)}}]:
                        called = _TARGET.match(target)
                        if called is not None:
                            _add(found, called[1], ip, protocol, port)
                    case [
                        {"elem": {"val": {"concat": [str(ip), str(protocol), int(port)]}, "comment": name}},
                        _,
                    ]:
                        _add(found, str(name).partition(":")[0], ip, protocol, port)


def _of_iptables(lines: Iterable[str], found: Listed) -> None:
    for line in lines:
        if "KUBE-SERVICES" not in line:
            continue
        before, _, rest = line.partition('--comment "')
        comment, _, after = rest.partition('"')
        if not comment.endswith(_SAID):
            continue
        words = [*before.split(), *after.split()]
        options = dict(pairwise(words))
        destination, protocol, port = options.get("-d"), options.get("-p"), options.get("--dport", "")
        if destination and protocol and port.isdecimal():
            name = comment.partition(" ")[0].partition(":")[0]
            _add(found, name, destination.partition("/")[0], protocol, int(port))


def _add(found: Listed, name: str, ip: str, protocol: str, port: int) -> None:
    entry = (ip, protocol, port)
    if entry not in found.setdefault(name, []):
        found[name].append(entry)
