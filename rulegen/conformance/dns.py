"""Answers of the cluster DNS in the form in which CoreDNS' were recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rulegen.conformance.controllers import cluster_of
from rulegen.dns import Directory, DnsServer


def dns(objects: Iterable[Mapping[str, Any]], name: str, kind: str) -> dict[str, Any]:
    """What the cluster DNS answers to a question about ``objects``, which are as the API server stores them.

    Those of kind Pod, Service, Endpoints, EndpointSlice and Namespace count. Answers are sorted lists of
    owner, type and data; time to live is left out.
    """
    reply = DnsServer(Directory(cluster_of(objects))).ask(name, kind)
    answers = sorted([each.owner, each.type, each.data] for each in reply.answers)
    return {"rcode": reply.rcode, "answers": answers}
