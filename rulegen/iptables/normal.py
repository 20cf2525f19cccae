"""One form for rules that mean the same.

:func:`saved` is what iptables-save prints for a rule; :func:`normal` is what makes two rules equal, whoever
wrote or printed them.
"""

from __future__ import annotations

from functools import lru_cache

from rulegen.iptables import values
from rulegen.iptables.rule import ALL_BITS, Given, Part, read, write
from rulegen.model import Family


def saved(rule: str, family: Family) -> str:
    """The rule (without ``-A CHAIN``) as iptables-save 1.8 prints it after a restore, both variants alike.

    A rule that cannot be read is given back as it is.
    """
    short = _short_way(rule, family)
    if short is not None:
        return short
    try:
        return write(read(rule, family), family)
    except ValueError:
        return rule


@lru_cache(maxsize=65536)
def normal(rule: str, family: Family) -> str:
    """The form in which equal rules are the same text.

    It is that of iptables-save, and beyond it: comments come first (they always match, so their place among
    the matches means nothing), ``-m state`` is the ``-m conntrack`` that it is for the kernel. The order of
    other matches counts: one may end the walk before another, ``recent`` or ``nfacct``, takes note of the
    packet. Cached, as dumps repeat their rules.
    """
    try:
        parts = read(rule, family)
    except ValueError:
        return rule
    comments = [part for part in parts.matches if part.name == "comment"]
    if comments:
        parts.matches = comments + [part for part in parts.matches if part.name != "comment"]
    for index, part in enumerate(parts.matches):
        if part.name == "state":
            options = [Given(0, "--ctstate", given.value, given.negated) for given in part.options]
            parts.matches[index] = Part("conntrack", options)
    return write(parts, family)


_COMMENT = "-m comment --comment "
_PROBABILITY = "-m statistic --mode random --probability "
_RECENT = "-m recent --name "


def _short_way(rule: str, family: Family) -> str | None:
    """The same for the few shapes that nearly all rules of kube-proxy have, six times as fast.

    None for any other shape. Only forms that kube-proxy itself writes are taken here; that both ways agree on
    every recorded rule is tested.
    """
    comment = ""
    rest = rule
    if rule.startswith(_COMMENT):
        if "\\" in rule:
            return None
        if rule.startswith('"', 21):
            end = rule.find('"', 22)
            if "/" not in rule[22:end]:
                return None  # no name of a Service: it may need no quotes
            comment = rule[: end + 1] + " "
            rest = rule[end + 2 :]
        else:
            name, _, rest = rule[21:].partition(" ")
            if "/" not in name or '"' in name or "'" in name:
                return None
            comment = f'{_COMMENT}"{name}" '
    if '"' in rest or "'" in comment:
        return None
    if rest.startswith("-j KUBE-") and rest.count(" ") == 1:
        return comment + rest
    if rest.startswith("-s "):
        source, _, end_of_rule = rest[3:].partition(" ")
        if end_of_rule.startswith("-j KUBE-") and end_of_rule.count(" ") == 1 and _is_host(source):
            return f"-s {values.address(source, family)} {comment}{end_of_rule}"
    elif rest.startswith(_PROBABILITY):
        chance, _, end_of_rule = rest[len(_PROBABILITY) :].partition(" ")
        if end_of_rule.startswith("-j KUBE-") and end_of_rule.count(" ") == 1:
            return f"{comment}{_PROBABILITY}{values.probability(chance)} {end_of_rule}"
    elif rest.startswith(("-m tcp -p tcp ", "-m udp -p udp ")):
        return _for_protocol(comment, rest[3:6], rest[14:], family)
    elif rest.startswith(_RECENT):
        words = rest.split(" ")
        name, kept = words[3], f"--name {words[3]} --mask {ALL_BITS[family]} --rsource"
        if len(words) == 10 and words[4:6] + words[7:9] == ["--rcheck", "--seconds", "--reap", "-j"]:
            return f"{comment}-m recent --rcheck --seconds {words[6]} --reap {kept} -j {words[9]}"
        if len(words) == 13 and words[4:6] + words[9:12] == ["--set", "-m", "-j", "DNAT", "--to-destination"]:
            protocol = words[6]
            if protocol in ("tcp", "udp", "sctp") and words[7:9] == ["-p", protocol]:
                return (
                    f"-p {protocol} {comment}-m recent --set {kept} -m {protocol}"
                    f" -j DNAT --to-destination {words[12]}"
                )
    return None


def _for_protocol(comment: str, protocol: str, rest: str, family: Family) -> str | None:
    """What follows ``-m tcp -p tcp``, where it is a translation or a jump for one destination."""
    words = rest.split(" ")
    if rest.startswith("-j DNAT --to-destination ") and len(words) == 4:
        return f"-p {protocol} {comment}-m {protocol} {rest}"
    if len(words) != 6 or words[0] != "-d" or words[2] != "--dport" or words[4] != "-j":
        return None
    if not words[5].startswith("KUBE-") or not words[3].isdigit() or not _is_host(words[1]):
        return None
    destination = values.address(words[1], family)
    return f"-d {destination} -p {protocol} {comment}-m {protocol} --dport {words[3]} -j {words[5]}"


def _is_host(text: str) -> bool:
    return "/" not in text and "," not in text
