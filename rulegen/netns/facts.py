"""What a namespace says about the node that it is part of."""

from __future__ import annotations

import msgspec

from rulegen.iptables.dump import Variant
from rulegen.model import FAMILIES
from rulegen.netns.parts import UNSUPPORTED, Counters
from rulegen.netns.rules import Rules
from rulegen.netns.space import CommandError, MissingToolError, Space

_LIBERAL = "/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal"
_NO_IPV6 = "/proc/sys/net/ipv6/conf/all/disable_ipv6"
_KUBELETS = ("KUBE-IPTABLES-HINT", "KUBE-KUBELET-CANARY")


class Says(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of the namespace, found as kube-proxy finds them.

    ``addresses`` is what ``ip -j addr`` prints. ``nfacct``: counters can be made. ``liberal``: the sysctl
    nf_conntrack_tcp_be_liberal is set (where conntrack is not loaded it is not). ``ipv6``: IPv6 is there and
    on (cmd/kube-proxy/app/server_linux.go, ``platformCheckSupported``, 1.37).
    """

    addresses: str
    nfacct: bool
    liberal: bool
    ipv6: bool


def says(space: Space) -> Says:
    """Ask the namespace. Raises CommandError."""
    return Says(
        addresses=space.run("ip", "-j", "addr"),
        nfacct=_counts(space),
        liberal=_content(space, _LIBERAL) not in (None, "0"),
        ipv6=_content(space, "/proc/net/if_inet6") is not None and _content(space, _NO_IPV6) != "1",
    )


def _counts(space: Space) -> bool:
    """Whether nfacct counters can be made; what is no clear "no" is an error."""
    try:
        Counters().read(space)
    except MissingToolError:
        return False
    except CommandError as error:
        if any(text in error.reason for text in UNSUPPORTED):
            return False
        raise
    return True


def _content(space: Space, path: str) -> str | None:
    """What a file of the kernel's says; None where it is not there."""
    try:
        return space.run("cat", path).strip()
    except CommandError as error:
        if "No such file" in error.reason:
            return None
        raise


def variant_of(space: Space, known: dict[str, str]) -> Variant:
    """The variant of iptables that the namespace uses.

    As in the wrappers that Kubernetes' images have, kubelet's chains decide, else who has more rules, else
    what ``iptables`` is. What had to be read for that is added to ``known``, by part. Raises CommandError
    where there is no iptables.
    """
    variants: tuple[Variant, ...] = ("nft", "legacy")
    found: dict[Variant, str] = {}
    for variant in variants:
        try:
            texts = {part.name: part.read(space) for part in (Rules(f, variant) for f in FAMILIES)}
        except MissingToolError:
            continue
        known.update(texts)
        found[variant] = "".join(texts.values())
    if len(found) == 1:
        return next(iter(found))
    for variant, text in found.items():
        if any(f"\n:{chain} " in text for chain in _KUBELETS):
            return variant
    rules = {variant: text.count("\n-A ") for variant, text in found.items()}
    if found and rules["nft"] != rules["legacy"]:
        return max(variants, key=lambda variant: rules[variant])
    return "nft" if "nf_tables" in space.run("iptables", "--version") else "legacy"
