"""Golden files for users' own repositories: manifests and the rules that they should become.

Installed with rulegen, pytest finds this by itself (entry point ``pytest11``)::

    def test_rules(rulegen_golden):
        rulegen_golden("deploy/", "golden/rules.save", node={"name": "n1", "ips": ["192.168.10.1"]})

    def test_endpoints(rulegen_golden):
        rulegen_golden.text(what_some_command_printed, "golden/endpoints.yaml")

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
    from rulegen.model import Family, Node, ProxyConfig

UPDATE = "--update-golden"
OF_IPTABLES = ("iptables", "userspace")
"""Modes whose rules are all of iptables."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("rulegen").addoption(
        UPDATE, action="store_true", help="write rulegen's golden files anew (refused where CI is set)"
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption(UPDATE) and os.environ.get("CI"):
        raise pytest.UsageError(f"{UPDATE}: refused where CI is set; update locally, look at it, commit it")


class Golden:
    """Compiles manifests and compares with a golden file; paths are relative to the test's own folder."""

    def __init__(self, folder: Path, *, update: bool) -> None:
        self.folder = folder
        self.update = update

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
    ) -> None:
        """Fail with a difference by Service where the rules are not those of the golden file.

        Rules are compared in normal form: the golden file may be what ``rulegen render`` prints, or a dump
        of a node. Raises LoadError, ValueError for input that cannot be used.
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
        known = self._known(golden, lambda: _whole(chosen, rules))
        if known is None:
            return
        try:
            changes = _changes(chosen, rules, known, family)
        except ValueError as error:
            pytest.fail(f"{golden}: not a golden file: {error}", pytrace=False)
        if changes:
            self._fail(golden, f"the rules of {family} have changed", changes)

    def text(self, text: str, golden: str | Path) -> None:
        """Fail with a unified difference where a text is not that of the golden file.

        It is for what is no rules: endpoints, names, what a command prints.
        """
        known = self._known(golden, lambda: text)
        if known is not None and known != text:
            lines = difflib.unified_diff(
                known.splitlines(), text.splitlines(), "before", "now", n=1, lineterm=""
            )
            self._fail(golden, "the text has changed", list(lines))

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

    def _fail(self, golden: str | Path, what: str, changes: Sequence[str]) -> None:
        lines = [f"{golden}: {what}:", *[f"  {line}" for line in changes]]
        lines.append(f"pytest {UPDATE} writes the file anew, if that is what was meant")
        pytest.fail("\n".join(lines), pytrace=False)


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
    return Golden(request.path.parent, update=bool(request.config.getoption(UPDATE)))
