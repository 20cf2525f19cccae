"""What is asked, and what is answered."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from rulegen.plan.addresses import canonical


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a user pasted: a chain or set element's name, an address, a port, or parts of a set entry.

    Empty, or 0, where the question has no such part.
    """

    text: str
    chain: str = ""
    ip: str = ""
    port: int = 0
    protocol: str = ""
    container: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One owner. ``role`` says what the thing is to it (cluster IP, endpoint, node port, its chain, ...).

    ``service`` is ``namespace/name`` or ``namespace/name:port``; ``note`` what else is worth knowing.
    """

    service: str
    protocol: str
    family: str
    role: str
    endpoint: str = ""
    note: str = ""


_PORTED = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<four>[^:\[\]]+)):(?P<port>\d+)(?:/(?P<protocol>\w+))?")
_ENTRY = re.compile(r"(?P<ip>[^,]+),(?:(?P<protocol>tcp|udp|sctp):)?(?P<port>\d+)(?:,.*)?")
_CHAIN = re.compile(r"KUBE-[A-Z0-9-]+|(?:service|external|firewall|endpoint|affinity)-[A-Z0-9]{8}-\S+")
_MOST_PORT = 65535


def question(words: Sequence[str]) -> Question:
    """Read a question: ``KUBE-SEP-...``, ``10.0.0.1``, ``10.0.0.1:80``, ``[fd00::1]:80/tcp``, ``30080``,
    ``KUBE-CLUSTER-IP 10.96.0.1,tcp:443``.

    Raises ValueError for anything else, with what is understood.
    """
    text = " ".join(words)
    container = ""
    if len(words) == 2:
        container, text = words
    elif len(words) != 1:
        raise _not_understood(text)
    if not container and _CHAIN.fullmatch(text):
        return Question(text=text, chain=text)
    entry = _ENTRY.fullmatch(text)
    if entry is not None and canonical(entry["ip"]):
        return Question(
            text=text,
            container=container,
            ip=canonical(entry["ip"]) or "",
            port=int(entry["port"]),
            protocol=(entry["protocol"] or "tcp").upper(),
        )
    ported = _PORTED.fullmatch(text)
    if ported is not None:
        ip = canonical(ported["six"] or ported["four"])
        if ip is not None and 0 < int(ported["port"]) <= _MOST_PORT:
            protocol = (ported["protocol"] or "").upper()
            return Question(
                text=text, container=container, ip=ip, port=int(ported["port"]), protocol=protocol
            )
    number, _, protocol = text.partition("/")
    if number.isascii() and number.isdigit() and 0 < int(number) <= _MOST_PORT:
        return Question(text=text, container=container, port=int(number), protocol=protocol.upper())
    ip = canonical(text)
    if ip is not None:
        return Question(text=text, container=container, ip=ip)
    raise _not_understood(text)


def _not_understood(text: str) -> ValueError:
    return ValueError(
        f"{text!r}: not understood; ask for a chain (KUBE-SEP-..., service-...), an address (10.0.0.1, "
        "10.0.0.1:80), a port (30080) or a set and its entry (KUBE-CLUSTER-IP 10.96.0.1,tcp:443)"
    )
