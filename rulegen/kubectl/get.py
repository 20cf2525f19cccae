"""``kubectl get``: tables, names, YAML and JSON."""

from __future__ import annotations

from itertools import groupby

import msgspec

from rulegen.kubectl.builder import Found, Query, find
from rulegen.kubectl.cluster import Session
from rulegen.kubectl.errors import AggregateError, ServerError, raise_all
from rulegen.kubectl.printers import Printer, choose_format
from rulegen.kubectl.tables import Style, chunks, print_table, table, writer


class Get(msgspec.Struct, frozen=True):
    """One ``get`` command: tables for an ``output`` of ``""`` or ``wide``, objects for any other.

    ``style`` is that of tables. ``chunk_size`` is how many objects a table of the server holds at most, 0
    for all of them. ``template`` is what ``--template`` says.
    """

    query: Query
    output: str = ""
    style: Style = Style()
    chunk_size: int = 500
    ignore_not_found: bool = False
    managed_fields: bool = False
    template: str = ""


def get(session: Session, command: Get) -> None:
    """Print what a ``get`` command prints; then :class:`KubectlError` where something was wrong."""
    found = find(session, command.query)
    if command.ignore_not_found:
        kept = [each for each in found.results if not _is_not_found(each)]
        found = msgspec.structs.replace(found, results=tuple(kept))
    if command.output in ("", "wide") and not command.template:
        _tables(session, command, found)
    else:
        _objects(session, command, found)


def _is_not_found(result: object) -> bool:
    return isinstance(result, ServerError) and result.reason == "NotFound"


def _tables(session: Session, command: Get, found: Found) -> None:
    errors = found.errors
    # Without the server's tables kubectl takes lists apart, and knows nothing of empty ones.
    answers = [each for each in found.answers if each.objects or command.style.server]
    kinds = len({answer.resource for answer in answers}) > 1
    style = command.style
    everywhere = command.query.all_namespaces
    wrote = False
    # Once kubectl has shown a namespace it keeps the column, even for types that have none.
    namespaces = False
    for resource, group in groupby(answers, key=lambda answer: answer.resource):
        namespaces = namespaces or (everywhere and resource.namespaced)
        out = writer()
        headers = style.headers
        for answer in group:
            for part in chunks(answer.objects, command.chunk_size if style.server else 0):
                shown = table(resource, part, session.now, style, namespaces=namespaces, kinds=kinds)
                print_table(shown, out, headers=headers)
                headers = headers and not shown.rows
        text = out.text()
        if text:
            session.out.append(f"\n{text}" if wrote and style.headers else text)
            wrote = True
    if not wrote and not errors and not command.ignore_not_found:
        if everywhere or not all(answer.resource.namespaced for answer in answers):
            session.notes.append("No resources found")
        else:
            session.notes.append(f"No resources found in {command.query.namespace} namespace.")
    raise_all(errors)


def _objects(session: Session, command: Get, found: Found) -> None:
    errors = found.errors
    if errors and found.single:
        raise AggregateError(errors)
    objects = [item for _, item in found.objects()]
    if objects or not command.ignore_not_found:
        chosen = choose_format(command.output, command.template, get=True)
        printer = Printer(chosen, managed_fields=command.managed_fields)
        session.out.append(printer.one(objects[0]) if found.single else printer.list(objects))
    raise_all(errors)
