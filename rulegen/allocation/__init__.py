"""Cluster IPs and node ports for Services without any, as the API server's allocators would hold them."""

from rulegen.allocation.allocate import Allocation, allocate
from rulegen.allocation.ranges import Ranges, ranges
from rulegen.allocation.state import State, read_state, write_state

__all__ = ["Allocation", "Ranges", "State", "allocate", "ranges", "read_state", "write_state"]
