"""``--overrides``: a fragment that is merged into what ``expose`` wrote.

Three ways: a JSON merge patch (RFC 7396), a JSON patch (RFC 6902), and Kubernetes' strategic merge patch, in
which lists of ports are merged by port.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import msgspec

from rulegen.kubectl.errors import KubectlError
from rulegen.kubectl.jsontext import compact

_MERGE_KEYS = {"ports": "port", "ownerReferences": "uid", "conditions": "type"}
"""Field -> the key that tells the elements of its list apart, in a Service."""


class Overrides(msgspec.Struct, frozen=True):
    """A fragment and how it is applied: ``merge``, ``json`` or ``strategic``."""

    text: str
    way: str = "merge"

    def apply(self, service: Mapping[str, Any]) -> dict[str, Any]:
        """The Service with the fragment applied; :class:`KubectlError` in the words of Go's libraries."""
        target = copy.deepcopy(dict(service))
        if self.way in ("", "merge"):
            merged = _merge(target, self._read(Mapping, "Invalid JSON Patch"))
        elif self.way == "strategic":
            merged = _strategic(target, self._read(Mapping, "invalid JSON document"))
        elif self.way == "json":
            merged = _patch(target, self._read(list, "unexpected end of JSON input"))
        else:
            raise KubectlError(f"invalid override type: {self.way}")
        if not isinstance(merged, Mapping):
            raise KubectlError("couldn't get version/kind; json parse error: an object is needed")
        for field in ("kind", "apiVersion"):
            if not merged.get(field):
                raise KubectlError(f"Object '{field}' is missing in '{compact(merged)}'")
        if (merged["kind"], merged["apiVersion"]) != ("Service", "v1"):
            raise KubectlError(
                f'no kind "{merged["kind"]}" is registered for version "{merged["apiVersion"]}" in scheme'
                ' "pkg/runtime/scheme.go:111"'
            )
        return dict(merged)

    def _read(self, wanted: type[Any], fault: str) -> Any:
        try:
            value = msgspec.json.decode(self.text)
        except msgspec.DecodeError:
            raise KubectlError(fault) from None
        if not isinstance(value, wanted):
            if wanted is list:
                fault = "json: cannot unmarshal object into Go value of type jsonpatch.Patch"
            raise KubectlError(fault)
        return value


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value)
    return merged


def _strategic(target: Any, patch: Mapping[str, Any]) -> dict[str, Any]:
    directive = patch.get("$patch")
    own = {key: value for key, value in patch.items() if not key.startswith("$")}
    if directive == "replace":
        return own
    if directive == "delete":
        return {}
    merged = dict(target) if isinstance(target, Mapping) else {}
    if "$retainKeys" in patch:
        merged = {key: value for key, value in merged.items() if key in patch["$retainKeys"]}
    for key, value in own.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            merged[key] = _strategic(merged.get(key), value)
        elif isinstance(value, list) and key in _MERGE_KEYS:
            merged[key] = _merge_lists(merged.get(key) or [], value, _MERGE_KEYS[key])
        elif isinstance(value, list) and key == "finalizers":
            merged[key] = list(dict.fromkeys([*(merged.get(key) or []), *value]))
        else:
            merged[key] = value
    return merged


def _merge_lists(target: list[Any], patch: list[Any], key: str) -> list[Any]:
    if any(isinstance(each, Mapping) and each.get("$patch") == "replace" for each in patch):
        return [each for each in patch if "$patch" not in each]
    order = [each.get(key) for each in target]
    kept = {each.get(key): each for each in target}
    patched: dict[Any, Any] = {}
    for each in patch:
        if key not in each:
            shown = " ".join(f"{name}:{each[name]}" for name in sorted(each))
            raise KubectlError(f"map: map[{shown}] does not contain declared merge key: {key}")
        before = kept.pop(each[key], None)
        if each.get("$patch") != "delete":
            patched[each[key]] = _strategic(before, each)
    # What only the Service had goes before the first patched element that came after it there.
    merged = list(patched.items())
    at = 0
    for own, value in kept.items():
        while at < len(merged) and not (
            merged[at][0] in order and order.index(own) < order.index(merged[at][0])
        ):
            at += 1
        merged.insert(at, (own, value))
        at += 1
    return [value for _, value in merged]


def _patch(target: Any, operations: list[Any]) -> Any:
    for operation in operations:
        kind = operation.get("op", "unknown")
        path = operation.get("path", "")
        if kind == "add":
            _add(target, path, copy.deepcopy(operation.get("value")))
        elif kind == "remove":
            _remove(target, path)
        elif kind == "replace":
            if _find(target, path) is _MISSING:
                raise KubectlError(
                    f"replace operation does not apply: doc is missing path: {path}: missing value"
                )
            _remove(target, path)
            _add(target, path, copy.deepcopy(operation.get("value")))
        elif kind == "test":
            if _find(target, path) != operation.get("value"):
                raise KubectlError(f"testing value {path} failed: test failed")
        elif kind in ("copy", "move"):
            source = operation.get("from", "")
            value = _find(target, source)
            if value is _MISSING:
                raise KubectlError(f"{kind} operation does not apply: doc is missing from path: {source}")
            if kind == "move":
                _remove(target, source)
            _add(target, path, copy.deepcopy(value))
        else:
            raise KubectlError(f"Unexpected kind: {kind}")
    return target


_MISSING = object()


def _steps(path: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]


def _find(target: Any, path: str) -> Any:
    for step in _steps(path):
        if isinstance(target, Mapping) and step in target:
            target = target[step]
        elif isinstance(target, list) and step.isdigit() and int(step) < len(target):
            target = target[int(step)]
        else:
            return _MISSING
    return target


def _place(target: Any, path: str, kind: str) -> tuple[Any, str]:
    *above, last = _steps(path) or [""]
    place = _find(target, "".join(f"/{step}" for step in above))
    if not isinstance(place, dict | list):
        raise KubectlError(f"{kind} operation does not apply: doc is missing path: {path}: missing value")
    return place, last


def _add(target: Any, path: str, value: Any) -> None:
    place, last = _place(target, path, "add")
    if isinstance(place, dict):
        place[last] = value
    elif last == "-":
        place.append(value)
    elif last.isdigit() and int(last) <= len(place):
        place.insert(int(last), value)
    else:
        raise _no_index("add", path, last)


def _remove(target: Any, path: str) -> None:
    place, last = _place(target, path, "remove")
    if isinstance(place, dict):
        if last not in place:
            raise KubectlError(
                f"error in remove for path: '{path}': Unable to remove nonexistent key: {last}: missing value"
            )
        del place[last]
    elif last.isdigit() and int(last) < len(place):
        del place[int(last)]
    else:
        raise _no_index("remove", path, last)


def _no_index(kind: str, path: str, index: str) -> KubectlError:
    return KubectlError(
        f"error in {kind} for path: '{path}': Unable to access invalid index: {index}:"
        " invalid index referenced"
    )
