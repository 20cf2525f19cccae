"""Which Pods a Service selects: equality of labels within the Service's namespace.

A Service without a selector selects nothing, and neither does an empty one: the API server stores
``selector: {}`` as no selector at all, so the controllers leave such a Service to its owner (Kubernetes
1.37).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from rulegen.model import Pod, Service


def matches(selector: Mapping[str, str] | None, labels: Mapping[str, str] | None) -> bool:
    """Whether every pair of ``selector`` is among ``labels``; never for an empty selector."""
    if not selector or not labels:
        return False
    return all(labels.get(key) == value for key, value in selector.items())


def unmet(selector: Mapping[str, str] | None, labels: Mapping[str, str] | None) -> tuple[str, ...]:
    """The pairs of ``selector`` that ``labels`` lack, as ``key=value``, sorted by key."""
    have = labels or {}
    return tuple(
        f"{key}={value}" for key, value in sorted((selector or {}).items()) if have.get(key) != value
    )


class PodIndex:
    """Pods by namespace and label, so that a Service finds its own without asking every Pod."""

    def __init__(self, pods: Iterable[Pod]) -> None:
        self._by_label: dict[tuple[str, str, str], list[Pod]] = defaultdict(list)
        for pod in sorted(pods, key=lambda pod: (pod.metadata.namespace, pod.metadata.name)):
            namespace = pod.metadata.namespace
            for key, value in (pod.metadata.labels or {}).items():
                self._by_label[namespace, key, value].append(pod)

    def selected(self, service: Service) -> list[Pod]:
        """The Pods that the Service's selector matches, by name."""
        selector = service.spec.selector
        if not selector:
            return []
        namespace = service.metadata.namespace
        candidates = min(
            (self._by_label.get((namespace, key, value), []) for key, value in selector.items()), key=len
        )
        return [pod for pod in candidates if matches(selector, pod.metadata.labels)]
