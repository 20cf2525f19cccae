"""A readable table of a compiled ruleset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rulegen.ipvs.base import DUMMY, Settings, Sysctl
from rulegen.ipvs.ruleset import Ruleset
from rulegen.ipvs.sets import MAX_ELEMENTS, SETS, set_name
from rulegen.ipvs.show import SCHEDULERS


def table(ruleset: Ruleset) -> str:
    """Virtual servers, sets, addresses and kernel settings, for people."""
    return "".join(line.rstrip() + "\n" for line in _lines(ruleset))


def _lines(ruleset: Ruleset) -> Iterator[str]:
    settings, family = ruleset.settings, ruleset.family
    yield f"{family}, scheduler {settings.scheduler}"
    if settings.scheduler not in SCHEDULERS:
        # kube-proxy tries it first (pkg/proxy/ipvs/supported.go); a module of one's own may have it.
        yield f"note: Linux has no scheduler {settings.scheduler}; without it kube-proxy ends at its start"
    yield ""
    rows: list[tuple[str, ...]] = [("SERVICE", "ADDRESS", "VIRTUAL SERVER", "STICKY", "REAL SERVERS")]
    servers = ruleset.virtual_servers()
    for (namespace, service, port, _), fragment in ruleset.fragments.items():
        name = f"{namespace}/{service}:{port}" if port else f"{namespace}/{service}"
        for server in fragment.servers:
            if servers[server.key] is server:
                where = f"{server.protocol} {server.address}"
                sticky = f"{server.timeout}s" if server.timeout else "-"
                rows.append((name, server.use, where, sticky, ", ".join(server.servers) or "none"))
    yield from columns(rows)

    yield ""
    entries = ruleset.sets()
    table_of_sets: list[tuple[str, ...]] = [("SET", "TYPE", "SIZE", "ENTRIES")]
    empty, full = [], []
    for kind in SETS:
        name, own = set_name(kind.name, family), entries[kind.name]
        if own:
            table_of_sets.append((name, kind.type, str(len(own)), " ".join(own)))
        else:
            empty.append(name)
        if kind.type != "bitmap:port" and len(own) > MAX_ELEMENTS:
            full.append(f"note: {name} holds {MAX_ELEMENTS} entries; the kernel refuses the others")
    yield from columns(table_of_sets)
    yield f"empty sets: {', '.join(empty) or 'none'}"
    yield from full

    yield ""
    yield f"addresses on {DUMMY}: {', '.join(ruleset.addresses()) or 'none'}"
    yield f"addresses for node ports: {', '.join(settings.node_port_ips) or 'none'}"
    yield from _kernel(settings)
    yield ""


def _kernel(settings: Settings) -> Iterator[str]:
    if settings.exclude_cidrs:
        yield f"virtual servers left alone: {', '.join(settings.exclude_cidrs)}"
    if settings.timeouts is not None:
        kept = ["as it is" if not seconds else f"{seconds}s" for seconds in settings.timeouts]
        yield "timeouts: TCP {}, TCP after FIN {}, UDP {}".format(*kept)
    for sysctl in settings.sysctls:
        yield f"{sysctl.path.replace('/', '.')} = {sysctl.value}{kernels(sysctl)}"


def kernels(sysctl: Sysctl) -> str:
    """On which kernels a setting is made, as an addition to its line; empty where on all."""
    bounds = []
    if sysctl.since is not None:
        bounds.append(f"from {sysctl.since[0]}.{sysctl.since[1]}")
    if sysctl.before is not None:
        bounds.append(f"before {sysctl.before[0]}.{sysctl.before[1]}")
    return f" (kernels {' and '.join(bounds)})" if bounds else ""


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows with their cells under each other, three blanks apart, the last cell as long as it is."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield "   ".join([*cells, row[-1]])
