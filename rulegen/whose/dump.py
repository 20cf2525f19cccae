"""Owners found in a node's dump alone: by comments of rules, names of chains, and who leads to whom."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rulegen.dump import Listings
from rulegen.iptables.dump import Dump
from rulegen.iptables.names import ENDPOINT, PREFIXES
from rulegen.iptables.parse import parse_all
from rulegen.iptables.rule import Rule, read
from rulegen.nftables import listing
from rulegen.plan.addresses import join_host_port
from rulegen.userspace.state import TRANSLATING, proxy_port
from rulegen.whose.answer import Answer, Question
from rulegen.whose.virtual import in_listings

_SHARED = ("KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-EXTERNAL-SERVICES", "KUBE-PROXY-FIREWALL")
# "namespace/name:port ROLE" in the rules of shared chains; of node ports the name is all.
_LABEL = re.compile(r"([a-z0-9.-]+/[a-z0-9.-]+(?::[a-z0-9.-]+)?)(?: (.*))?")
_NFT_NAME = re.compile(
    r"(service|local|external|firewall|endpoint|affinity)-[A-Z0-9]{8}-([^/\s]+/[^/\s]+)/(\w+)/([a-z0-9-]*)"
    r"(?:__(\S+?)/(\d+))?(?=\s|$)"
)


def in_dump(listings: Listings, asked: Question) -> list[Answer]:
    """All owners that a dump knows of. Raises ValueError where a listing cannot be read."""
    found: list[Answer] = []
    for name in ("iptables-save", "ip6tables-save", "iptables-save -c", "ip6tables-save -c"):
        if name in listings:
            for dump in parse_all(listings[name]):
                found += _of_iptables(dump, asked)
    for name in ("nft list ruleset", "nft -j list ruleset", "nft -a list ruleset"):
        if name in listings:
            found += _of_nft(listings[name], asked)
            break
    found += in_listings(listings, asked)
    unique: dict[Answer, None] = dict.fromkeys(found)
    return list(unique)


def _of_iptables(dump: Dump, asked: Question) -> Iterator[Answer]:
    owners = _owners(dump)
    if asked.chain:
        if asked.chain in owners:
            service, protocol = owners[asked.chain]
            endpoint = _destination(dump, asked.chain)
            role = "endpoint" if endpoint else "chain"
            yield Answer(service=service, protocol=protocol, family=dump.family, role=role, endpoint=endpoint)
        elif dump.chain("nat", asked.chain) is not None and asked.chain.startswith(PREFIXES):
            note = "stale: no rule leads to it"
            endpoint = _destination(dump, asked.chain)
            yield Answer(
                service="", protocol="", family=dump.family, role="chain", endpoint=endpoint, note=note
            )
        return
    for table in ("nat", "filter"):
        for chain in _SHARED:
            for text in dump.rules(table, chain):
                rule = read(text, dump.family)
                label = _LABEL.fullmatch(rule.comment)
                if label is None or not _matches(rule, asked):
                    continue
                role = (label[2] or "node port").removeprefix("has ")
                yield Answer(service=label[1], protocol=_protocol(rule), family=dump.family, role=role)
    yield from _of_proxy(dump, asked)
    for chain, (service, protocol) in owners.items():
        address = _destination(dump, chain) if chain.startswith(ENDPOINT) else ""
        if address and asked.ip and _same(address, asked):
            yield Answer(
                service=service, protocol=protocol, family=dump.family, role="endpoint", endpoint=address
            )


def _of_proxy(dump: Dump, asked: Question) -> Iterator[Answer]:
    """What the rules of the userspace mode say: whose an address is, and whose a port of the proxy."""
    for chain in TRANSLATING:
        for text in dump.rules("nat", chain):
            rule = read(text, dump.family)
            if _LABEL.fullmatch(rule.comment) is None:
                continue
            role = "node port" if chain.startswith("KUBE-NODEPORT-") else "address"
            own = not asked.ip and asked.port == proxy_port(rule)
            if own and asked.protocol in ("", _protocol(rule)):
                role = "port of its proxy"
            elif not _matches(rule, asked):
                continue
            yield Answer(service=rule.comment, protocol=_protocol(rule), family=dump.family, role=role)


def _owners(dump: Dump) -> dict[str, tuple[str, str]]:
    """Chain -> (service port, protocol): from the labels of shared chains on, along every jump.

    In a large cluster only the shared chains have labels; the others are owned by who leads to them.
    """
    owners: dict[str, tuple[str, str]] = {}
    waiting: list[str] = []
    for chain in _SHARED:
        for text in dump.rules("nat", chain):
            rule = read(text, dump.family)
            label = _LABEL.fullmatch(rule.comment)
            if label is not None and rule.target is not None and rule.target.name not in owners:
                owners[rule.target.name] = (label[1], _protocol(rule))
                waiting.append(rule.target.name)
    while waiting:
        chain = waiting.pop()
        for text in dump.rules("nat", chain):
            target = text.rpartition(" -j ")[2].split(" ", 1)[0] if " -j " in f" {text}" else ""
            if target.startswith(PREFIXES) and target not in owners:
                owners[target] = owners[chain]
                waiting.append(target)
    return owners


def _protocol(rule: Rule) -> str:
    given = rule.fields.get("-p")
    return given.value.upper() if given is not None else ""


def _destination(dump: Dump, chain: str) -> str:
    for text in dump.rules("nat", chain):
        if " --to-destination " in text:
            return text.rpartition(" --to-destination ")[2].split(" ", 1)[0]
    return ""


def _matches(rule: Rule, asked: Question) -> bool:
    """Whether a rule of a shared chain is about the address and port that are asked for."""
    if asked.protocol and asked.protocol != _protocol(rule):
        return False
    destination = rule.fields.get("-d")
    ip = destination.value.partition("/")[0] if destination is not None else ""
    ports = [part.value("--dport") for part in rule.matches]
    port = next((int(text) for text in ports if text), 0)
    if asked.ip and ip and ip != asked.ip:
        return False
    if asked.ip and not ip and not asked.port:
        return False
    return not asked.port or asked.port == port


def _same(address: str, asked: Question) -> bool:
    if asked.port:
        return address == join_host_port(asked.ip, asked.port)
    return address.rpartition(":")[0].strip("[]") == asked.ip


def _of_nft(text: str, asked: Question) -> Iterator[Answer]:
    for family, table in listing.read(text).tables.items():
        for name in (*table.chains, *table.containers):
            found = _NFT_NAME.match(name)
            if asked.chain and name == asked.chain and found is not None:
                yield _nft_answer(
                    found, family, f"{found[1]} {'set' if name in table.containers else 'chain'}"
                )
        if asked.chain:
            continue
        for name, container in table.containers.items():
            for key, element in container.elements.items():
                owner = _NFT_NAME.search(element.value) or _LABEL.fullmatch(element.comment)
                if owner is None or not _key_matches(key, asked):
                    continue
                role = f"{key} in {name}"
                if owner.re is _NFT_NAME:
                    yield _nft_answer(owner, family, role)
                else:
                    protocol = key.split(" . ")[-2].upper()
                    yield Answer(service=owner[1], protocol=protocol, family=family, role=role)
        for name, chain in table.chains.items():
            owner = _NFT_NAME.match(name)
            if owner is None or not asked.ip:
                continue
            for rule in chain.rules:
                for ip, port in re.findall(r"([0-9a-f.:]+) \. (\d+)", rule):
                    if ip == asked.ip and asked.port in (0, int(port)):
                        yield _nft_answer(owner, family, "endpoint", join_host_port(ip, int(port)))


def _nft_answer(found: re.Match[str], family: str, role: str, endpoint: str = "") -> Answer:
    service = f"{found[2]}:{found[4]}" if found[4] else found[2]
    if not endpoint and found[5]:
        ip = found[5].replace(".", ":") if found[5].count(".") != 3 else found[5]
        endpoint = join_host_port(ip, int(found[6]))
    return Answer(service=service, protocol=found[3].upper(), family=family, role=role, endpoint=endpoint)


def _key_matches(key: str, asked: Question) -> bool:
    parts = key.split(" . ")
    ip = parts[0] if len(parts) == 3 else ""
    port = int(parts[-1]) if parts[-1].isdigit() else 0
    protocol = parts[-2].upper() if len(parts) > 1 else ""
    if asked.protocol and asked.protocol != protocol:
        return False
    if asked.ip and ip != asked.ip:
        return False
    return not asked.port or asked.port == port
