"""The legacy tables as the kernel holds them, read by libiptc and written as iptables-save writes them.

A program of its own, run inside the namespace: ``python libiptc.py IPv4`` (or ``IPv6``). It needs
python-iptables (``rulegen[legacy]``), and nothing else of rulegen. It is a second reader: what an apply has
programmed is not only said by the tool that programmed it.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def lines(family: str, tables: list[str]) -> Iterator[str]:
    """All tables that are there, in the form of iptables-save, counters as zero."""
    import iptc

    kind = iptc.Table if family == "IPv4" else iptc.Table6
    for name in tables:
        table = kind(name)
        table.refresh()
        chains = table.chains
        yield f"*{name}\n"
        for chain in chains:
            policy = chain.get_policy() if table.builtin_chain(chain.name) else None
            yield f":{chain.name} {policy.name if policy else '-'} [0:0]\n"
        for chain in chains:
            for rule in chain.rules:
                yield f"-A {chain.name}{_rule(rule)}\n"
        yield "COMMIT\n"


def _rule(rule: Any) -> str:
    parts = []
    for option, value in (
        ("-s", _network(rule.src)),
        ("-d", _network(rule.dst)),
        ("-i", rule.in_interface),
        ("-o", rule.out_interface),
        ("-p", None if rule.protocol in ("ip", "ipv6") else rule.protocol),
    ):
        if value:
            negated = value.startswith("!")
            parts.append(f" {'! ' if negated else ''}{option} {value.removeprefix('!')}")
    parts += [f" -m {match.name}{_options(match, rule)}" for match in rule.matches]
    target = rule.target
    if target is not None and target.name:
        jump = "-g" if target.goto else "-j"
        parts.append(f" {jump} {target.name}{_options(target, rule)}")
    return "".join(parts)


def _options(extension: Any, rule: Any) -> str:
    """What the extension's own code in iptables prints of its options."""
    said = extension._get_saved_buf(rule.get_ip())
    return f" {said.decode('utf-8', 'surrogateescape').strip()}" if said and said.strip() else ""


def _network(text: str) -> str:
    """An address with its mask as iptables-save prints it; empty where any will do."""
    negated = "!" if text.startswith("!") else ""
    ip, _, mask = text.removeprefix("!").partition("/")
    bits = bin(int(ipaddress.ip_address(mask))).count("1") if "." in mask or ":" in mask else int(mask or 0)
    return f"{negated}{ip}/{bits}" if bits or negated else ""


def main(family: str) -> None:
    # Looking at a table would make it.
    there = "/proc/net/ip_tables_names" if family == "IPv4" else "/proc/net/ip6_tables_names"
    try:
        tables = Path(there).read_text(encoding="ascii").split()
    except FileNotFoundError:
        tables = []
    for line in lines(family, tables):
        sys.stdout.buffer.write(line.encode("utf-8", "surrogateescape"))


if __name__ == "__main__":
    main(sys.argv[1])
