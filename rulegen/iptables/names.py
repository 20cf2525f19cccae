"""Names of chains: a prefix and 16 characters of a hash, as kube-proxy computes them.

A chain of a service port is named by SHA-256 of ``namespace/service:port`` and the protocol in lower case, a
chain of an endpoint by these and ``ip:port``; base32 of the first 10 bytes makes the 16 characters
(pkg/proxy/iptables/proxier.go, ``portProtoHash``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import chain, islice

CLUSTER = "KUBE-SVC-"
LOCAL = "KUBE-SVL-"
FIREWALL = "KUBE-FW-"
EXTERNAL = "KUBE-EXT-"
ENDPOINT = "KUBE-SEP-"

PREFIXES = (CLUSTER, LOCAL, FIREWALL, EXTERNAL, ENDPOINT)

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" + bytes(224)


def hashes(texts: Iterable[str]) -> list[str]:
    """The 16 characters for each text."""
    return list(hashed(texts))


def hashed(texts: Iterable[str]) -> Iterator[str]:
    """The same one by one; the texts are taken, hashed and encoded many at a time.

    Encoding base32 one name at a time takes longer than hashing it. Here the first 80 bits of the digests
    are spread into bytes of five bits by three shifts of one large integer, then mapped to letters.
    """
    return chain.from_iterable(_batches(iter(texts)))


def _batches(texts: Iterator[str]) -> Iterator[list[str]]:
    while digests := b"".join([sha256(text.encode()).digest() for text in islice(texts, _BATCH)]):
        letters = _base32(digests)
        yield [letters[start : start + 16] for start in range(0, len(letters), 16)]


_BATCH = 1408
"""Names at a time, of 128 Services with ten endpoints: more leave the cache before they are used."""


def _base32(digests: bytes) -> str:
    lanes = len(digests) // 16  # two lanes of 40 bits in 64 for each digest
    spread = bytearray(8 * lanes)
    for k in range(5):
        spread[3 + k :: 16] = digests[k::32]
        spread[11 + k :: 16] = digests[5 + k :: 32]
    bits = int.from_bytes(spread, "big")
    for low, high, shift in _STEPS:
        bits = (bits & low) | ((bits & high) << shift)
    return bits.to_bytes(8 * lanes, "big").translate(_ALPHABET).decode("ascii")


def _repeated(mask: int) -> int:
    """The mask in as many lanes as there ever are: those that are not there take nothing."""
    return int.from_bytes(mask.to_bytes(8, "big") * (2 * _BATCH), "big")


_STEPS = tuple(
    (_repeated(low), _repeated(high), shift)
    for low, high, shift in (
        (0x00000000_000FFFFF, 0x000000FF_FFF00000, 12),
        (0x000003FF_000003FF, 0x000FFC00_000FFC00, 6),
        (0x001F001F_001F001F, 0x03E003E0_03E003E0, 3),
    )
)
"""The bits of all lanes that stay in each step, those that move, and how far."""
