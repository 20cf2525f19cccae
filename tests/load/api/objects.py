"""Objects for stories about admission, as short as they can be."""

from __future__ import annotations

from typing import Any

from hypothesis import settings

from rulegen.load.api import admit

STEADY = settings(derandomize=True, deadline=None)
"""The same examples in every run, on machines of any speed."""


def service(*, name: str = "web", metadata: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A Service with one port, unless the story says otherwise."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", **(metadata or {})},
        "spec": {"ports": [{"port": 80}], **spec},
    }


def endpoint_slice(*endpoints: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "web-1", "namespace": "default", **fields.pop("metadata", {})},
        "addressType": "IPv4",
        "endpoints": list(endpoints),
        **fields,
    }


def manual_endpoints(*subsets: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": "web", "namespace": "default", **metadata},
        "subsets": list(subsets),
    }


def configuration(**fields: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        **fields,
    }


def faults(obj: dict[str, Any], **how: Any) -> list[str]:
    """The errors of an object that is refused, one line each."""
    admission = admit(obj, **how)
    assert (admission.result is None) == bool(admission.errors)
    return [str(error) for error in admission.errors]


def taken(obj: dict[str, Any], **how: Any) -> dict[str, Any]:
    """The object as it is stored; it has to be taken."""
    admission = admit(obj, **how)
    assert admission.errors == ()
    assert admission.result is not None
    return admission.result


def remarks(obj: dict[str, Any], **how: Any) -> list[str]:
    """The warnings about an object that is taken."""
    admission = admit(obj, **how)
    assert admission.errors == ()
    return [str(warning) for warning in admission.warnings]
