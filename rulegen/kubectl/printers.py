"""Output formats that print whole objects: names, YAML, JSON, KYAML, JSONPath, columns of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from rulegen.kubectl.errors import KubectlError, PrintError
from rulegen.kubectl.jsonpath import PathError, Template, go_syntax, go_text, relaxed
from rulegen.kubectl.jsontext import to_json
from rulegen.kubectl.kyamltext import to_kyaml
from rulegen.kubectl.plain import Object, name_of, text
from rulegen.kubectl.tables import escaped, writer
from rulegen.kubectl.yamltext import to_yaml
from rulegen.load.api.answers import quoted

_OF_GET = ("custom-columns", "custom-columns-file")
_TEMPLATES = ("go-template", "go-template-file", "jsonpath", "jsonpath-as-json", "jsonpath-file")
_MORE_TEMPLATES = ("template", "templatefile")
_PATHS = ("jsonpath", "jsonpath-as-json")
_WHOLE = ("json", "kyaml", "yaml")


class Printer(msgspec.Struct, frozen=True):
    """Prints objects in a ``format``: ``name``, one of JSON and YAML, or ``""`` for a sentence.

    ``operation`` is what the sentence says: ``exposed (dry run)``. ``typed`` objects have their fields in the
    order of a Go struct, and keep it where the format can show it. ``template`` fills ``jsonpath`` and
    ``custom-columns``; ``lenient`` forgives fields that are missing.
    """

    format: str
    operation: str = ""
    managed_fields: bool = False
    typed: bool = False
    template: str = ""
    lenient: bool = True
    headers: bool = True

    def one(self, item: Object) -> str:
        """The text of one object."""
        if self.format in ("name", ""):
            return self._name(item)
        if self.format == "custom-columns":
            return self._columns([item])
        return self._text(item if self._keeps_all() else _without_managed_fields(item))

    def several(self, items: Sequence[Object]) -> str:
        """The text of objects that are printed one after another."""
        between = "---\n" if self.format == "yaml" else ""
        return between.join(self.one(item) for item in items)

    def list(self, items: Sequence[Object]) -> str:
        """The text of objects as one List."""
        if self.format == "name":
            return self.several(items)
        if self.format == "custom-columns":
            return self._columns(items)
        kept = items if self._keeps_all() else [_without_managed_fields(item) for item in items]
        return self._text(
            {"apiVersion": "v1", "items": list(kept), "kind": "List", "metadata": {"resourceVersion": ""}}
        )

    def _keeps_all(self) -> bool:
        return self.managed_fields or self.format in _PATHS

    def _text(self, item: Any) -> str:
        try:
            if self.format == "yaml":
                return to_yaml(item)
            if self.format == "kyaml":
                return to_kyaml(item, sort=not self.typed)
            if self.format == "json":
                return to_json(item, sort=not self.typed)
            return self._filled(item)
        except ValueError as fault:
            raise KubectlError(str(fault)) from None

    def _filled(self, item: Any) -> str:
        template = Template(self.template, lenient=self.lenient)
        try:
            return template.fill(item, as_json=self.format == "jsonpath-as-json")
        except PathError as fault:
            raise KubectlError(
                f"error executing jsonpath {quoted(self.template)}: Error executing template: {fault}."
                " Printing more information for debugging the template:"
                f"\n\ttemplate was:\n\t\t{self.template}"
                f"\n\tobject given to jsonpath engine was:\n\t\t{go_syntax(item)}\n\n"
            ) from None

    def _columns(self, items: Sequence[Object]) -> str:
        columns = _read_columns(self.template)
        out = writer()
        if self.headers:
            out.write("\t".join(title for title, _ in columns) + "\n")
        try:
            paths = [Template(path) for _, path in columns]
            for item in items:
                out.write("\t".join(_cell(path, item) for path in paths) + "\n")
        except PathError as fault:
            raise PrintError(str(fault), out.text()) from None
        return out.text()

    def _name(self, item: Object) -> str:
        group, _, _ = text(item, "apiVersion").rpartition("/")
        kind = text(item, "kind").lower()
        shown = f"{kind}.{group}" if group else kind
        done = f" {self.operation}" if self.operation and not self.format else ""
        return f"{shown}/{name_of(item) or '<unknown>'}{done}\n"


def choose(output: str, template: str, *, get: bool) -> tuple[str, str]:
    """The format that ``-o`` asks for, and its template; ``--template`` may give that as well.

    :class:`KubectlError` for a format that kubectl does not know, for templates that cannot be read, and for
    those that are not filled in here: Go's, and whatever is in a file.
    """
    if template and not output:
        output = "go-template"
    kind, _, given = output.partition("=")
    filled = (*_PATHS, "custom-columns") if get else _PATHS
    known = (*_TEMPLATES, *_MORE_TEMPLATES, *(_OF_GET if get else ()))
    if kind in known and (output == kind or not template):
        if kind not in filled:
            raise KubectlError(f"rulegen does not print {kind}: use -o name, yaml, json or jsonpath")
        _check(kind, template or given)
        return kind, template or given
    chosen = output.lower()
    if chosen in ("", "name", *_WHOLE):
        return chosen, ""
    allowed = ",".join(sorted([*known, *_WHOLE, "name", *(["wide"] if get else [])]))
    raise KubectlError(
        f"unable to match a printer suitable for the output format {quoted(output)},"
        f" allowed formats are: {allowed}"
    )


def _check(kind: str, template: str) -> None:
    if kind == "custom-columns":
        _read_columns(template)
        return
    if not template:
        raise KubectlError("template format specified but no template given")
    try:
        Template(template)
    except PathError as fault:
        raise KubectlError(f"error parsing jsonpath {template}, {fault}") from None


def _read_columns(spec: str) -> list[tuple[str, str]]:
    """``NAME:.metadata.name,PORT:.spec.ports[0].port`` as titles and paths."""
    if not spec:
        raise KubectlError("custom-columns format specified but no custom columns given")
    columns = []
    for part in spec.split(","):
        title, colon, path = part.partition(":")
        if not colon:
            raise KubectlError(f"unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>")
        try:
            columns.append((title, relaxed(path)))
        except PathError as fault:
            raise KubectlError(str(fault)) from None
    return columns


def _cell(path: Template, item: Object) -> str:
    found = path.results(item)
    values = [escaped(go_text(value)) for part in found for value in part]
    return ",".join(values if found and found[0] else ["<none>", *values])


def _without_managed_fields(item: Object) -> Object:
    metadata = item.get("metadata")
    if not metadata or "managedFields" not in metadata:
        return item
    kept = {key: value for key, value in metadata.items() if key != "managedFields"}
    return {**item, "metadata": kept}
