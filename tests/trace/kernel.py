"""What to try for real, and how it is compared with the trace."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rulegen.iptables.parse import parse_all
from rulegen.load.scenario import Scenario, from_scenario
from rulegen.model import Family
from rulegen.trace import nft_text
from rulegen.trace.fates import fate
from rulegen.trace.ground import of_recorded
from rulegen.trace.node import Node
from rulegen.trace.outcome import Outcome
from rulegen.trace.packet import packet, shown
from tests.recorded import cases
from tests.trace import grid
from tests.trace.oracle import Oracle, Probe
from tests.uml.harness import Machine

LAB = Path(__file__).parent / "lab.py"
MOST_SERVERS = 60
PROBES = 24
"""Of one case."""


class Trial:
    """One recorded case and family: its rules, and connections to try under them."""

    def __init__(self, recorded: Mapping[str, Any], family: Family, variant: str) -> None:
        self.case: Scenario = from_scenario(recorded["scenario"])
        self.family, self.variant, self.mode = family, variant, self.case.mode
        self.rules = dict(recorded["expected"][family])
        self.machine = grid.machine(self.case)
        if "dummy" in self.rules:
            bits = 32 if family == "IPv4" else 128
            self.machine["interfaces"]["kube-ipvs0"] = [f"{ip}/{bits}" for ip in self.rules["dummy"]]
        self.node: Node = grid.node(self.case, family, self.mode, self.rules)
        self.remembered: dict[str, frozenset[int]] = {}
        oracle = Oracle(self.case, family, self.mode)
        every = [probe for probe in grid.probes(self.case, oracle, self.node) if probe.protocol != "sctp"]
        self.servers = sorted(
            {
                (c.ip, int(c.address.rpartition(":")[2]), p.protocol)
                for p in oracle.ports
                for c in p.candidates
            }
        )
        chosen = random.Random(f"{self.case.name} {family}").sample(every, min(PROBES, len(every)))
        clients = list(dict.fromkeys(p.source for p in chosen if p.origin in ("pod", "endpoint")))[:4]
        self.probes = [p for p in chosen if p.origin not in ("pod", "endpoint") or p.source in clients]

    @property
    def is_small(self) -> bool:
        return len(self.servers) <= MOST_SERVERS and len(self.probes) >= 6

    def request(self, *, counted: bool = False) -> str:
        return json.dumps(
            {
                "mode": self.mode,
                "variant": self.variant,
                "family": self.family,
                "rules": self.rules,
                "interfaces": self.machine["interfaces"],
                "routes": [r for r in self.machine["routes"] if (":" in r[0]) == (self.family == "IPv6")],
                "outside": [grid.ELSEWHERE[self.family]],
                "device": grid.pod_device(self.case),
                "pods": grid.PODS[self.family],
                "servers": self.servers,
                "probes": [
                    {
                        "from": probe.origin,
                        "source": probe.source,
                        "protocol": probe.protocol,
                        "destination": probe.destination,
                        "port": probe.port,
                        "answered": self.is_answered(probe),
                    }
                    for probe in self.probes
                ],
                "counted": counted,
            }
        )

    def outcomes(self, probe: Probe) -> list[Outcome]:
        return self.node.trace(
            packet(probe.source, probe.destination, probe.port, probe.protocol), probe.device
        )

    def is_answered(self, probe: Probe) -> bool:
        """Whether an answer is to be waited for, be it a refusal."""
        return any(self.fate(each, probe.protocol)[0] != "timeout" for each in self.outcomes(probe))

    def served(self, protocol: str) -> set[str]:
        return {
            f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
            for ip, port, spoken in self.servers
            if spoken == protocol
        }

    def fate(self, outcome: Outcome, protocol: str) -> tuple[str, str]:
        """What a connection meets, and under which address its client is seen."""
        found = fate(outcome, self.served(protocol))[0]
        if outcome.is_sent_back:
            found = "timeout"
        return found, shown(outcome.after.source, self.family)

    def check(self, probe: Probe, met: list[list[str]]) -> int:
        """Compare what connections met with what was traced; how many there were."""
        told = {self.fate(outcome, probe.protocol) for outcome in self.outcomes(probe)}
        fates = {each for each, _ in told}
        about = f"{self.case.name} {self.family} {self.variant} {probe}: {met}, traced {sorted(told)}"
        for found, own, seen in met:
            if found == "denied":
                # The kernel tells the node's own UDP sender of drops and refusals alike.
                assert fates <= {"refused", "timeout"}, about
                continue
            assert found in fates, about
            if seen:
                assert own == probe.source, about
                assert (found, seen) in told, about
        return len(met)

    def remember(self, probe: Probe, met: list[str]) -> None:
        """Let the next packets be traced as the kernel treats them: session affinity knows the client now."""
        for outcome in self.outcomes(probe):
            if outcome.endpoint == met[0]:
                for step in outcome.steps:
                    told = _REMEMBERS.search(f"{step.rule} {step.effect}")
                    if told is not None:
                        name = told[1] or told[2]
                        known = self.remembered.get(name, frozenset())
                        self.remembered[name] = known | {outcome.before.source}
        self.node = of_recorded(self.rules, self.node.host, self.remembered)

    def check_counters(self, probe: Probe, met: list[str], before: str, after: str) -> int:
        """Compare the rules whose counters moved with the path of the outcome; how many there were."""
        found = moved(before, after)
        paths = [
            {(step.table, step.chain, step.number) for step in outcome.steps if step.number}
            for outcome in self.outcomes(probe)
            if met[0] in (self.fate(outcome, probe.protocol)[0], "denied")
        ]
        about = f"{self.case.name} {probe}: {met}\ncounted {sorted(found)}\ntraced {paths}"
        assert paths, about
        self.remember(probe, met)
        if self.mode == "nftables":
            counted = counting(after)
            assert any(path & counted == found for path in paths), about
            return len(found)
        # Later packets of a connection meet rules of filter, too, but none of nat.
        of_nat = {place for place in found if place[0] == "nat"}
        assert any({p for p in path if p[0] == "nat"} == of_nat and path <= found for path in paths), about
        return len(found)


_REMEMBERS = re.compile(r"--name (\S+) (?:\S+ )*?--set |remember \S+ in (\S+)")

Place = tuple[str, str, int]
"""Table, chain, number of a rule."""


def moved(before: str, after: str) -> set[Place]:
    """The rules whose counters are higher in the second listing."""
    old, new = counts(before), counts(after)
    return {place for place, packets in new.items() if packets > old.get(place, 0)}


def counts(text: str) -> dict[Place, int]:
    """Packets of every rule that counts, in ``iptables-save -c`` or ``nft list ruleset``."""
    found: dict[Place, int] = {}
    if text.startswith("table "):
        for table in nft_text.read(text):
            for chain in table.chains.values():
                for number, rule in enumerate(chain.rules, 1):
                    match = re.search(r"counter packets (\d+)", str(rule))
                    if match is not None:
                        found[table.title, chain.name, number] = int(match[1])
        return found
    for dump in parse_all(text):
        for name, chains in dump.tables.items():
            for chain_name, listed in chains.items():
                for number, told in enumerate(listed.rule_counters or (), 1):
                    found[name, chain_name, number] = int(told[1:].partition(":")[0])
    return found


def counting(text: str) -> set[Place]:
    return set(counts(text))


_ACTING = re.compile(r"(?<!ct status) (?=(?:jump|goto|drop|reject|return|masquerade|dnat|update|mark set)\b)")


def with_counters(nft: str) -> str:
    """The commands, every rule counting the packets that it does something to (verdict maps aside)."""
    lines = []
    for line in nft.splitlines():
        if line.startswith("add rule ") and " vmap " not in line:
            head = " ".join(line.split(" ", 5)[:5])
            rest = line[len(head) :]
            line = head + _ACTING.sub(" counter ", rest, count=1)
        lines.append(line)
    return "\n".join(lines) + "\n"


def trials(mode: str, variant: str, *, every: int, first: int = 0) -> Iterator[Trial]:
    """Small cases of a mode, of both families in turn."""
    for number, recorded in enumerate(cases(f"1.37-{mode}")):
        if number % every != first % every:
            continue
        families = list(recorded["expected"])
        trial = Trial(recorded, families[number // every % len(families)], variant)
        if trial.is_small:
            yield trial


def on_this_kernel(request: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(LAB)], input=request, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def in_uml(machine: Machine, request: str) -> dict[str, Any]:
    """The same in the kernel of user-mode Linux, which has IPVS."""
    (machine.folder / "request").write_text(request, encoding="utf-8")
    done = machine.run(f"{sys.executable} {LAB} <request >result", seconds=120)
    assert done.code == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads((machine.folder / "result").read_text(encoding="utf-8"))
    return result
