"""Every single tampering with what iptables-save prints."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from rulegen.iptables.owned import SHARED_CHAINS


def mutants(
    lines: list[str], unordered: Collection[str] = SHARED_CHAINS
) -> Iterator[tuple[str, str, list[str]]]:
    """Every single tampering with a dump: what was done, the chain, the lines.

    In ``unordered`` chains order means nothing.
    """
    family = "IPv6" if any("::" in line for line in lines) else "IPv4"
    other = "2001:db8::7/128" if family == "IPv6" else "192.0.2.7/32"
    edits = (
        (r"(--dport \d+)", r"\g<1>1"),
        (r"(--to-destination \S+)", r"\g<1>9"),
        (r"-j \S+", "-j RETURN"),
        (r"-j KUBE-\S+", "-j DROP"),
        (r"--probability 0\.\d", "--probability 0.7"),
        (r"-[sd] \S+/\d+", f"-s {other}"),
        (r"--ctstate \S+", "--ctstate UNTRACKED"),
        (r"--seconds \d+", "--seconds 7"),
        (r"0x\d+/", "0x1/"),
        (r"-p (tcp|udp|sctp) (.*)-m \1", r"-p dccp \2-m dccp"),
        (r"--comment \"[^\"]*\"", '--comment "changed"'),
        (r" -m recent .* --rsource", ""),
        (r"--match-set KUBE-", "--match-set KUBE-X"),
        (r"--match-set (\S+) dst\b", r"--match-set \1 src"),
        (r" -m physdev ! --physdev-is-in", ""),
    )
    ends = {}
    for index, line in enumerate(lines):
        if line.startswith("-A "):
            chain = line.split(" ")[1]
            yield "dropped", chain, lines[:index] + lines[index + 1 :]
            yield "doubled", chain, lines[: index + 1] + lines[index:]
            for pattern, replacement in edits:
                changed = re.sub(pattern, replacement, line, count=1)
                if changed != line:
                    yield f"edited: {changed}", chain, [*lines[:index], changed, *lines[index + 1 :]]
            following = lines[index + 1]
            if chain.startswith("KUBE-") and chain not in unordered and following.startswith(f"-A {chain} "):
                yield "swapped", chain, [*lines[:index], following, line, *lines[index + 2 :]]
            ends[chain] = index
        elif line.startswith(":KUBE-"):
            ends.setdefault(line[1:].split(" ")[0], -1)
        elif line == "COMMIT":
            for chain, end in ends.items():
                if chain.startswith("KUBE-"):
                    at = end + 1 if end >= 0 else index
                    yield "added", chain, [*lines[:at], f"-A {chain} -s {other} -j ACCEPT", *lines[at:]]
            ends = {}
        elif line == "*nat":
            stale = "KUBE-SEP-AAAAAAAAAAAAAAAA"
            yield "stale", stale, [*lines[: index + 1], f":{stale} - [0:0]", *lines[index + 1 :]]
