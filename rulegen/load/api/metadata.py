"""``metadata`` of an object: what a create wipes, and its validation (apimachinery ObjectMeta, 1.37)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rulegen.load.api.answers import (
    Errors,
    FieldError,
    as_json,
    forbidden,
    invalid,
    invalid_json,
    required,
    too_long,
)
from rulegen.load.api.names import dns_label, label_value, masked_prefix, qualified_name, size

NameCheck = Callable[[str], list[str]]

_ANNOTATIONS_LIMIT = 256 * 1024
_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})
_GENERATED = "xxxxx"
"""What stands for the five characters that the server appends to a generateName."""
_OWNER_FIELDS = ("apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion")
_SYSTEM_FIELDS = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "managedFields",
)


def prepare_create(metadata: dict[str, Any], *, namespaced: bool) -> list[FieldError]:
    """Drop what only the server sets, put the object into a namespace; warnings about doubled owners."""
    for field in _SYSTEM_FIELDS:
        metadata.pop(field, None)
    if namespaced:
        metadata.setdefault("namespace", "default")
    else:
        metadata.pop("namespace", None)
    owners = metadata.get("ownerReferences") or []
    kept: list[Any] = []
    doubled = []
    for owner in owners:
        if owner in kept:
            doubled.append(owner.get("uid", ""))
        else:
            kept.append(owner)
    if not doubled:
        return []
    metadata["ownerReferences"] = kept
    return [
        FieldError(
            "metadata.ownerReferences",
            "contains duplicate entries, which the API server drops; duplicate UID(s) observed: "
            + ", ".join(doubled),
        )
    ]


def name_in_use(metadata: Mapping[str, Any]) -> str:
    """The object's name, with a stand-in for the random end of a generated one."""
    name: str = metadata.get("name", "")
    prefix: str = metadata.get("generateName", "")
    return name or (prefix and prefix[:58] + _GENERATED)


def check_resource_version(metadata: Mapping[str, Any]) -> Errors:
    """Storage refuses an object that is to be created and has a resourceVersion already."""
    version = metadata.get("resourceVersion", "")
    if version.isascii() and version.isdigit() and version.strip("0") and int(version[-20:]) < 2**64:
        return [
            FieldError(
                "metadata.resourceVersion", "resourceVersion should not be set on objects to be created"
            )
        ]
    return []


def check_metadata(metadata: Mapping[str, Any], name_check: NameCheck, *, namespaced: bool = True) -> Errors:
    """The errors of an object's metadata; ``name_check`` says what is wrong with a name of its kind."""
    errors: Errors = []
    prefix = metadata.get("generateName", "")
    if prefix:
        for fault in name_check(masked_prefix(prefix)):
            errors.append(invalid("metadata.generateName", prefix, fault))
    name = name_in_use(metadata)
    if not name:
        errors.append(required("metadata.name", "name or generateName is required"))
    else:
        shown = metadata.get("name") or name[: -len(_GENERATED)] + "*****"
        errors += [invalid("metadata.name", shown, fault) for fault in name_check(name)]
    namespace = metadata.get("namespace", "")
    if not namespaced:
        if namespace:
            errors.append(forbidden("metadata.namespace", "not allowed on this type"))
    elif not namespace:
        errors.append(required("metadata.namespace"))
    else:
        errors += [invalid("metadata.namespace", namespace, fault) for fault in dns_label(namespace)]
    if metadata.get("generation", 0) < 0:
        generation = metadata["generation"]
        errors.append(invalid("metadata.generation", generation, "must be greater than or equal to 0"))
    if "labels" in metadata:
        errors += check_labels("metadata.labels", metadata["labels"])
    if "annotations" in metadata:
        errors += _check_annotations(metadata["annotations"])
    if "ownerReferences" in metadata:
        errors += _check_owners(metadata["ownerReferences"])
    if "finalizers" in metadata:
        errors += _check_finalizers(metadata["finalizers"])
    return errors


def check_labels(field: str, labels: Mapping[str, str]) -> Errors:
    """The errors of labels or of a selector: all at the map's own path, as the server prints them."""
    errors: Errors = []
    for key, value in labels.items():
        errors += [invalid(field, key, fault) for fault in qualified_name(key)]
        errors += [invalid(field, value, fault) for fault in label_value(value)]
    return errors


def _check_annotations(annotations: Mapping[str, str]) -> Errors:
    errors: Errors = []
    total = 0
    for key, value in annotations.items():
        # Upper case is no fault in an annotation's key.
        errors += [invalid("metadata.annotations", key, fault) for fault in qualified_name(key.lower())]
        total += size(key) + size(value)
    if total > _ANNOTATIONS_LIMIT:
        errors.append(too_long("metadata.annotations", _ANNOTATIONS_LIMIT))
    return errors


def _check_owners(owners: list[Mapping[str, Any]]) -> Errors:
    errors: Errors = []
    controller = ""
    for i, owner in enumerate(owners):
        field = f"metadata.ownerReferences[{i}]"
        version = owner.get("apiVersion", "")
        if not version:
            errors.append(required(f"{field}.apiVersion", "must not be empty"))
        elif version.count("/") > 1 or version.endswith("/"):
            detail = "must be <group>/<version> or <version>"
            errors.append(invalid(f"{field}.apiVersion", version, detail))
        for part in ("kind", "name", "uid"):
            if not owner.get(part):
                errors.append(required(f"{field}.{part}", "must not be empty"))
        if version in ("v1", "/v1") and owner.get("kind") == "Event":
            detail = "/v1, Kind=Event is disallowed from being an owner"
            errors.append(FieldError(field, f"Invalid value: {as_json(_owner(owner))}: {detail}"))
        if owner.get("controller"):
            current = f"{owner.get('kind', '')}/{owner.get('name', '')}"
            if controller:
                detail = (
                    'Only one reference can have Controller set to true. Found "true" in references for '
                    f"{controller} and {current}"
                )
                shown = [_owner(each) for each in owners]
                errors.append(invalid_json("metadata.ownerReferences", shown, detail))
            else:
                controller = current
    return errors


def _owner(owner: Mapping[str, Any]) -> dict[str, Any]:
    """A reference with its fields in the order in which Go prints them."""
    return {field: owner[field] for field in _OWNER_FIELDS if field in owner}


def _check_finalizers(finalizers: list[str]) -> Errors:
    field = "metadata.finalizers"
    errors: Errors = []
    for finalizer in finalizers:
        errors += [invalid(field, finalizer, fault) for fault in qualified_name(finalizer)]
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        detail = "finalizer orphan and foregroundDeletion cannot be both set"
        errors.append(invalid_json(field, finalizers, detail))
    for i, finalizer in enumerate(finalizers):
        if "/" not in finalizer and finalizer not in _FINALIZERS:
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            errors.append(invalid(f"{field}[{i}]", finalizer, detail))
    return errors
