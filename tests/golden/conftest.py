"""What the plugin imports when it is used is imported once, before pytester's own runs of pytest."""

from __future__ import annotations

from pathlib import Path

import pytest

from rulegen.pytest_plugin import Golden


@pytest.fixture(scope="session", autouse=True)
def everything_imported() -> None:
    """pytester forgets modules that a run imported: the next run would get them, and their classes, anew."""
    ngx = Path(__file__).parent.parent.parent / "fixtures" / "ngx"
    for mode in ("iptables", "ipvs", "nftables"):
        Golden(Path(__file__).parent, update=False)(ngx, f"golden/ngx/{mode}.rules", node=NODE, mode=mode)


NODE = {"name": "n1", "ips": ["192.168.10.1"], "interfaces": {"eth0": ["192.168.10.1/24"]}}
