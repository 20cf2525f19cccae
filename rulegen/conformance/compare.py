"""Whether two outputs of a proxy mode are equal, and where they first differ.

"Equal" is defined in ``fixtures/conformance/README.md`` under "What equal means": kube-proxy walks hash
maps, so the order of Services in chains that they share is not defined, while everything inside a Service's
own chain is. Text of rules is compared byte for byte; nothing is trimmed, masked or rewritten.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Expected = Mapping[str, Mapping[str, Any]]
"""Family (``IPv4``, ``IPv6``) to what the proxier of that family programmed."""

SHARED_CHAINS = frozenset(
    {
        "KUBE-SERVICES",
        "KUBE-NODEPORTS",
        "KUBE-EXTERNAL-SERVICES",
        "KUBE-PROXY-FIREWALL",
        "KUBE-IPVS-OUT-FILTER",
    }
)
LAST_RULE_NOTE = "NOTE: this must be the last rule in this chain"

_FIELDS = {
    "iptables": ("restore", "jumps"),
    "ipvs": ("restore", "jumps", "virtual", "ipsets", "setTypes", "dummy"),
    "nftables": ("nft",),
    "userspace": ("jumps",),
}

_LISTING = ":"  # a key no chain or nft object kind can have


def difference(mode: str, expected: Expected, got: Expected) -> str | None:
    """The first difference between two outputs in recorded form, or None where they are equal.

    ``mode`` is ``iptables``, ``ipvs``, ``nftables`` or ``userspace``; ValueError for any other. Empty lists
    may be left out on either side. The returned line names the family, the place, and both texts.
    """
    fields = _FIELDS.get(mode)
    if fields is None:
        raise ValueError(f"mode {mode!r}: not one of {', '.join(_FIELDS)}")
    if sorted(expected) != sorted(got):
        return f"families: expected {sorted(expected)}, got {sorted(got)}"
    for family in sorted(expected):
        found = _difference_of_family(fields, expected[family], got[family])
        if found is not None:
            return f"{family}: {found}"
    return None


def _difference_of_family(
    fields: Sequence[str], expected: Mapping[str, Any], got: Mapping[str, Any]
) -> str | None:
    unknown = sorted((expected.keys() | got.keys()) - set(fields))
    if unknown:
        return f"unknown field {unknown[0]}"
    for field in fields:
        if field == "restore":
            found = _difference_of_restore(expected.get(field) or "", got.get(field) or "")
        elif field == "nft":
            found = _difference_of_nft(expected.get(field) or "", got.get(field) or "")
        elif field == "ipsets":
            found = _difference_of_ipsets(expected.get(field) or {}, got.get(field) or {})
        elif field == "setTypes":
            found = _difference_of_set_types(expected.get(field) or {}, got.get(field) or {})
        elif field == "jumps":
            jumps = sorted(set(expected.get(field) or ())), sorted(set(got.get(field) or ()))
            found = _difference_of_multisets("jumps", *jumps)
        else:
            found = _difference_of_multisets(field, expected.get(field) or (), got.get(field) or ())
        if found is not None:
            return found
    return None


# --- iptables-restore text


def _difference_of_restore(expected: str, got: str) -> str | None:
    try:
        ours = _tables(got)
    except ValueError as fault:
        return f"restore: got text that is no restore text: {fault}"
    theirs = _tables(expected)
    found = _difference_of_multisets("tables", list(theirs), list(ours))
    if found is not None:
        return found
    for table, chains in theirs.items():
        place = f"table {table}"
        found = _difference_of_multisets(f"{place}: lines", chains[_LISTING], ours[table][_LISTING])
        if found is None:
            found = _difference_of_multisets(f"{place}: chains", list(chains), list(ours[table]))
        if found is not None:
            return found
        for chain, rules in chains.items():
            if chain == _LISTING:
                continue
            found = _difference_of_chain(f"{place}: chain {chain}", chain, rules, ours[table][chain])
            if found is not None:
                return found
    return None


def _difference_of_chain(place: str, chain: str, expected: list[str], got: list[str]) -> str | None:
    if chain not in SHARED_CHAINS:
        return _difference_of_lists(place, expected, got)
    found = _difference_of_multisets(place, expected, got)
    if found is not None:
        return found
    # One jump per node port address: upstream's order among them is that of a hash map.
    last = [rule for rule in expected if LAST_RULE_NOTE in rule]
    if last and not all(LAST_RULE_NOTE in rule for rule in got[-len(last) :]):
        return f"{place}: the last {len(last)} must be {last[0]!r} and its like, got {got[-1]!r}"
    return None


def _tables(text: str) -> dict[str, dict[str, list[str]]]:
    """Table -> chain -> rules in order; under ``_LISTING`` the table's chain declarations and deletions.

    A table may be opened more than once (each up to its COMMIT), as iptables-restore allows.
    """
    if text and not text.endswith("\n"):
        raise ValueError("the last line has no newline")
    tables: dict[str, dict[str, list[str]]] = {}
    chains: dict[str, list[str]] | None = None
    for number, line in enumerate(text.split("\n")[:-1], 1):
        if line.startswith("*"):
            if chains is not None:
                raise ValueError(f"line {number}: a table before COMMIT: {line!r}")
            chains = tables.setdefault(line[1:], {_LISTING: []})
        elif chains is None:
            raise ValueError(f"line {number}: outside any table: {line!r}")
        elif line == "COMMIT":
            chains = None
        elif line.startswith("-A "):
            chains.setdefault(line.split(" ", 2)[1], []).append(line)
        elif line.startswith((":", "-X ")):
            chains[_LISTING].append(line)
        else:
            raise ValueError(f"line {number}: {line!r}")
    if chains is not None:
        raise ValueError("no COMMIT at the end")
    return tables


# --- nft text


def _difference_of_nft(expected: str, got: str) -> str | None:
    try:
        our_rules, our_objects = _nft_objects(got)
    except ValueError as fault:
        return f"nft: got text that is no table: {fault}"
    rules, objects = _nft_objects(expected)
    found = _difference_of_multisets("nft objects", objects, our_objects)
    if found is None:
        found = _difference_of_multisets("chains with rules", list(rules), list(our_rules))
    if found is not None:
        return found
    for chain, lines in rules.items():
        found = _difference_of_lists(f"chain {chain}", lines, our_rules[chain])
        if found is not None:
            return found
    return None


def _nft_objects(text: str) -> tuple[dict[str, list[str]], list[str]]:
    """Chain (``FAMILY TABLE CHAIN``) -> its rules in order, and the lines of all other objects."""
    if text and not text.endswith("\n"):
        raise ValueError("the last line has no newline")
    rules: dict[str, list[str]] = {}
    objects: list[str] = []
    for number, line in enumerate(text.split("\n")[:-1], 1):
        if line.startswith("add rule "):
            words = line.split(" ", 5)
            if len(words) < 6:
                raise ValueError(f"line {number}: {line!r}")
            rules.setdefault(" ".join(words[2:5]), []).append(line)
        elif line.startswith("add "):
            objects.append(line)
        else:
            raise ValueError(f"line {number}: {line!r}")
    return rules, objects


# --- ipset


def _difference_of_ipsets(
    expected: Mapping[str, Sequence[str]], got: Mapping[str, Sequence[str]]
) -> str | None:
    for name in sorted(expected.keys() | got.keys()):
        found = _difference_of_multisets(f"ipset {name}", expected.get(name) or (), got.get(name) or ())
        if found is not None:
            return found
    return None


def _difference_of_set_types(expected: Mapping[str, str], got: Mapping[str, str]) -> str | None:
    found = _difference_of_multisets("ipsets", list(expected), list(got))
    if found is not None:
        return found
    for name in sorted(expected):
        if expected[name] != got[name]:
            return f"ipset {name}: expected type {expected[name]!r}, got {got[name]!r}"
    return None


# --- lists


def _difference_of_lists(place: str, expected: Sequence[str], got: Sequence[str]) -> str | None:
    for number, (theirs, ours) in enumerate(zip(expected, got, strict=False), 1):
        if theirs != ours:
            return f"{place}: rule {number}: expected {theirs!r}, got {ours!r}"
    if len(expected) > len(got):
        return f"{place}: missing rule {len(got) + 1}: {expected[len(got)]!r}"
    if len(got) > len(expected):
        return f"{place}: rule {len(expected) + 1} too many: {got[len(expected)]!r}"
    return None


def _difference_of_multisets(place: str, expected: Sequence[str], got: Sequence[str]) -> str | None:
    theirs, ours = sorted(expected), sorted(got)
    if theirs == ours:
        return None
    remaining = list(ours)
    missing = []
    for line in theirs:
        if line in remaining:
            remaining.remove(line)
        else:
            missing.append(line)
    if missing and remaining:
        return f"{place}: expected {missing[0]!r}, got {remaining[0]!r}"
    if missing:
        return f"{place}: missing {missing[0]!r}"
    return f"{place}: too many: {remaining[0]!r}"
