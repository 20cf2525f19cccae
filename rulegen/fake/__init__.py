"""Kernels in memory, for tests without root: they take and refuse what the real ones take and refuse."""

from rulegen.fake.iptables import Iptables, RefusedError
from rulegen.fake.ipvs import Ipvs
from rulegen.fake.nftables import Nftables

__all__ = ["Iptables", "Ipvs", "Nftables", "RefusedError"]
