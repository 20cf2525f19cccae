"""A table as ``nft list ruleset`` (1.0.6) prints it: the inverse of :func:`listing.read`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rulegen.model import Family
from rulegen.nftables.names import TABLE
from rulegen.nftables.rule import constant, write
from rulegen.nftables.statements import Expression, Statement, read, split_comment
from rulegen.nftables.table import Chain, Container, Table
from rulegen.plan.addresses import join_host_port

PROTOCOLS: Mapping[Family, str] = {"IPv4": "ip", "IPv6": "ip6"}
_WRAPPED = ",\n\t\t\t     "
_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
# nft(8): standard priorities that have a name in the families ip and ip6, and the hook that has it, if one.
_NAMED = (
    ("raw", -300, ""), ("mangle", -150, ""), ("dstnat", -100, "prerouting"), ("filter", 0, ""),
    ("security", 50, ""), ("srcnat", 100, "postrouting"),
)  # fmt: skip
_FARTHEST = 10  # from a standard priority, for nft to name that one


def ruleset(tables: Iterable[Table]) -> str:
    """What ``nft list ruleset`` prints where there are these tables and no others.

    Counters are zero, and the elements of sets that forget them are not there.
    """
    return "".join(map(table, tables))


def table(found: Table) -> str:
    """What ``nft list table`` prints."""
    return block(f"{PROTOCOLS[found.family]} {TABLE}", found)


def block(head: str, found: Table) -> str:
    """The same for a table of another name (``inet filter``)."""
    lines = [f"table {head} {{\n"]
    lines += [f"\t{line}\n" for line in found.other]
    if found.comment:
        lines.append(f'\tcomment "{found.comment}"\n')
    blocks = [f"\tcounter {name} {{\n\t\tpackets 0 bytes 0\n\t}}\n" for name in found.counters]
    blocks += [_container(name, container) for name, container in found.containers.items()]
    blocks += [_chain(name, chain, found.family) for name, chain in found.chains.items()]
    # nft leaves a line free after flags only.
    gap = "\n" if found.other and blocks else ""
    return "".join([*lines, gap, "\n".join(blocks), "}\n"])


def _container(name: str, found: Container) -> str:
    lines = [f"type {found.type}"]
    flags = [line.removeprefix("flags ") for line in found.other if line.startswith("flags ")]
    lines += [line for line in found.other if not line.startswith("flags ")]
    if found.dynamic:
        lines.append("size 65535")
        flags.append("dynamic")
    if found.timeout and flags:
        flags.append("timeout")
    if flags:
        lines.append(f"flags {','.join(flags)}")
    if found.timeout:
        lines.append(f"timeout {time(found.timeout)}")
    if found.comment:
        lines.append(f'comment "{found.comment}"')
    if found.elements:
        texts = [element.text for element in found.elements.values()]
        lines.append(f"elements = {{ {_wrapped(texts, found.type)} }}")
    return f"\t{found.kind} {name} {{\n" + "".join([f"\t\t{line}\n" for line in lines]) + "\t}\n"


def _wrapped(texts: list[str], type_: str) -> str:
    """nft puts short elements several in a line."""
    in_a_line = {"ipv4_addr": 2, "inet_service": 6, "inet_proto": 6}.get(type_, 1)
    lines = [", ".join(texts[at : at + in_a_line]) for at in range(0, len(texts), in_a_line)]
    return _WRAPPED.join(lines)


def _chain(name: str, found: Chain, family: Family) -> str:
    lines = []
    if found.comment:
        lines.append(f'comment "{found.comment}"')
    if found.hook:
        kind, hook, number = found.hook.split()
        lines.append(
            f"type {kind} hook {hook} priority {priority(int(number), hook)}; policy {found.policy};"
        )
    lines += [rule(text, PROTOCOLS[family]) for text in found.rules]
    return f"\tchain {name} {{\n" + "".join([f"\t\t{line}\n" for line in lines]) + "\t}\n"


def priority(number: int, hook: str) -> str:
    """A priority as nft prints it: by a name that is near, where the hook has one."""
    for name, base, only in _NAMED:
        offset = number - base
        if abs(offset) <= _FARTHEST and only in ("", hook):
            return name if not offset else f"{name} {'+' if offset > 0 else '-'} {abs(offset)}"
    return str(number)


def time(seconds: int) -> str:
    """``3h``, ``1m30s``."""
    text = ""
    for unit, length in _UNITS:
        count, seconds = divmod(seconds, length)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


# --- rules


def rule(text: str, family: str) -> str:
    """A rule in the words of ``nft list``; one that kube-proxy never writes is given back as it is.

    ``text`` is in normal form, ``family`` nft's.
    """
    try:
        statements = read(text, family)
        write(statements)  # what can be read is not always what kube-proxy can have written
    except ValueError:
        return text
    comment = split_comment(text)[1]
    said = " ".join(_words(statements))
    return f'{said} comment "{comment}"' if comment else said


def _words(statements: Iterable[Statement]) -> Iterator[str]:
    for statement in statements:
        match statement:
            case {"match": {"op": op, "left": left, "right": right}}:
                yield _match(op, left, right)
            case {"vmap": {"key": key, "data": data}}:
                yield f"{_expression(key)} vmap {_constants(data)}"
            case {"mangle": {"key": key, "value": value}}:
                yield f"{_expression(key)} set {_expression(value)}"
            case {"dnat": {"addr": str(address), "port": port}}:
                yield f"dnat to {join_host_port(address, port)}"
            case {"dnat": {"family": family, "addr": ends}}:
                yield f"dnat {family} to {_expression(ends)}"
            case {"set": {"op": operation, "elem": element, "set": container}}:
                yield f"{operation} {container} {{ {_expression(element)} }}"
            case {"counter": name}:
                yield f'counter name "{name}"'
            case {"masquerade": flags}:
                yield f"masquerade {flags['flags']}" if flags else "masquerade"
            case {"jump": {"target": target}} | {"goto": {"target": target}}:
                yield f"{next(iter(statement))} {target}"
            case _:
                yield next(iter(statement))  # a verdict, or reject


def _match(op: str, left: Expression, right: Expression) -> str:
    operator = "" if op == ("in" if "ct" in left else "==") else f" {op}"
    match left:
        case {"&": [{"meta": _} as mark, int(mask)]}:
            if mask == (1 << 32) - (mask & -mask):
                # nft takes a mask of the highest bits for that of a prefix.
                return f"{_expression(mark)}{operator} 0x{right:08x}/{mask.bit_count()}"
            return f"{_expression(left)}{operator} 0x{right:08x}"
        case {"meta": {"key": "iifname" | "oifname"}}:
            return f'{_expression(left)}{operator} "{right}"'
        case {"meta": {"key": "mark"}}:
            return f"{_expression(left)}{operator} 0x{right:08x}"
    return f"{_expression(left)}{operator} {_constants(right)}"


def _expression(expression: Expression) -> str:
    match expression:
        case {"payload": {"protocol": protocol, "field": field}}:
            return f"{protocol} {field}"
        case {"meta": {"key": "iifname" | "oifname" as key}}:
            return str(key)
        case {"meta": {"key": key}}:
            return f"meta {key}"
        case {"ct": {"key": key}}:
            return f"ct {key}"
        case {"fib": {"result": result, "flags": [flag]}}:
            return f"fib {flag} {result}"
        case {"numgen": {"mode": mode, "mod": modulus}}:
            return f"numgen {mode} mod {modulus}"
        case {"concat": parts}:
            return " . ".join(map(_expression, parts))
        case {"map": {"key": key, "data": data}}:
            return f"{_expression(key)} map {_constants(data)}"
    ((operator, (left, bits)),) = expression.items()
    return f"{_expression(left)} {operator} 0x{bits:08x}"


def _constants(right: Expression) -> str:
    match right:
        case {"set": elements}:
            return f"{{ {', '.join(map(_element, elements))} }}"
    return constant(right)


def _element(element: Expression) -> str:
    if isinstance(element, list):
        return " : ".join(map(constant, element))
    return constant(element)
