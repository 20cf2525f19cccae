"""What the cluster's controllers make of objects: Pods and Services become endpoints."""

from rulegen.controllers.complete import (
    NO_PODS,
    Completion,
    EndpointSource,
    complete,
    endpoint_slices,
    endpoints,
)
from rulegen.controllers.pods import PodDecision, explain

__all__ = [
    "NO_PODS",
    "Completion",
    "EndpointSource",
    "PodDecision",
    "complete",
    "endpoint_slices",
    "endpoints",
    "explain",
]
