"""``kubectl describe`` of Services, Endpoints and EndpointSlices (``k8s.io/kubectl/pkg/describe``, 1.37)."""

from rulegen.kubectl.describe.command import Describe, describe
from rulegen.kubectl.describe.endpoints import describe_endpoints, describe_slice
from rulegen.kubectl.describe.service import describe_service

__all__ = ["Describe", "describe", "describe_endpoints", "describe_service", "describe_slice"]
