"""Golden files for users' own repositories: manifests and the rules that they should become.

Installed with rulegen, pytest finds this by itself (entry point ``pytest11``)::

    def test_rules(rulegen_golden):
        rulegen_golden("deploy/", "golden/rules.save", node={"name": "n1", "ips": ["192.168.10.1"]})

    def test_endpoints(rulegen_golden):
        rulegen_golden.text(what_some_command_printed, "golden/endpoints.yaml")

A file ``packets.yaml`` beside the golden file says what becomes of packets under these rules::

    - from: external
      to: 192.168.10.1:30651
      expect: DNAT 10.10.1.86:80 50% masqueraded

``pytest --update-golden`` writes the files anew; not where CI is set, for there nobody would look at them.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from rulegen.load.packets import Expected
    from rulegen.model import Family, Node, ProxyConfig
    from rulegen.trace.packets import Checked
    from rulegen.trace.tracer import Tracer

PACKETS = "packets.yaml"
UPDATE = "--update-golden"
OF_IPTABLES = ("iptables", "userspace")
"""Modes whose rules are all of iptables."""


_SETTLED = pytest.StashKey["Settled"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("rulegen").addoption(
        UPDATE, action="store_true", help="write rulegen's golden files anew (refused where CI is set)"
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption(UPDATE) and os.environ.get("CI"):
        raise pytest.UsageError(f"{UPDATE}: refused where CI is set; update locally, look at it, commit it")


class Golden:
    """Compiles manifests and compares with a golden file; paths are relative to the test's own folder."""

    def __init__(self, folder: Path, *, update: bool, settled: Settled | None = None) -> None:
        self.folder = folder
        self.update = update
        self._settled = settled if settled is not None else {}

    def __call__(
        self,
        manifests: str | Path | Sequence[str | Path],
        golden: str | Path,
        *,
        node: Node | Mapping[str, Any] | None = None,
        config: ProxyConfig | Mapping[str, Any] | None = None,
        mode: str | None = None,
        version: str | None = None,
        family: Family = "IPv4",
        packets: str | Path | None = None,
    ) -> None:
        """Fail with a difference by Service where the rules are not those of the golden file.

        Rules are compared in normal form: the golden file may be what ``rulegen render`` prints, or a dump
        of a node. ``packets`` names the file of packets to trace through the rules; without it, that is
        ``NAME.packets.yaml`` beside the golden file ``NAME.save``, or ``packets.yaml`` for all golden files
        there, if there is one. Raises LoadError, ValueError for input that cannot be used.
        """
        from rulegen import api
        from rulegen.load import proxy_config
        from rulegen.versions import DEFAULT_VERSION

        paths = [manifests] if isinstance(manifests, str | Path) else manifests
        cluster = api.load(*[str(self.folder / path) for path in paths])
        settings = config
        if settings is None or isinstance(settings, Mapping):
            settings = proxy_config(settings if settings is not None else cluster.proxy_configuration, mode)
        chosen = mode or settings.mode
        rules = api.compile(cluster, node, settings, chosen, version or DEFAULT_VERSION, [family])[family]
        faults = self._compare(golden, chosen, rules, family)
        path = self.folder / golden
        own = path.with_name(f"{path.stem}.{PACKETS}")
        beside = own if own.is_file() else path.with_name(PACKETS)
        if packets is not None:
            beside = self.folder / packets
        if packets is not None or beside.is_file():
            from rulegen.trace.tracer import Tracer

            tracer = Tracer({family: rules}, cluster=cluster, node=node, config=settings, mode=chosen)
            faults += self._trace(beside, tracer, chosen, family)
        if faults:
            pytest.fail("\n".join(faults), pytrace=False)

    def text(self, text: str, golden: str | Path) -> None:
        """Fail with a unified difference where a text is not that of the golden file.

        It is for what is no rules: endpoints, names, what a command prints.
        """
        known = self._known(golden, lambda: text)
        if known is not None and known != text:
            lines = difflib.unified_diff(
                known.splitlines(), text.splitlines(), "before", "now", n=1, lineterm=""
            )
            pytest.fail("\n".join(_told(golden, "the text has changed", list(lines))), pytrace=False)

    def _known(self, golden: str | Path, write: Callable[[], str]) -> str | None:
        """What the golden file holds; None where it was written anew just now."""
        path = self.folder / golden
        if self.update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(write(), encoding="utf-8")
            return None
        if not path.is_file():
            pytest.fail(f"{golden}: no such golden file; pytest {UPDATE} writes it", pytrace=False)
        return path.read_text(encoding="utf-8")

    def _compare(self, golden: str | Path, mode: str, rules: Any, family: Family) -> list[str]:
        """What differs from the golden file, which an update writes; none where nothing does."""
        known = self._known(golden, lambda: _whole(mode, rules))
        if known is None:
            return []
        try:
            changes = _changes(mode, rules, known, family)
        except ValueError as error:
            return [f"{golden}: not a golden file: {error}"]
        return _told(golden, f"the rules of {family} have changed", changes) if changes else []

    def _trace(self, path: Path, tracer: Tracer, mode: str, family: Family) -> list[str]:
        """What becomes of packets otherwise than expected; an update writes what is traced, where it can."""
        from rulegen.backend import modes
        from rulegen.load.packets import expected_packets, rewritten
        from rulegen.load.problems import LoadError
        from rulegen.trace.packets import applicable, check

        name = os.path.relpath(path, self.folder)
        try:
            text = path.read_text(encoding="utf-8")
            packets = applicable(expected_packets(text, name, modes()), mode, family)
            checked = check(tracer, packets, family)
        except OSError as error:
            return [f"{name}: {error.strerror}"]
        except LoadError as error:
            return [str(error)]
        differing = [each for each in checked if each.problems]
        if not self.update:
            return [*[each.text() for each in differing], *([_ANEW] if differing else [])]
        faults: list[str] = []
        changed: list[tuple[Expected, list[str]]] = []
        for each in differing:
            try:
                changed.append((each.packet, self._anew(path, each)))
            except ValueError as error:
                faults.append(f"{name}:{each.packet.line}: {each.packet.title}: not updated: {error}")
        if changed:
            path.write_text(rewritten(text, changed), encoding="utf-8")
        for each in checked:
            self._settled[path, each.packet.number] = f"{mode} {family}"
        return faults

    def _anew(self, path: Path, each: Checked) -> list[str]:
        """What to expect instead; ValueError where rules of another golden file expect what there is."""
        expectations = each.anew()
        settled = self._settled.get((path, each.packet.number))
        if settled is not None:
            raise ValueError(
                f"it is as expected under the rules of {settled}, and here it is"
                f" {'; '.join(expectations)}: write a packet for each, told apart by mode or family"
            )
        return expectations


