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
    ``load_balancer_ip_mode``: load balancers' addresses of ipMode Proxy get no rules (KEP-1860, since 1.30).
    ``headless_label_hides_services``: the label service.kubernetes.io/headless keeps a Service, too, from
    kube-proxy, not only its slices. ``modes``: those whose rules are known for the version.
    """

    version: str
    node_hints: bool = True
    node_port_keywords: bool = True
    nft_localhost_rejects: bool = True
    load_balancer_ip_mode: bool = True
    headless_label_hides_services: bool = False
    modes: tuple[str, ...] = ("iptables", "ipvs", "nftables")


VERSIONS: dict[str, Features] = {
    "1.37": Features(version="1.37"),
    "1.25": Features(
        version="1.25",
        node_hints=False,
        node_port_keywords=False,
        nft_localhost_rejects=False,
        load_balancer_ip_mode=False,
        headless_label_hides_services=True,
        modes=("userspace",),
    ),
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


def check_mode(known: Features, mode: str) -> None:
    """Raise ValueError where the rules of a mode are not known for a version, saying which version has it."""
    if mode in known.modes:
        return
    having = sorted(each.version for each in VERSIONS.values() if mode in each.modes)
    gone = "it is gone since Kubernetes 1.26" if mode == "userspace" else "its rules are not known for it"
    raise ValueError(
        f"no {mode} mode in Kubernetes {known.version}: {gone}; use --kube-version {' or '.join(having)}"
    )
