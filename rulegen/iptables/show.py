"""The rules of one Service, in the order in which a packet meets them, with what each does.

Everything here is read from the text of the compiled rules: notes and trees say nothing that a rule does not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from rulegen.backend import Branch, ShownRule
from rulegen.iptables.base import JUMPS
from rulegen.iptables.names import CLUSTER, ENDPOINT, EXTERNAL, FIREWALL, LOCAL, PREFIXES
from rulegen.iptables.rule import read as read_parts
from rulegen.iptables.ruleset import Ruleset
from rulegen.model import Family
from rulegen.plan import ServicePort

# A packet meets nat before filter: destinations are rewritten on the way in, filter sees the new ones.
# In the filter table the jump that was made last stands first.
_SHARED = {
    "nat": ("KUBE-SERVICES", "KUBE-NODEPORTS"),
    "filter": ("KUBE-PROXY-FIREWALL", "KUBE-NODEPORTS", "KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES"),
}
_ANY = "any local address"
_KINDS = (FIREWALL, EXTERNAL, CLUSTER, LOCAL, ENDPOINT)


class Rule(msgspec.Struct, frozen=True):
    """A rule as people read it: option -> value for all matches (``! -s`` where negated), and the target."""

    matches: Mapping[str, str]
    target: str
    told: Mapping[str, str]


def read(text: str, family: Family) -> Rule:
    """Read a rule (without ``-A CHAIN``); addresses lose the length that says nothing."""
    found = read_parts(text, family)
    given = [*found.fields.values(), *[option for part in found.matches for option in part.options]]
    matches = {("! " if option.negated else "") + option.name: _plain(option.value) for option in given}
    if found.comment:
        matches["--comment"] = found.comment
    if found.target is None:
        return Rule(matches, "", {})
    return Rule(matches, found.target.name, {option.name: option.value for option in found.target.options})


def _plain(value: str) -> str:
    return value.removesuffix("/128") if ":" in value else value.removesuffix("/32")


def rules(ruleset: Ruleset, ports: Collection[ServicePort]) -> list[ShownRule]:
    """All rules of these service ports: shared chains first, then their own, nat before filter."""
    numbers = _numbers(ruleset)
    node = _node_port_addresses(ruleset)
    shown: list[ShownRule] = []
    for port in ports:
        fragment = ruleset.fragments.get(port.key)
        if fragment is None:
            continue
        for table, shared, own in (
            ("nat", fragment.nat_shared, fragment.nat_rules),
            ("filter", fragment.filter_rules, ""),
        ):
            by_chain: dict[str, list[str]] = {}
            for line in (shared + own).splitlines():
                chain, _, rule = line[3:].partition(" ")
                by_chain.setdefault(chain, []).append(rule)
            for chain in _in_order(table, by_chain):
                for number, rule in enumerate(by_chain[chain], 1):
                    if chain in _SHARED[table]:
                        number = numbers[table, chain, rule]
                    shown.append(
                        ShownRule(
                            table=table,
                            chain=chain,
                            number=number,
                            rule=rule,
                            note=_note(table, chain, read(rule, ruleset.family), node),
                            line=f"-A {chain} {rule}",
                        )
                    )
    return shown


def _numbers(ruleset: Ruleset) -> dict[tuple[str, str, str], int]:
    """The place of every rule of a shared chain."""
    numbers: dict[tuple[str, str, str], int] = {}
    counts: dict[tuple[str, str], int] = {}
    base = ruleset.base
    for table, head, tail in (
        ("filter", base.filter_head, base.filter_tail),
        ("nat", base.nat_head, base.nat_tail),
    ):
        fragments = ruleset.fragments.values()
        owned = [f.nat_shared if table == "nat" else f.filter_rules for f in fragments]
        texts = [head, *owned, tail]
        for line in "".join(texts).splitlines():
            chain, _, rule = line[3:].partition(" ")
            counts[table, chain] = counts.get((table, chain), 0) + 1
            numbers[table, chain, rule] = counts[table, chain]
    return numbers


def _in_order(table: str, chains: Collection[str]) -> list[str]:
    def place(chain: str) -> int:
        if chain in _SHARED[table]:
            return _SHARED[table].index(chain)
        return next(10 + i for i, prefix in enumerate(_KINDS) if chain.startswith(prefix))

    return sorted(chains, key=place)


def _node_port_addresses(ruleset: Ruleset) -> str:
    """The addresses whose packets come to KUBE-NODEPORTS, in words; empty where none do."""
    found: list[str] = []
    for line in ruleset.base.nat_tail.splitlines():
        _, _, text = line[3:].partition(" ")
        matches = read(text, ruleset.family).matches
        if "--dst-type" in matches:
            found.append(_ANY + (f" outside {matches['! -d']}" if "! -d" in matches else ""))
        else:
            found.append(matches["-d"])
    shown = ", ".join(found[:3])
    return f"{shown} and {len(found) - 3} more" if len(found) > 3 else shown


def _note(table: str, chain: str, rule: Rule, node: str) -> str:
    """What a rule of a service chain does, in a few words; ``node``: what comes to KUBE-NODEPORTS."""
    who = _who(rule)
    if (table, chain) == ("nat", "KUBE-NODEPORTS") and "-d" not in rule.matches:
        port = who.removeprefix("port ")
        if " " in node or not node:
            who = f"{node or 'no address leads here,'} :{port}"
        else:
            who = f"[{node}]:{port}" if ":" in node else f"{node}:{port}"
    done = _done(chain, rule)
    if rule.target in ("DROP", "REJECT"):
        return f"{who}: {done}"
    if rule.target == "KUBE-MARK-MASQ" and not chain.startswith(ENDPOINT):
        return f"{who or 'everything'}: {done}"
    if rule.target.startswith(PREFIXES) and not rule.target.startswith(ENDPOINT):
        return f"{who or 'what comes this far'}: {done}"
    return done


def _done(chain: str, rule: Rule) -> str:
    """What is done to the packets that a rule matches."""
    target = rule.target
    if target == "KUBE-MARK-MASQ":
        if chain.startswith(ENDPOINT):
            return "the endpoint reaches itself through the Service: masquerade, or it would answer itself"
        return "masquerade"
    if target == "DNAT":
        kept = ", and remember the client" if "--set" in rule.matches else ""
        return f"send to {rule.told['--to-destination']}{kept}"
    if target == "REJECT":
        return f"refuse, {_reason(rule)}"
    if target == "DROP":
        if chain == "KUBE-PROXY-FIREWALL":
            return "drop what no source range let through"
        return f"drop, {_reason(rule)}"
    if target == "ACCEPT":
        return "let health checks of the load balancer in"
    if "--rcheck" in rule.matches:
        return f"a client seen here in the last {rule.matches['--seconds']} s stays at this endpoint"
    if "--probability" in rule.matches:
        return f"{_percent(float(rule.matches['--probability']), 4)} of what comes this far"
    if target.startswith(ENDPOINT):
        return "all that is left"
    if not target:
        return "the rest falls through, to be dropped in KUBE-PROXY-FIREWALL"
    return f"go to {target}"


def _percent(share: float, digits: int) -> str:
    """A share with up to so many digits after the point."""
    text = f"{share:.{digits}%}"
    return f"{text[:-1].rstrip('0').rstrip('.')}%" if digits else text


def _reason(rule: Rule) -> str:
    comment = rule.matches.get("--comment", "")
    return comment.partition(" has ")[2] or comment


def _who(rule: Rule) -> str:
    """Which traffic a rule of a Service matches, in words."""
    matches = rule.matches
    source = ""
    if "! -s" in matches:
        source = f"source outside {matches['! -s']}"
    elif "! -i" in matches:
        source = f"not from {matches['! -i']}"
    elif "-s" in matches:
        source = f"source {matches['-s']}"
    elif "-i" in matches:
        source = f"from {matches['-i']}"
    elif matches.get("--src-type") == "LOCAL":
        source = "from the node itself"
    if source:
        return source
    if "--dport" not in matches:
        return ""
    port = f"{matches['--dport']}/{matches.get('-p', '')}"
    if "-d" in matches:
        ip = matches["-d"]
        return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
    return f"{_ANY} :{port}" if matches.get("--dst-type") == "LOCAL" else f"port {port}"


def endpoint_chains(ruleset: Ruleset, port: ServicePort) -> Mapping[str, str]:
    """Endpoint address -> its chain, for the endpoints that have one."""
    fragment = ruleset.fragments.get(port.key)
    found: dict[str, str] = {}
    for line in fragment.nat_rules.splitlines() if fragment else ():
        before, separator, address = line.partition(" --to-destination ")
        if separator:
            found[address] = before.split(" ", 2)[1]
    return found


def tree(ruleset: Ruleset, ports: Sequence[ServicePort]) -> list[Branch]:
    """For each hook, the ways from the shared chains to the endpoints of these ports."""
    nat: list[Branch] = []
    node_ports: list[Branch] = []
    filtered: dict[str, list[Branch]] = {}
    for port in ports:
        fragment = ruleset.fragments.get(port.key)
        if fragment is None:
            continue
        own: dict[str, list[Rule]] = {}
        for line in fragment.nat_rules.splitlines():
            chain, _, text = line[3:].partition(" ")
            own.setdefault(chain, []).append(read(text, ruleset.family))
        drawn: set[str] = set()
        for line in fragment.nat_shared.splitlines():
            chain, _, text = line[3:].partition(" ")
            rule = read(text, ruleset.family)
            branch = Branch(
                label=_who(rule),
                note=_destination_kind(chain, rule),
                children=(_chain_branch(rule.target, own, drawn),),
            )
            (node_ports if chain == "KUBE-NODEPORTS" else nat).append(branch)
        for line in fragment.filter_rules.splitlines():
            chain, _, text = line[3:].partition(" ")
            rule = read(text, ruleset.family)
            filtered.setdefault(chain, []).append(Branch(label=_who(rule), note=_done(chain, rule)))
    branches: list[Branch] = []
    if node_ports:
        node = _node_port_addresses(ruleset) or "no address leads here"
        nat.append(Branch(label="KUBE-NODEPORTS", note=node, children=tuple(node_ports)))
    if nat:
        services = Branch(label="KUBE-SERVICES", children=tuple(nat))
        branches.append(Branch(label="nat PREROUTING, OUTPUT", children=(services,)))
    for chain in _in_order("filter", filtered):
        hooks = [jump.source for jump in JUMPS if (jump.table, jump.target) == ("filter", chain)]
        inner = Branch(label=chain, children=tuple(filtered[chain]))
        branches.append(Branch(label=f"filter {', '.join(hooks)}", children=(inner,)))
    return branches


def _destination_kind(chain: str, rule: Rule) -> str:
    if chain == "KUBE-NODEPORTS":
        return "node port"
    comment = rule.matches.get("--comment", "")
    return comment.partition(" ")[2]


def _chain_branch(chain: str, own: Mapping[str, list[Rule]], drawn: set[str]) -> Branch:
    """A chain with its ways on; a chain that was drawn before is only named."""
    if chain in drawn:
        return Branch(label=chain, note="as above")
    drawn.add(chain)
    children: list[Branch] = []
    rules = own.get(chain, [])
    left = 1.0
    for rule in rules:
        target = rule.target
        if target.startswith(ENDPOINT) and "--rcheck" in rule.matches:
            continue
        if target.startswith(ENDPOINT):
            share = left * float(rule.matches.get("--probability", "1"))
            left -= share
            children.append(_endpoint_branch(target, own, _share(share)))
        elif target == "KUBE-MARK-MASQ":
            children.append(Branch(label=f"{_who(rule) or 'everything'}: masquerade"))
        elif target.startswith(PREFIXES):
            follow = _chain_branch(target, own, drawn)
            where = _who(rule)
            label = f"{where}: {follow.label}" if where else follow.label
            children.append(Branch(label=label, note=follow.note, children=follow.children))
        elif not target:
            children.append(Branch(label="everything else", note="dropped in KUBE-PROXY-FIREWALL"))
    sticky = next((rule.matches["--seconds"] for rule in rules if "--rcheck" in rule.matches), None)
    hint = f"a client stays at its endpoint for {sticky} s" if sticky else ""
    return Branch(label=chain, note=hint, children=tuple(children))


def _share(share: float) -> str:
    return "all" if share >= 1 else _percent(share, 0 if share >= 0.0995 else 1 if share >= 0.00995 else 2)


def _endpoint_branch(chain: str, own: Mapping[str, list[Rule]], share: str) -> Branch:
    address = next(rule.told["--to-destination"] for rule in own[chain] if rule.target == "DNAT")
    return Branch(label=f"{share:>4}  {chain}  -> {address}", endpoint=address)
