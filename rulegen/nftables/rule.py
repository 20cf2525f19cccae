"""Rules as text, written from their statements, and the one form in which equal rules are equal.

The form is kube-proxy's own: what ``nft list`` prints differs from it in words, and nft joins addresses in
anonymous sets that touch each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address, ip_network, summarize_address_range

from rulegen.nftables.statements import Expression, Statement, read, split_comment
from rulegen.plan.addresses import Address, join_host_port, parse

_BITS = {"&": "and", "|": "or", "^": "xor"}


@lru_cache(maxsize=65536)
def normal(rule: str, family: str) -> str:
    """The form in which rules are compared; one that kube-proxy never writes is given back as it is.

    ``family`` is nft's, ``ip`` or ``ip6``. Cached: dumps repeat their rules.
    """
    try:
        return compose(read(rule, family), split_comment(rule)[1])
    except ValueError:
        return rule


def compose(statements: Iterable[Statement], comment: str = "") -> str:
    """The normal form of a rule from its statements. Raises ValueError as :func:`write` does."""
    text = write(map(canonical, statements))
    return f'{text} comment "{comment}"' if comment else text


def write(statements: Iterable[Statement]) -> str:
    """A rule without its comment, as kube-proxy writes it: the inverse of :func:`statements.read`.

    Raises ValueError for what kube-proxy never writes.
    """
    return " ".join(map(_statement, statements))


def canonical(statement: Statement) -> Statement:
    """The statement as nft lists it: addresses sorted and joined where they touch each other.

    nft lists a mask of the highest bits of the mark as a prefix (``meta mark != 0x00000000/1``); that is
    undone.
    """
    match statement:
        case {
            "match": {"op": op, "left": {"meta": _} as left, "right": {"prefix": {"addr": a, "len": bits}}}
        }:
            mask = (1 << bits) - 1 << 32 - bits
            number = a if isinstance(a, int) else int(a, 0)
            return {"match": {"op": op, "left": {"&": [left, mask]}, "right": number}}
        case {"match": {"op": op, "left": {"payload": _} as left, "right": right}}:
            return {"match": {"op": op, "left": left, "right": _joined(right)}}
    return statement


def _joined(right: Expression) -> Expression:
    constants = right["set"] if isinstance(right, dict) and "set" in right else [right]
    if not all(map(_is_address, constants)):
        return right
    kept: list[tuple[Address, Address]] = []
    for first, last in sorted(map(_range, constants)):
        if kept and int(first) <= int(kept[-1][1]) + 1:
            kept[-1] = kept[-1][0], max(kept[-1][1], last)
        else:
            kept.append((first, last))
    found = [_constant(*span) for span in kept]
    return found[0] if len(found) == 1 else {"set": found}


def _is_address(constant: Expression) -> bool:
    match constant:
        case {"prefix": _} | {"range": _}:
            return True
        case str():
            return parse(constant) is not None
    return False


def _range(constant: Expression) -> tuple[Address, Address]:
    """First and last address."""
    match constant:
        case {"prefix": {"addr": address, "len": length}}:
            net = ip_network(f"{address}/{length}", strict=False)
            return net.network_address, net.broadcast_address
        case {"range": [first, last]}:
            return ip_address(first), ip_address(last)
    return ip_address(constant), ip_address(constant)


def _constant(first: Address, last: Address) -> Expression:
    if first == last:
        return str(first)
    net, *more = summarize_address_range(first, last)
    if not more:
        return {"prefix": {"addr": str(first), "len": int(str(net).partition("/")[2])}}
    return {"range": [str(first), str(last)]}


def _statement(statement: Statement) -> str:
    match statement:
        case {"match": {"op": op, "left": left, "right": right}}:
            # Flags are looked for in a set of them unless it is said otherwise.
            operator = "" if op == ("in" if "ct" in left else "==") else f" {op}"
            return f"{_expression(left)}{operator} {_constants(right)}"
        case {"vmap": {"key": key, "data": data}}:
            return f"{_expression(key)} vmap {_constants(data)}"
        case {"mangle": {"key": key, "value": value}}:
            return f"{_expression(key)} set {_expression(value)}"
        case {"dnat": {"addr": str(address), "port": port}}:
            return f"dnat to {join_host_port(address, port)}"
        case {"dnat": {"family": family, "addr": {"map": _} as ends}}:
            return f"dnat {family} addr . port to {_expression(ends)}"
        case {"set": {"op": operation, "elem": element, "set": container}}:
            return f"{operation} {container} {{ {_expression(element)} }}"
        case {"counter": str(name)}:
            return f'counter name "{name}"'
        case {"reject": {"type": "icmp" | "icmpv6", "expr": "port-unreachable"} | None}:
            return "reject"
        case {"masquerade": {"flags": "fully-random" | ["fully-random"]}}:
            return "masquerade fully-random"
        case {"masquerade": None}:
            return "masquerade"
        case {"jump": {"target": target}}:
            return f"jump {target}"
        case {"goto": {"target": target}}:
            return f"goto {target}"
        case {"drop": None} | {"accept": None} | {"return": None} | {"continue": None}:
            return next(iter(statement))
    raise ValueError(f"kube-proxy never writes {statement}")


def _expression(expression: Expression) -> str:
    match expression:
        case {"payload": {"protocol": protocol, "field": field}}:
            return f"{protocol} {field}"
        case {"meta": {"key": "mark" | "iifname" | "oifname" as key}}:
            return str(key)
        case {"meta": {"key": key}}:
            return f"meta {key}"
        case {"ct": {"key": key}}:
            return f"ct {key}"
        case {"fib": {"result": result, "flags": [flag]}}:
            return f"fib {flag} {result}"
        case {"numgen": {"mode": mode, "mod": modulus, "offset": 0}}:
            return f"numgen {mode} mod {modulus}"
        case {"concat": parts}:
            return " . ".join(map(_expression, parts))
        case {"map": {"key": key, "data": data}}:
            return f"{_expression(key)} map {_constants(data)}"
        case {"&": [left, int(bits)]} | {"|": [left, int(bits)]} | {"^": [left, int(bits)]}:
            return f"{_expression(left)} {_BITS[next(iter(expression))]} 0x{bits:08x}"
    raise ValueError(f"kube-proxy never writes {expression}")


def _constants(right: Expression) -> str:
    match right:
        case {"set": elements}:
            return f"{{ {' , '.join(map(_element, elements))} }}"
    return constant(right)


def _element(element: Expression) -> str:
    if isinstance(element, list):
        return " : ".join(map(constant, element))
    return constant(element)


def constant(found: Expression) -> str:
    """A constant as nft takes it: the inverse of :func:`statements.value`, ``statements.key`` and
    ``statements.verdict``."""
    match found:
        case {"prefix": {"addr": address, "len": length}}:
            return f"{address}/{length}"
        case {"range": [first, last]}:
            return f"{first}-{last}"
        case {"concat": parts}:
            return " . ".join(map(constant, parts))
        case {"goto": {"target": target}}:
            return f"goto {target}"
        case {"jump": {"target": target}}:
            return f"jump {target}"
        case {"drop": None} | {"accept": None} | {"return": None} | {"continue": None}:
            return str(next(iter(found)))
        case str() | int():
            return str(found)
    raise ValueError(f"kube-proxy never writes {found}")
