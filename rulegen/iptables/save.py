"""What a node says after a restore: the rules of a ruleset as iptables-save prints them.

The text is that of iptables 1.8 in a namespace where nothing else has been: what comments and counters say is
fixed. Comment lines (they carry the version and the time) are left out, counters are zero, policies are
ACCEPT. A table is printed with all its builtin chains, other chains follow by name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from rulegen.backend import Form
from rulegen.iptables.dump import BUILTIN, Chain, Dump, Table, Variant
from rulegen.iptables.normal import saved
from rulegen.iptables.ruleset import Compiled


def as_dump(ruleset: Compiled, *, with_jumps: bool = True) -> Dump:
    """The compiled rules as chains, in the form in which kube-proxy writes them.

    ``with_jumps`` adds what it ensures outside the restore text: the jumps, the last one at the top, and the
    chains that they lead to.
    """
    tables: dict[str, Table] = {
        table: {name: Chain(rules=rules) for name, rules in chains.items()}
        for table, chains in ruleset.tables().items()
    }
    if with_jumps:
        for jump in ruleset.jumps:
            table = tables.setdefault(jump.table, {})
            table.setdefault(jump.target, Chain())
            if jump.source not in table:
                table[jump.source] = Chain("ACCEPT")
            table[jump.source].rules.insert(0, jump.rule)
    return Dump(family=ruleset.family, tables=tables)


_NFT_ORDER = ("mangle", "security", "raw", "filter", "nat")
"""How iptables-nft-save 1.8 prints tables, in whatever order they were made."""


def as_saved(dump: Dump, variant: Variant) -> Dump:
    """The same state as iptables-save prints it, its tables having been made in the order of ``dump``.

    The two variants differ in the order of tables alone: the legacy kernel lists the newest first, the nft
    variant has a fixed order.
    """
    tables = list(dump.tables.items())
    if variant == "legacy":
        tables.reverse()
    else:
        tables.sort(key=lambda pair: _NFT_ORDER.index(pair[0]) if pair[0] in _NFT_ORDER else len(_NFT_ORDER))
    return Dump(
        family=dump.family,
        variant=variant,
        tables={table: _table(dump, table, chains) for table, chains in tables},
    )


def _table(dump: Dump, table: str, chains: Table) -> Table:
    family = dump.family
    builtin = BUILTIN.get(table, ())
    found: Table = {}
    for name in [*builtin, *sorted(chains.keys() - set(builtin))]:
        chain = chains.get(name)
        if chain is None:
            found[name] = Chain("ACCEPT")
        else:
            policy = chain.policy if name not in builtin or chain.policy != "-" else "ACCEPT"
            found[name] = Chain(
                policy, [saved(rule, family) for rule in chain.rules], chain.counters, chain.rule_counters
            )
    return found


def save(ruleset: Compiled, variant: Variant, *, with_jumps: bool = False) -> str:
    """What ``iptables-save`` prints after a restore of the text (``with_jumps``: of the one with jumps)."""
    return as_saved(as_dump(ruleset, with_jumps=with_jumps), variant).text


AsDump: TypeAlias = Callable[..., Dump]
"""A function of a ruleset, and the keyword ``with_jumps``."""


def save_forms(dump: AsDump = as_dump) -> tuple[Form, ...]:
    """``save`` for each variant, for a mode whose rulesets ``dump`` turns into a state.

    ``save`` is that of the nft variant, which all current distributions install as iptables.
    """

    def written(ruleset: Any, variant: Variant, *, with_jumps: bool) -> str:
        return as_saved(dump(ruleset, with_jumps=with_jumps), variant).text

    about: dict[str, Variant] = {"save": "nft", "save-nft": "nft", "save-legacy": "legacy"}
    forms = []
    for name, variant in about.items():
        for jumps, suffix in ((False, ""), (True, "-with-jumps")):
            forms.append(
                Form(
                    name=name + suffix,
                    help=f"what iptables-{variant}-save prints after a restore",
                    write=partial(written, variant=variant, with_jumps=jumps),
                )
            )
    return tuple(forms)


SAVE_FORMS = save_forms()
