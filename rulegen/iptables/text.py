"""Text of a compiled ruleset."""

from __future__ import annotations

from rulegen.iptables.base import chain_line
from rulegen.iptables.ruleset import Compiled, Ruleset


def restore(ruleset: Compiled) -> str:
    """What kube-proxy gives to ``iptables-restore --noflush --counters``, jumps left out."""
    return "".join(ruleset.parts())


def jumps(ruleset: Ruleset) -> list[str]:
    """What is ensured outside the restore, in order: ``TABLE -N CHAIN`` and ``TABLE -I CHAIN RULE``."""
    steps: list[str] = []
    for jump in ruleset.jumps:
        made = f"{jump.table} -N {jump.target}"
        if made not in steps:
            steps.append(made)
        steps.append(f"{jump.table} -I {jump.source} {jump.rule}")
    return steps


def restore_with_jumps(ruleset: Compiled) -> str:
    """One text that also inserts the jumps, each at the top of its chain as kube-proxy does.

    It is for a namespace without rules of kube-proxy: restored twice, the jumps are there twice.
    """
    text = restore(ruleset)
    sections = []
    for section in text.split("COMMIT\n")[:-1]:
        table = section[1 : section.index("\n")]
        mine = [jump for jump in ruleset.jumps if jump.table == table]
        missing = dict.fromkeys(jump.target for jump in mine if chain_line(jump.target) not in section)
        head, newline, rest = section.partition("\n")
        sections += [
            head + newline,
            *map(chain_line, missing),
            rest,
            *[f"-I {jump.source} {jump.rule}\n" for jump in mine],
            "COMMIT\n",
        ]
    return "".join(sections)
