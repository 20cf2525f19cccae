"""``kubectl get``: tables, names, YAML and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import msgspec

from rulegen.kubectl.builder import Answer, Found, Query, find
from rulegen.kubectl.cluster import Session
from rulegen.kubectl.errors import AggregateError, ServerError, raise_all
from rulegen.kubectl.printers import Printer, choose
from rulegen.kubectl.sorting import SortError, no_field, order, sort_objects
from rulegen.kubectl.tables import Style, chunks, print_table, table, writer


class Get(msgspec.Struct, frozen=True):
    """One ``get`` command: tables for an ``output`` of ``""`` or ``wide``, objects for any other.

    ``style`` is that of tables. ``chunk_size`` is how many objects a table of the server holds at most, 0
    for all of them. ``sort_by`` is a JSONPath, ``template`` what ``--template`` says; ``lenient`` forgives
    fields that a template names and an object does not have.
    """

    query: Query
    output: str = ""
    style: Style = Style()
    chunk_size: int = 500
    ignore_not_found: bool = False
    managed_fields: bool = False
    sort_by: str = ""
    template: str = ""
    lenient: bool = True


def get(session: Session, command: Get) -> None:
    """Print what a ``get`` command prints; then :class:`KubectlError` where something was wrong."""
    found = find(session, command.query)
    if command.ignore_not_found:
        kept = [each for each in found.results if not _is_not_found(each)]
        found = msgspec.structs.replace(found, results=tuple(kept))
    if command.output == "wide" or not (command.output or command.template):
        _tables(session, command, found)
    else:
        _objects(session, command, found)


def _is_not_found(result: object) -> bool:
    return isinstance(result, ServerError) and result.reason == "NotFound"


def _tables(session: Session, command: Get, found: Found) -> None:
    errors = found.errors
    answers = found.answers
    if command.sort_by or not command.style.server:
        answers = _arranged(session, answers, command)
    kinds = len({answer.resource for answer in answers}) > 1
    style = command.style
    everywhere = command.query.all_namespaces
    size = command.chunk_size if style.server and not command.sort_by else 0
    wrote = False
    # Once kubectl has shown a namespace it keeps the column, even for types that have none.
    namespaces = False
    for resource, group in groupby(answers, key=lambda answer: answer.resource):
        namespaces = namespaces or (everywhere and resource.namespaced)
        out = writer()
        headers = style.headers
        for answer in group:
            for part in chunks(answer.objects, size):
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


def _arranged(session: Session, answers: Sequence[Answer], command: Get) -> list[Answer]:
    """Answers in the order that ``--sort-by`` asks for, taken apart as kubectl does for its own tables."""
    if not command.style.server:
        single = [Answer(answer.resource, (item,)) for answer in answers for item in answer.objects]
        if command.sort_by and len(single) > 1:
            return [single[i] for i in order([each.objects[0] for each in single], command.sort_by)]
        return single
    if len(answers) > 1:
        # kubectl looks for the field in the tables themselves, where it is not.
        raise no_field(command.sort_by)
    try:
        return [
            Answer(each.resource, tuple(sort_objects(each.objects, command.sort_by)))
            if len(each.objects) > 1
            else each
            for each in answers
        ]
    except SortError as error:
        # Such an error is lost in kubectl, which goes on to say that it found nothing.
        session.notes.append(f"note: nothing was sorted, nor printed: {error}")
        return [Answer(each.resource, ()) for each in answers]


def _objects(session: Session, command: Get, found: Found) -> None:
    errors = found.errors
    if errors and found.single:
        raise AggregateError(errors)
    objects = [item for _, item in found.objects()]
    if objects or not command.ignore_not_found:
        chosen, template = choose(command.output, command.template, get=True)
        printer = Printer(
            chosen,
            managed_fields=command.managed_fields,
            template=template,
            lenient=command.lenient,
            headers=command.style.headers,
        )
        if command.sort_by and not found.single:
            objects = sort_objects(objects, command.sort_by)
        session.out.append(printer.one(objects[0]) if found.single else printer.list(objects))
    raise_all(errors)
