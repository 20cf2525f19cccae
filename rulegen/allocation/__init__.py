"""Cluster IPs and node ports for Services without any, as the API server's allocators would hold them."""

from rulegen.allocation.allocate import Allocation, allocate
from rulegen.allocation.plain import with_allocated
from rulegen.allocation.ranges import Ranges, ranges, service_cidrs
from rulegen.allocation.state import State, read_state, write_state

__all__ = [
    "Allocation",
    "Ranges",
    "State",
    "allocate",
    "ranges",
    "read_state",
    "service_cidrs",
    "with_allocated",
    "write_state",
]
