"""Output formats that print whole objects: names, YAML, JSON, KYAML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from rulegen.kubectl.errors import KubectlError
from rulegen.kubectl.jsontext import to_json
from rulegen.kubectl.kyamltext import to_kyaml
from rulegen.kubectl.plain import Object, name_of, text
from rulegen.kubectl.yamltext import to_yaml
from rulegen.load.api.answers import quoted

_FORMATS = "go-template go-template-file json jsonpath jsonpath-as-json jsonpath-file kyaml name template"
_WRITTEN = frozenset(["json", "yaml", "kyaml", "name"])


class Printer(msgspec.Struct, frozen=True):
    """Prints objects in a ``format``: ``name``, ``yaml``, ``json``, ``kyaml``, or ``""`` for a sentence.

    ``operation`` is what the sentence says: ``exposed (dry run)``. ``typed`` objects have their fields in the
    order of a Go struct, and keep it where the format can show it.
    """

    format: str
    operation: str = ""
    managed_fields: bool = False
    typed: bool = False

    def one(self, item: Object) -> str:
        """The text of one object."""
        if self.format in ("name", ""):
            return self._name(item)
        return self._text(item if self.managed_fields else _without_managed_fields(item))

    def several(self, items: Sequence[Object]) -> str:
        """The text of objects that are printed one after another."""
        between = "---\n" if self.format == "yaml" else ""
        return between.join(self.one(item) for item in items)

    def list(self, items: Sequence[Object]) -> str:
        """The text of objects as one List."""
        if self.format == "name":
            return self.several(items)
        kept = items if self.managed_fields else [_without_managed_fields(item) for item in items]
        return self._text(
            {"apiVersion": "v1", "items": kept, "kind": "List", "metadata": {"resourceVersion": ""}}
        )

    def _text(self, item: Any) -> str:
        try:
            if self.format == "yaml":
                return to_yaml(item)
            if self.format == "kyaml":
                return to_kyaml(item, sort=not self.typed)
            return to_json(item, sort=not self.typed)
        except ValueError as fault:
            raise KubectlError(str(fault)) from None

    def _name(self, item: Object) -> str:
        group, _, _ = text(item, "apiVersion").rpartition("/")
        kind = text(item, "kind").lower()
        shown = f"{kind}.{group}" if group else kind
        done = f" {self.operation}" if self.operation and not self.format else ""
        return f"{shown}/{name_of(item) or '<unknown>'}{done}\n"


def choose_format(output: str, template: str, *, get: bool) -> str:
    """The format that ``-o`` asks for: in lower case, or ``wide`` or ``""``.

    :class:`KubectlError` for a format that kubectl does not know, and for the template formats, which are
    not written here.
    """
    chosen = output.lower()
    if chosen in _WRITTEN or not chosen or (get and output == "wide"):
        if template and not output:
            raise KubectlError("rulegen fills in no templates: use -o name, yaml or json")
        return chosen
    formats = [*_FORMATS.split(), "templatefile"]
    formats = sorted(["custom-columns", "custom-columns-file", "wide", *formats] if get else formats)
    formats.append("yaml")
    kind = output.partition("=")[0]
    if kind in formats and kind not in _WRITTEN and kind != "wide":
        raise KubectlError(f"rulegen does not print {kind}: use -o name, yaml or json")
    allowed = ",".join(formats)
    raise KubectlError(
        f"unable to match a printer suitable for the output format {quoted(output)},"
        f" allowed formats are: {allowed}"
    )


def _without_managed_fields(item: Object) -> Object:
    metadata = item.get("metadata")
    if not metadata or "managedFields" not in metadata:
        return item
    kept = {key: value for key, value in metadata.items() if key != "managedFields"}
    return {**item, "metadata": kept}