Settled = dict[tuple[Path, int], str]
"""Packets (file and number) that a golden file of this session agrees to, and which rules these were."""

_ANEW = f"pytest {UPDATE} writes what is traced as what is expected, if that is what was meant"


def _told(golden: str | Path, what: str, changes: Sequence[str]) -> list[str]:
    lines = [f"{golden}: {what}:", *[f"  {line}" for line in changes]]
    return [*lines, f"pytest {UPDATE} writes the file anew, if that is what was meant"]


def _whole(mode: str, rules: Any) -> str:
    """The text of all rules, jumps included where the mode has them apart."""
    from rulegen.backend import backend

    forms = {form.name: form for form in backend(mode).forms}
    first = next(iter(forms.values()))
    return forms.get("listings", forms.get(f"{first.name}-with-jumps", first)).write(rules)


def _changes(mode: str, rules: Any, text: str, family: Family) -> list[str]:
    """What differs from the text of a golden file, in lines for people; none where nothing does."""
    from rulegen.backend import backend, comparing

    ours = _whole(mode, rules)
    listing = _listing(mode, text, family)
    if listing is None:
        return [line.rstrip("\n") for line in difflib.unified_diff(text.splitlines(), ours.splitlines(), n=0)]
    room = comparing(mode)
    if mode in OF_IPTABLES and "PREROUTING" not in text:
        # What `rulegen render` prints has no jumps: kube-proxy makes these apart, and nobody asked for them.
        ours = backend(mode).forms[0].write(rules)
        after = next(iter(room.read({listing: ours}, family).values()))
    else:
        after = room.state(rules)
    before = next(iter(room.read({listing: text}, family).values()), None)
    if before is None:
        return ["it holds no rules of this mode"]
    if not room.diff(before, after):
        return []
    lines = []
    for change in room.summary(before, after):
        lines.append(change.service or "kube-proxy itself")
        lines += [f"  {line}" for line in change.lines]
    return lines


def _listing(mode: str, text: str, family: Family) -> str | None:
    """The listing that a golden file is read as; None for a mode whose text is compared as it is."""
    if mode in OF_IPTABLES:
        return "iptables-save" if family == "IPv4" else "ip6tables-save"
    return {"nftables": "nft list ruleset", "ipvs": "listings"}.get(mode)


@pytest.fixture
def rulegen_golden(request: pytest.FixtureRequest) -> Golden:
    """Compare compiled rules with a golden file; see :class:`Golden`."""
    settled = request.config.stash.setdefault(_SETTLED, {})
    return Golden(request.path.parent, update=bool(request.config.getoption(UPDATE)), settled=settled)
