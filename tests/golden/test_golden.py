"""Golden files as a user's repository has them; our own fixtures are kept that way, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from rulegen.pytest_plugin import Golden
from tests.conftest import INSTALLED

NGX = Path(__file__).parent.parent.parent / "fixtures" / "ngx"
PLUGINS = [
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "-p",
    "no:hypothesispytest",
    *([] if INSTALLED else ["-p", "rulegen.pytest_plugin"]),
]
NODE = {"name": "n1", "ips": ["192.168.10.1"], "interfaces": {"eth0": ["192.168.10.1/24"]}}


def golden(request: pytest.FixtureRequest) -> Golden:
    found: Golden = request.getfixturevalue("rulegen_golden")
    return found


@pytest.mark.parametrize("mode", ["iptables", "ipvs", "nftables"])
def test_the_beginners_rules_are_those_of_the_golden_file(request: pytest.FixtureRequest, mode: str) -> None:
    golden(request)(NGX, f"golden/ngx/{mode}.rules", node=NODE, mode=mode)


@pytest.fixture(autouse=True, scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Import all that a golden file needs before pytest is run inside of this process.

    What such a run imports is forgotten at its end, and a second import makes classes that are not the first
    ones: every test after it would meet both.
    """
    known = Golden(tmp_path_factory.mktemp("imported"), update=True)
    now = Golden(known.folder, update=False)
    for mode in ("iptables", "nftables"):
        known(NGX, "rules", node=NODE, mode=mode)
        path = known.folder / "rules"
        path.write_text(path.read_text().replace("10.10.1.86", "10.10.1.90"))
        with pytest.raises(pytest.fail.Exception):
            now(NGX, "rules", node=NODE, mode=mode)


def project(pytester: pytest.Pytester) -> None:
    """A repository of a user: manifests, one test."""
    pytester.mkdir("deploy")
    for file in NGX.glob("*.yaml"):
        (pytester.path / "deploy" / file.name).write_text(file.read_text())
    pytester.makepyfile(
        """
        def test_rules(rulegen_golden):
            rulegen_golden("deploy", "golden/rules.save", node={"name": "n1", "ips": ["192.168.10.1"]})
        """
    )


def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> pytest.RunResult:
    monkeypatch.delenv("CI", raising=False)
    return pytester.runpytest(*PLUGINS, *arguments)


def test_the_first_run_asks_for_the_file_and_an_update_writes_it(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(pytester)
    first = run(pytester, monkeypatch)
    first.stdout.fnmatch_lines(["*golden/rules.save: no such golden file; pytest --update-golden writes it*"])
    assert run(pytester, monkeypatch, "--update-golden").ret == 0
    assert (pytester.path / "golden" / "rules.save").read_text().startswith("*filter\n")
    assert run(pytester, monkeypatch).ret == 0


def test_a_changed_manifest_fails_with_the_change_by_service(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(pytester)
    run(pytester, monkeypatch, "--update-golden")
    pods = pytester.path / "deploy" / "pods.yaml"
    pods.write_text(pods.read_text().replace("10.10.1.86", "10.10.1.90"))
    failed = run(pytester, monkeypatch)
    assert failed.ret == 1
    failed.stdout.fnmatch_lines(
        [
            "*golden/rules.save: the rules of IPv4 have changed:*",
            "*default/ngx-svc*",
            "*- endpoint 10.10.1.86:80*",
            "*+ endpoint 10.10.1.90:80*",
        ]
    )


def test_a_nodes_own_dump_serves_as_a_golden_file(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel prints rules in another form; that is no difference."""
    project(pytester)
    run(pytester, monkeypatch, "--update-golden")
    path = pytester.path / "golden" / "rules.save"
    text = path.read_text()
    assert "-s 10.10.0.232 -j KUBE-MARK-MASQ" in text
    lines = []
    for line in text.splitlines():
        if " -s 10.10.0.232 -j KUBE-MARK-MASQ" in line:
            chain = line.split()[1]
            line = f'-A {chain} -s 10.10.0.232/32 -m comment --comment "default/ngx-svc" -j KUBE-MARK-MASQ'
        lines.append(line)
    path.write_text("\n".join(lines) + "\n")
    assert run(pytester, monkeypatch).ret == 0


@pytest.mark.parametrize(("mode", "start"), [("nftables", "add table ip kube-proxy"), ("ipvs", "*nat\n")])
def test_the_other_modes_are_compared_by_service_too(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, mode: str, start: str
) -> None:
    project(pytester)
    (test,) = pytester.path.glob("test_*.py")
    test.write_text(test.read_text().replace("node=", f'mode="{mode}", node='))
    assert run(pytester, monkeypatch, "--update-golden").ret == 0
    assert (pytester.path / "golden" / "rules.save").read_text().startswith(start)
    assert run(pytester, monkeypatch).ret == 0
    pods = pytester.path / "deploy" / "pods.yaml"
    pods.write_text(pods.read_text().replace("10.10.1.86", "10.10.1.90"))
    run(pytester, monkeypatch).stdout.fnmatch_lines(
        ["*default/ngx-svc*", "*- endpoint 10.10.1.86:80*", "*+ endpoint 10.10.1.90:80*"]
    )


def test_golden_files_are_never_written_in_ci(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(pytester)
    monkeypatch.setenv("CI", "true")
    refused = pytester.runpytest(*PLUGINS, "--update-golden")
    assert refused.ret != 0
    refused.stderr.fnmatch_lines(["*--update-golden: refused where CI is set*"])
    assert not (pytester.path / "golden").exists()


def test_any_text_can_be_a_golden_file(tmp_path: Path) -> None:
    Golden(tmp_path, update=True).text("one\ntwo\n", "golden/said.txt")
    known = Golden(tmp_path, update=False)
    known.text("one\ntwo\n", "golden/said.txt")
    with pytest.raises(
        pytest.fail.Exception, match=r"(?s)golden/said.txt: the text has changed:.*-two.*\+three"
    ):
        known.text("one\nthree\n", "golden/said.txt")
    with pytest.raises(pytest.fail.Exception, match="no such golden file; pytest --update-golden writes it"):
        known.text("", "golden/other.txt")


def test_the_userspace_mode_is_compared_by_service_too(tmp_path: Path) -> None:
    options = {"node": NODE, "mode": "userspace", "version": "1.25"}
    Golden(tmp_path, update=True)(NGX, "golden", **options)  # type: ignore[arg-type]
    path = tmp_path / "golden"
    path.write_text(path.read_text().replace("30651", "30652"))
    with pytest.raises(pytest.fail.Exception, match=r"(?s)default/ngx-svc.*- node port :30652/tcp"):
        Golden(tmp_path, update=False)(NGX, "golden", **options)  # type: ignore[arg-type]
