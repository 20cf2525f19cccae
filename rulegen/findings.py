"""What a comparison finds: the same types for every mode, so that commands need not know one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from rulegen.model import Family

What: TypeAlias = Literal["missing", "extra", "changed", "moved", "stale"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One difference between a node and what it should be.

    ``service`` is the name of the service port (``namespace/service:port``), empty for what is of no
    Service; ``place`` says where (table and chain, with the number of the rule there). ``rule`` is what is
    there, or missing; for a changed one ``wanted`` is what it should be. ``effect`` is what that does to
    traffic, in words.
    """

    what: What
    family: Family
    place: str
    rule: str
    effect: str
    service: str = ""
    wanted: str = ""

    @property
    def text(self) -> str:
        """One line for people."""
        who = self.service or "kube-proxy"
        match self.what:
            case "missing":
                said = f"missing: {self.rule}"
            case "extra":
                said = f"should not be there: {self.rule}"
            case "moved":
                said = f"out of order: {self.rule}"
            case "stale":
                said = f"stale: {self.rule}"
            case "changed":
                said = f"is: {self.rule}, should be: {self.wanted}"
        return f"{who}: {self.family} {self.place}: {said} ({self.effect})"


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """All that was found on a node.

    ``notes`` are no differences: what kube-proxy itself leaves alone, and what was assumed. ``foreign``
    counts rules of others that were left out, by whose they seem to be.
    """

    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    foreign: Mapping[str, int] = {}

    def __bool__(self) -> bool:
        """Whether the node differs."""
        return bool(self.findings)

    def by_service(self) -> dict[str, list[Finding]]:
        """Service port -> its findings, in order; under ``""`` those of no Service."""
        found: dict[str, list[Finding]] = {}
        for finding in self.findings:
            found.setdefault(finding.service, []).append(finding)
        return found


class ServiceChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a change means for one service port, in plain words.

    ``service`` is ``namespace/service:port``, empty for what is of no Service. ``lines`` begin with ``+``,
    ``-`` or ``~`` (changed); ``places`` are the chains, sets or maps whose content changes.
    """

    service: str
    lines: tuple[str, ...]
    places: tuple[str, ...] = ()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about a node that its rules tell; None where they do not.

    ``proxy_ports`` are those on which the userspace proxy listens, by the name of the service port.
    """

    nfacct: bool | None = None
    conntrack_tcp_be_liberal: bool | None = None
    service_cidrs: Mapping[Family, tuple[str, ...]] = {}
    proxy_ports: Mapping[Family, Mapping[str, int]] = {}
