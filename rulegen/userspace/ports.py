"""The ports on which the userspace proxy listens, one for each service port."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

FIRST = 20000
COUNT = 10000
"""Below the ports that Linux gives to clients (32768-60999) and apart from node ports (30000-32767).

kube-proxy takes whatever port is free, or one of its ``--proxy-port-range``; here the same Service has the
same port in every run, so that the rules and the proxy agree without talking to each other.
"""


def proxy_ports(names: Iterable[str], given: Mapping[str, int]) -> dict[str, int]:
    """Name of each service port -> its proxy port: the given one, else one that follows from the name.

    Where that is taken, the next free one counts, names in order. Raises ValueError where ports run out.
    """
    wanted = sorted(set(names))
    found = {name: given[name] for name in wanted if name in given}
    taken = set(given.values())
    for name in wanted:
        if name not in found:
            found[name] = _free(name, taken)
            taken.add(found[name])
    return found


def _free(name: str, taken: set[int]) -> int:
    start = int.from_bytes(sha256(name.encode()).digest()[:8])
    for step in range(COUNT):
        port = FIRST + (start + step) % COUNT
        if port not in taken:
            return port
    raise ValueError(f"{name}: all {COUNT} ports of the userspace proxy are taken")
