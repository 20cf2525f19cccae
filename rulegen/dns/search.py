"""The questions that a pod asks for a name, in order, and what comes of them.

A pod's ``/etc/resolv.conf`` lists the search domains NAMESPACE.svc.DOMAIN, svc.DOMAIN and DOMAIN, and
``ndots:5`` (dnsPolicy ClusterFirst, pkg/kubelet/network/dns, Kubernetes 1.37). The resolver is glibc's
(resolv.conf(5), res_nsearch): a name with fewer than ndots dots is tried in the search domains first and as
it is last, one with more the other way round; both "no such name" and "no such type" lead to the next one.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from rulegen.dns.names import absolute, labels
from rulegen.dns.records import Outcome, Reply
from rulegen.dns.server import DEFAULT_DOMAIN, DnsServer

NDOTS = 5


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One question that was sent, and its reply. Questions about one name are sent together."""

    name: str
    kind: str
    reply: Reply


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """All questions in order, and the result: that of the name that was found, or why none was.

    ``upstream`` says that the answer is to come from servers outside of the cluster, which are not asked.
    """

    attempts: tuple[Attempt, ...]
    outcome: Outcome
    name: str = ""
    upstream: bool = False

    @property
    def addresses(self) -> list[str]:
        return [
            record.data
            for attempt in self.attempts
            if attempt.name == self.name
            for record in attempt.reply.answers
            if record.type == attempt.kind
        ]


def search_domains(namespace: str, domain: str = DEFAULT_DOMAIN) -> list[str]:
    """The search domains of a pod in ``namespace``, as in its resolv.conf."""
    domain = domain.removesuffix(".")
    return [f"{namespace}.svc.{domain}", f"svc.{domain}", domain]


def candidates(name: str, search: Sequence[str], ndots: int = NDOTS) -> list[str]:
    """The names that a resolver tries, in order, absolute. Raises ValueError where ``name`` is none."""
    as_is = absolute(name)
    if name.endswith("."):
        return [as_is]
    searched = [absolute(f"{name}.{domain}") for domain in search]
    tried = [as_is, *searched] if len(labels(name)) - 1 >= ndots else [*searched, as_is]
    return list(dict.fromkeys(tried))


def resolve(
    server: DnsServer,
    name: str,
    namespace: str = "default",
    *,
    kinds: Sequence[str] = ("A", "AAAA"),
    search: Sequence[str] = (),
    ndots: int = NDOTS,
) -> Resolution:
    """Ask for ``name`` as a pod in ``namespace`` does; its node's ``search`` domains come after its own.

    The search ends with the first name of which there is a record, or which the cluster's server is not
    asked in the end (it is outside of the cluster's zones): what the servers upstream say is not known here.
    """
    attempts: list[Attempt] = []
    exists = False
    for candidate in candidates(name, [*search_domains(namespace, server.domain), *search], ndots):
        replies = [server.ask(candidate, kind) for kind in kinds]
        attempts += [
            Attempt(name=candidate, kind=kind, reply=reply)
            for kind, reply in zip(kinds, replies, strict=True)
        ]
        outcomes = [reply.outcome for reply in replies]
        if "found" in outcomes:
            return Resolution(attempts=tuple(attempts), outcome="found", name=candidate)
        if "not of the cluster" in outcomes:
            return Resolution(
                attempts=tuple(attempts), outcome="not of the cluster", name=candidate, upstream=True
            )
        exists = exists or "no such type" in outcomes
    outcome: Outcome = "no such type" if exists else "no such name"
    return Resolution(attempts=tuple(attempts), outcome=outcome)
