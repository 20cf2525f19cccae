"""Which behaviour belongs to which Kubernetes version.

One table: code asks for a feature, never compares versions. Each feature says since when kube-proxy has it.
"""

from __future__ import annotations

import msgspec

DEFAULT_VERSION = "1.37"


class Features(msgspec.Struct, frozen=True, kw_only=True):
    """What the kube-proxy of one Kubernetes version does.

    ``node_hints``: hints for nodes are honoured (KEP-3015, PreferSameTrafficDistribution, on since 1.34).
    ``node_port_keywords``: nodePortAddresses knows ``localhost`` and ``all`` beside ``primary`` (1.37).
    ``nft_localhost_rejects``: the nftables mode can refuse node ports on localhost (1.37, a feature gate).
    """

    version: str
    node_hints: bool = True
    node_port_keywords: bool = True
    nft_localhost_rejects: bool = True


VERSIONS: dict[str, Features] = {
    "1.37": Features(version="1.37"),
}


def features(version: str = DEFAULT_VERSION) -> Features:
    """The features of a Kubernetes minor version (``1.37``, ``v1.37.2``).

    Raises ValueError for a version that no profile exists for, naming those that do.
    """
    parts = version.removeprefix("v").split(".")
    minor = ".".join(parts[:2])
    try:
        return VERSIONS[minor]
    except KeyError:
        known = ", ".join(sorted(VERSIONS))
        raise ValueError(f"no profile for Kubernetes {version!r}; known versions: {known}") from None
