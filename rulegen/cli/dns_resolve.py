"""``rulegen dns resolve``: what a pod asks for a name, and what is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rulegen.cli.dns_options import Domain, Servers, check_name, server_of

if TYPE_CHECKING:
    from rulegen.cli.objects import Known
    from rulegen.dns import DnsServer, Record
    from rulegen.dns.search import Attempt, Resolution

TYPES = ("A", "AAAA", "CNAME", "SRV", "PTR", "TXT", "NS", "SOA", "MX", "CAA", "HTTPS", "SVCB", "NAPTR", "ANY")


def resolve(
    known: Known,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name that a program in a pod asks for.")],
    from_namespace: Annotated[
        str | None,
        typer.Option(
            "--from-namespace", metavar="NAMESPACE", help="Namespace of the pod (default: that of -n)."
        ),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--type", "-t", metavar="TYPE", help="Type asked for. Repeatable (default: A, AAAA)."),
    ] = None,
    ndots: Annotated[
        int, typer.Option("--ndots", min=0, max=15, help="Dots from which on a name is tried as it is first.")
    ] = 5,
    search: Annotated[
        list[str] | None,
        typer.Option("--search", metavar="DOMAIN", help="A search domain of the node. Repeatable."),
    ] = None,
    output: Annotated[
        Literal["table", "json"], typer.Option("--output", "-o", help="Form of the output.")
    ] = "table",
    domain: Domain = "cluster.local",
    servers: Servers = None,
) -> None:
    """Show the questions that a pod sends for a name, in order, and what is answered.

    With --type PTR an address may be asked about. Exit code 1: the cluster DNS does not find the name.
    """
    import re

    from rulegen.cli.output import dump, emit, table
    from rulegen.dns.names import packed_address, reverse_name
    from rulegen.dns.search import resolve as search_for
    from rulegen.load.api.names import dns_label

    kinds = [each.upper() for each in kind or ("A", "AAAA")]
    for each in kinds:
        if each not in TYPES and not re.fullmatch(r"TYPE[0-9]{1,5}", each):
            raise ValueError(
                f"--type {each}: no type of DNS; known: {', '.join(TYPES)} and TYPE followed by a number"
            )
    check_name(name)
    namespace = known.namespace if from_namespace is None else from_namespace
    if faults := dns_label(namespace):
        raise ValueError(f"--from-namespace {namespace}: no name of a namespace: {faults[0]}")
    if packed_address(name) is not None:
        if kinds != ["PTR"]:
            _say_address(name, output)
            return
        name = reverse_name(name)
    server = server_of(known, domain, servers, 30)
    found = search_for(server, name, namespace, kinds=kinds, search=search or (), ndots=ndots)
    if output == "json":
        dump(_resolution(found), "json")
    else:
        rows = [
            (str(number), attempt.name, attempt.kind, _outcome(attempt))
            for number, attempt in enumerate(found.attempts, 1)
        ]
        emit(table(("#", "NAME", "TYPE", "ANSWER"), rows))
        emit(_summary(found, name, kinds, namespace))
        for elsewhere in _elsewhere(server, name, found, namespace):
            emit(f"namespace {elsewhere} has a Service {name}: ask for {name}.{elsewhere}")
    if found.outcome != "found":
        raise typer.Exit(1)


def _outcome(attempt: Attempt) -> str:
    reply = attempt.reply
    match reply.outcome:
        case "found":
            return ", ".join(_data(record, attempt.kind) for record in reply.answers)
        case "no such type":
            return f"NOERROR, no answer: the name exists, but has no {attempt.kind} record"
        case "no such name":
            return "NXDOMAIN: no such name"
    return "asked of the servers upstream: the name is not of the cluster"


def _data(record: Record, asked: str) -> str:
    return record.data if record.type in ("A", "AAAA", asked) else f"{record.type} {record.data}"


def _summary(found: Resolution, name: str, kinds: list[str], namespace: str) -> str:
    asked = " or ".join(kinds)
    match found.outcome:
        case "found":
            answer = ", ".join(found.addresses)
            if not answer:
                target = found.attempts[-1].reply.answers or next(
                    a.reply.answers for a in reversed(found.attempts) if a.reply.answers
                )
                return f"{name} is {found.name}, another name of {target[-1].data} outside of the cluster"
            return f"{name} is {found.name}: {answer}"
        case "not of the cluster":
            upstream = f"{found.name} is left to the servers upstream"
            exists = _without_type(found)
            if exists:
                return f"{name} is not found: {exists} exists, but has no {asked} record, and {upstream}"
            return f"{name} is no name of the cluster: {upstream}"
        case "no such type":
            return f"{name} is not found: {_without_type(found)} exists, but has no {asked} record"
    return f"{name} is not found from namespace {namespace}: no such name"


def _without_type(found: Resolution) -> str:
    """The name that is there, but has no record of the types asked for; empty where there is none."""
    return next((each.name for each in found.attempts if each.reply.outcome == "no such type"), "")


def _elsewhere(server: DnsServer, name: str, found: Resolution, namespace: str) -> list[str]:
    """The other namespaces, a few at most, that have a Service of a name that was not found."""
    if found.outcome == "found" or "." in name:
        return []
    services = server.directory.services.values()
    return sorted(each.namespace for each in services if each.name == name and each.namespace != namespace)[
        :3
    ]


def _say_address(name: str, output: str) -> None:
    """Programs that are given an address ask nobody."""
    from rulegen.cli.output import dump, emit

    if output == "json":
        dump(
            {"outcome": "found", "name": name, "addresses": [name], "upstream": False, "queries": []}, "json"
        )
    else:
        emit(f"{name} is an address already: nothing is asked (-t PTR asks for its name)")


def _resolution(found: Resolution) -> dict[str, Any]:
    return {
        "outcome": found.outcome,
        "name": found.name,
        "addresses": found.addresses,
        "upstream": found.upstream,
        "queries": [
            {
                "name": attempt.name,
                "type": attempt.kind,
                "rcode": attempt.reply.rcode,
                "outcome": attempt.reply.outcome,
                "answers": [[r.owner, r.type, r.data] for r in attempt.reply.answers],
            }
            for attempt in found.attempts
        ],
    }
