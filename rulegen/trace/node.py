"""The way of a packet through the kernel of a node: hooks, routing, translation, delivery.

The order is Linux's (linux/netfilter_ipv4.h, net/netfilter/nf_nat_core.c): raw, mangle, translation of the
destination, routing, filter, IPVS behind it, translation of the source last. A node's own packet is routed
before OUTPUT and again where its destination changed; what is for the node itself goes through loopback.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter

import msgspec

from rulegen.trace import ipvs as virtual
from rulegen.trace.facts import Facts
from rulegen.trace.host import LOOPBACK, Route
from rulegen.trace.iptables import PRIORITIES, IptablesTable
from rulegen.trace.outcome import Connection, Outcome
from rulegen.trace.packet import Packet, State, shown
from rulegen.trace.stages import HOOKS, Base, Stage, stages
from rulegen.trace.walk import MOST_WALKS, Acted, Kind, Step, TraceError, Walk, follow

_IPVS_PRIORITY = {"INPUT": 99, "OUTPUT": -98}


class Node:
    """The rules and facts of a node for one family: what packets can be traced through."""

    def __init__(
        self,
        facts: Facts,
        tables: Iterable[IptablesTable] = (),
        servers: Iterable[virtual.VirtualServer] = (),
        bases: Iterable[Base] = (),
    ) -> None:
        self.facts = facts
        self.host = facts.host
        family = facts.host.family
        self.ipvs = virtual.Ipvs(server for server in servers if server.family == family)
        self.tables = list(tables)
        every = [*[base for table in self.tables for base in _bases(table)], *bases]
        if self.ipvs:
            every += [
                Base(hook, priority, self._ask_ipvs, sends=True) for hook, priority in _IPVS_PRIORITY.items()
            ]
        self._at = {hook: stages(hook, every) for hook in HOOKS}
        self._ready = [*[table.prepare for table in self.tables], *{base.prepare: 0 for base in every}]

    def trace(
        self,
        packet: Packet,
        entry: str | None = "",
        *,
        state: State = "NEW",
        connection: Connection | None = None,
    ) -> list[Outcome]:
        """All ways that a packet may take.

        ``entry`` is the device that it comes in by, None where that is not known; ``""``: the node sends it
        itself. With a ``connection`` it is translated as that one is, and no rule for new ones is asked.
        Raises TraceError.
        """
        walk = Walk(packet, entry, "ESTABLISHED" if connection is not None else state)
        walk.bridged = bool(entry) and entry in self.host.bridges
        way = _Way(self, connection)
        if entry == "":
            way.send(walk)
        else:
            way.arrive(walk)
        way.done.sort(key=_order)
        return [self._outcome(packet, each) for each in way.done]

    def prepare(self) -> None:
        """Read now what every packet meets, so that the first one need not wait."""
        for ready in self._ready:
            ready()

    def stages(self, hook: str) -> Sequence[Stage]:
        return self._at[hook]

    def _outcome(self, before: Packet, walk: Walk) -> Outcome:
        assert walk.end is not None
        device, hop = "", ""
        if walk.end.kind == "forwarded":
            device = walk.exit or ""
            way = self.host.route(walk.packet.destination)
            if way is not None and way.gateway is not None:
                hop = shown(way.gateway, self.host.family)
        return Outcome(
            kind=walk.end.kind,
            why=walk.end.why,
            answer=walk.end.answer,
            chance=walk.chance,
            assumed=walk.assumed,
            steps=walk.steps(),
            before=before,
            after=walk.packet,
            device=device,
            hop=hop,
        )

    def _ask_ipvs(self, walk: Walk) -> list[Walk]:
        if walk.served is not None or walk.state not in ("NEW", "UNTRACKED"):
            return [walk]
        found = self.ipvs.find(walk.packet)
        if found is None:
            return [walk]
        picked = virtual.choices(found)
        step = Step(walk.hook, "ipvs", found.text, 0, f"virtual server, {found.scheduler}", "")
        if not picked:
            walk.step(msgspec.structs.replace(step, effect="no real server can be picked"))
            answer = "ICMP port unreachable" if walk.packet.family == "IPv4" else "ICMPv6 port unreachable"
            walk.finish("rejected", "the virtual server has no real server to pick", answer)
            return [walk]
        walks = []
        for number, (chance, operation) in enumerate(picked):
            each = walk.branch(number, chance)
            result = operation(each)
            assert isinstance(result, Acted)
            each.step(msgspec.structs.replace(step, effect=result.effect))
            walks.append(each)
        return walks


def _bases(table: IptablesTable) -> list[Base]:
    return [
        Base(hook, priority, _runner(table, hook), translates=table.name == "nat")
        for hook, priority in PRIORITIES[table.name].items()
        if table.has(hook)
    ]


def _runner(table: IptablesTable, hook: str) -> Callable[[Walk], list[Walk]]:
    drops = table.policy(hook) == "DROP"

    def run(walk: Walk) -> list[Walk]:
        walks = follow(table, hook, walk)
        if drops:
            for each in walks:
                if each.end is None and not each.accepted:
                    each.step(Step(hook, table.name, hook, 0, "policy DROP", "DROP"))
                    each.finish("dropped", f"the policy of {table.name} {hook} is DROP")
        return walks

    return run


_order = attrgetter("order")


class _Way:
    """Follows one packet from hook to hook; ``done`` are the walks that have come to their end."""

    def __init__(self, node: Node, connection: Connection | None) -> None:
        self.node = node
        self.host = node.host
        self.connection = connection
        self.done: list[Walk] = []

    def arrive(self, walk: Walk) -> None:
        """A packet that comes in by a device."""
        for each in self._pass("PREROUTING", walk):
            self._route(each)

    def send(self, walk: Walk) -> None:
        """A packet of the node itself."""
        way = self.host.route(walk.packet.destination)
        if way is None or way.kind not in ("unicast", "local"):
            self._no_way(walk, way)
            return
        self._output(walk, way)

    def _output(self, walk: Walk, way: Route) -> None:
        before = walk.packet.destination
        walk.exit = way.device
        for each in self._pass("OUTPUT", walk):
            # Rules at OUTPUT saw the device of the first route, whatever they changed.
            now: Route | None = way
            if each.packet.destination != before:
                now = self.host.route(each.packet.destination)
            if now is None or now.kind not in ("unicast", "local"):
                self._no_way(each, now)
            elif (
                self._is_loopback(each.packet.source)
                and now.device != LOOPBACK
                and not self.host.route_localnet
            ):
                self._finish(
                    each,
                    "dropped",
                    "a loopback address cannot leave the node (net.ipv4.conf.*.route_localnet)",
                )
            else:
                each.exit = now.device
                self._leave(each)

    def _route(self, walk: Walk) -> None:
        """The routing of a packet that came in."""
        host, packet = self.host, walk.packet
        if walk.entry != LOOPBACK and host.is_local(packet.source):
            self._finish(
                walk, "dropped", "a packet from elsewhere with this node's own address (martian source)"
            )
            return
        way = host.route(packet.destination)
        kind = host.address_type(packet.destination)
        if kind in ("LOCAL", "BROADCAST"):
            outside = self._is_loopback(packet.destination) and walk.entry != LOOPBACK
            if outside and not (host.family == "IPv4" and host.route_localnet):
                self._finish(walk, "dropped", "a packet from elsewhere to a loopback address (martian)")
                return
            self._input(walk)
        elif kind == "MULTICAST":
            self._finish(walk, "unknown", "multicast is not followed")
        elif way is None or way.kind != "unicast":
            self._no_way(walk, way)
        else:
            walk.exit = way.device
            for each in self._pass("FORWARD", walk):
                self._leave(each)

    def _input(self, walk: Walk) -> None:
        walk.exit = ""
        for each in self._pass("INPUT", walk):
            self._finish(each, "local", "for this node itself")

    def _leave(self, walk: Walk) -> None:
        for each in self._pass("POSTROUTING", walk):
            if each.exit == LOOPBACK:
                each.entry, each.exit = LOOPBACK, ""
                # It keeps the route that it has: no rule in PREROUTING can send it elsewhere.
                for again in self._pass("PREROUTING", each):
                    self._input(again)
            elif self._is_loopback(each.packet.source):
                self._finish(each, "dropped", "other machines drop packets from a loopback address")
            else:
                self._finish(each, "forwarded", f"leaves by {each.exit}")

    def _sent_by_ipvs(self, walk: Walk) -> None:
        """IPVS routes what it translated, and sends it through OUTPUT once more."""
        way = self.host.route(walk.packet.destination)
        if way is None or way.kind != "unicast":
            self._no_way(walk, way)
            return
        if self._is_loopback(walk.packet.source):
            self._finish(walk, "dropped", "IPVS sends nothing on that comes from a loopback address")
            return
        entry = walk.entry
        walk.entry, walk.exit = "", way.device
        for each in self._pass("OUTPUT", walk):
            each.entry = entry
            self._leave(each)

    def _pass(self, hook: str, walk: Walk) -> list[Walk]:
        """Bring a walk through a hook; what ends there is done, what is left goes on."""
        walks = [walk]
        for stage in self.node.stages(hook):
            if stage.translates:
                walks = self._translate(hook, stage, walks)
                continue
            base = stage.bases[0]
            walks = [each for before in walks for each in self._run(base, hook, before)]
        if len(walks) + len(self.done) > MOST_WALKS:
            raise TraceError(f"more than {MOST_WALKS} ways through the rules")
        return walks

    def _run(self, base: Base, hook: str, walk: Walk) -> list[Walk]:
        walk.hook = hook
        going_on = []
        was_served = walk.served is not None
        for each in base.run(walk):
            if each.end is not None:
                self.done.append(each)
            elif base.sends and not was_served and each.served is not None and not self._stays(each):
                self._sent_by_ipvs(each)
            else:
                going_on.append(each)
        return going_on

    def _stays(self, walk: Walk) -> bool:
        return self.host.is_local(walk.packet.destination)

    def _translate(self, hook: str, stage: Stage, walks: list[Walk]) -> list[Walk]:
        of_destination = hook in ("PREROUTING", "OUTPUT")
        if self.connection is not None:
            for walk in walks:
                self._as_known(walk, self.connection, of_destination=of_destination)
            return walks
        for base in stage.bases:
            following = []
            for walk in walks:
                settled = walk.dnat_done if of_destination else walk.snat_done
                if settled or walk.state not in ("NEW", "RELATED"):
                    following.append(walk)
                else:
                    following += self._run(base, hook, walk)
            walks = following
        for walk in walks:
            if of_destination:
                walk.dnat_done = True
            else:
                walk.snat_done = True
        return walks

    def _as_known(self, walk: Walk, connection: Connection, *, of_destination: bool) -> None:
        after = connection.translated
        if of_destination and not walk.dnat_done:
            walk.dnat_done = True
            if (walk.packet.destination, walk.packet.port) != (after.destination, after.port):
                walk.change(destination=after.destination, port=after.port)
                walk.dnat = True
        elif not of_destination and not walk.snat_done:
            walk.snat_done = True
            if walk.packet.source != after.source:
                walk.change(source=after.source, source_port=after.source_port)
                walk.snat = True

    def _no_way(self, walk: Walk, way: Route | None) -> None:
        to = shown(walk.packet.destination, self.host.family)
        icmp = "ICMP" if self.host.family == "IPv4" else "ICMPv6"
        if way is not None and way.kind == "blackhole":
            self._finish(walk, "dropped", f"the route to {to} is a black hole")
        elif way is not None and way.kind == "prohibit":
            self._finish(walk, "unreachable", f"the route to {to} prohibits it", f"{icmp} prohibited")
        else:
            self._finish(walk, "unreachable", f"no route leads to {to}", f"{icmp} network unreachable")

    def _finish(self, walk: Walk, kind: Kind, why: str, answer: str = "") -> None:
        walk.finish(kind, why, answer)
        self.done.append(walk)

    def _is_loopback(self, address: int) -> bool:
        return address == 1 if self.host.family == "IPv6" else address >> 24 == 127
