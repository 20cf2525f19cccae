"""What is printed is read again, and what is read is printed again, to the byte."""

from __future__ import annotations

import pytest

from rulegen.fake import Nftables
from rulegen.nftables import additions, listed, script
from rulegen.nftables.commands import ScriptError, parse
from rulegen.nftables.commands import script as written
from rulegen.nftables.diff import diff
from rulegen.nftables.listing import read
from rulegen.nftables.table import table
from tests.nftables.rulesets import rulesets
from tests.recorded import cases

NODES = [case["dumps"] for case in cases("dumps-1.37") if case["scenario"]["mode"] == "nftables"]
EXPECTED = [text["nft"] for name in ("1.37-nftables", "1.37-nftables-own") for case in cases(name)
            for text in case["expected"].values()]  # fmt: skip


def test_there_are_as_many_recorded_tables_as_were_looked_for() -> None:
    assert len(NODES) == 4
    assert len(EXPECTED) > 270


@pytest.mark.parametrize("dumps", NODES)
def test_a_listing_of_a_node_is_printed_again_as_nft_printed_it(dumps: dict[str, str]) -> None:
    text = dumps["nft list ruleset"]
    assert listed.ruleset(read(text).tables.values()) == text


def test_a_compiled_table_is_read_again_from_its_listing() -> None:
    for ruleset in rulesets():
        compiled = table(ruleset)
        found = read(compiled.text)
        assert found.tables == {ruleset.family: compiled}
        assert found.tables[ruleset.family].text == compiled.text


def test_recorded_scripts_are_read_and_written_to_the_byte() -> None:
    for text in EXPECTED:
        assert written(command for _, command in parse(text)) == text


def test_what_recorded_scripts_make_is_what_is_compiled() -> None:
    for ruleset in rulesets():
        kernel = Nftables()
        kernel.run(additions(ruleset))
        assert kernel.table(ruleset.family) == table(ruleset)
        assert kernel.list() == table(ruleset).text


def test_a_table_is_made_of_its_script_and_its_script_of_the_table() -> None:
    for ruleset in rulesets():
        for text in (script(ruleset), diff(None, table(ruleset)).text):
            assert written(command for _, command in parse(text)) == text


@pytest.mark.parametrize(
    ("text", "line"),
    [("table ip x {\n}", 1), ("\n# said\nadd rule ip x", 3), ("add chain ip", 1), ("remove table ip x", 1)],
)
def test_text_that_is_no_command_is_an_error_with_its_line(text: str, line: int) -> None:
    with pytest.raises(ScriptError) as caught:
        parse(text)
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("seconds", "text"), [(10800, "3h"), (90, "1m30s"), (86400, "1d"), (7, "7s"), (0, "0s")]
)
def test_times_are_printed_as_nft_prints_them(seconds: int, text: str) -> None:
    assert listed.time(seconds) == text


@pytest.mark.parametrize(
    ("number", "hook", "text"),
    [
        (-110, "prerouting", "dstnat - 10"), (-110, "output", "-110"), (0, "input", "filter"),
        (100, "postrouting", "srcnat"), (5, "forward", "filter + 5"), (77, "forward", "77"),
    ],
)  # fmt: skip
def test_priorities_are_printed_as_nft_prints_them(number: int, hook: str, text: str) -> None:
    assert listed.priority(number, hook) == text
