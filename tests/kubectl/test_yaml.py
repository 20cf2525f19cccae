"""YAML and JSON that are written: they mean what was written, in kubectl's form."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rulegen.kubectl import to_json, to_kyaml, to_yaml
from rulegen.kubectl.numbers import general_number, json_number
from rulegen.kubectl.yamltext import sorted_keys

STEADY = settings(derandomize=True, deadline=None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("web", "web"),
        ("80-http", "80-http"),
        ("10.0.0.1", "10.0.0.1"),
        ("fd00::1", "fd00::1"),
        ("80", '"80"'),
        ("", '""'),
        ("yes", '"yes"'),
        ("No", '"No"'),
        ("y", '"y"'),
        ("~", '"~"'),
        ("1e3", '"1e3"'),
        (".5", '".5"'),
        ("0x1F", '"0x1F"'),
        ("0777", '"0777"'),
        ("1_000", '"1_000"'),
        ("1:30", '"1:30"'),
        ("2024-01-01", '"2024-01-01"'),
        ("2024-02-30", "2024-02-30"),
        ("1e999", "1e999"),
        ("- a", "'- a'"),
        ("a: b", "'a: b'"),
        ("a #b", "'a #b'"),
        ("it's", "it's"),
        ("'", "''''"),
        (" a", "' a'"),
        ("tab\there", '"tab\\there"'),
        ("<none>", "<none>"),
        ("{}", "'{}'"),
        ("a\nb", "|-\n  a\n  b"),
        ("a\n", "|\n  a"),
        ("a\n\n", "|+\n  a\n"),
        (" a\nb", "|2-\n   a\n  b"),
        ("a \n", '"a \\n"'),
        ("ü", "ü"),
        ("😀", '"\\U0001F600"'),
    ],
)
def test_a_string_is_quoted_only_where_it_would_read_as_something_else(text: str, shown: str) -> None:
    assert to_yaml({"k": text}) == f"k: {shown}\n"


def test_lists_are_not_indented_and_empty_things_are_written_in_one_line() -> None:
    value = {
        "ports": [{"port": 80, "name": "http"}, {"port": 443}],
        "none": [],
        "empty": {},
        "nested": [[1, 2], []],
    }
    assert to_yaml(value) == (
        "empty: {}\nnested:\n- - 1\n  - 2\n- []\nnone: []\nports:\n- name: http\n  port: 80\n- port: 443\n"
    )


def test_long_text_is_folded_at_the_first_space_beyond_column_80() -> None:
    words = "word " * 30
    lines = to_yaml({"note": words.strip()}).splitlines()
    assert lines[0] == "note: " + ("word " * 16).strip()
    assert lines[1].startswith("  word ")


def test_a_key_of_more_than_128_bytes_stands_on_a_line_of_its_own() -> None:
    assert to_yaml({"k" * 129: {"a": "b"}}) == f"? {'k' * 129}\n: a: b\n"


def test_keys_are_in_natural_order() -> None:
    keys = ["a10", "a2", "b", "B", "1", "_", "a", "a-b", "a01"]
    assert sorted_keys(dict.fromkeys(keys)) == ["_", "1", "B", "a", "a-b", "a01", "a2", "a10", "b"]


def test_control_characters_cannot_be_written_as_kubectl_cannot() -> None:
    with pytest.raises(ValueError, match="control characters are not allowed"):
        to_yaml({"a": "\x7f"})


def test_json_escapes_what_html_could_take_for_its_own() -> None:
    assert to_json({"b": "<&>", "a": [True, None, 1.5, {}]}) == (
        '{\n    "a": [\n        true,\n        null,\n        1.5,\n        {}\n    ],\n'
        '    "b": "\\u003c\\u0026\\u003e"\n}\n'
    )


@pytest.mark.parametrize(
    ("value", "in_json", "in_general"),
    [
        (1.0, "1", "1"),
        (1e6, "1000000", "1e+06"),
        (1e21, "1e+21", "1e+21"),
        (1e-7, "1e-7", "1e-07"),
        (0.0001, "0.0001", "0.0001"),
        (-2.5, "-2.5", "-2.5"),
        (1234567.75, "1234567.75", "1.23456775e+06"),
    ],
)
def test_numbers_are_written_as_go_writes_them(value: float, in_json: str, in_general: str) -> None:
    assert (json_number(value), general_number(value)) == (in_json, in_general)


# What the JSON that is made YAML of cannot carry over: see test_control_characters_... and NEL.
TEXTS = st.text(st.characters(blacklist_categories=["Cs", "Cc"], whitelist_characters="\n\t"), max_size=120)
DATA = st.recursive(
    TEXTS,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(TEXTS, below, max_size=4),
    max_leaves=12,
)


@STEADY
@given(st.dictionaries(st.text("abcXYZ019./-_ :#", max_size=12), DATA, max_size=4))
def test_yaml_reads_back_as_what_was_written(value: dict[str, Any]) -> None:
    written = to_yaml(value)
    # The base loader takes every scalar for text, as all of these are.
    assert yaml.load(written, Loader=yaml.BaseLoader) == value


@STEADY
@given(st.dictionaries(TEXTS, DATA, max_size=4))
def test_json_and_kyaml_read_back_as_what_was_written(value: dict[str, Any]) -> None:
    assert json.loads(to_json(value)) == value
    assert to_kyaml(value).startswith("---\n{")


@STEADY
@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20))
def test_plain_text_stays_text_for_a_reader_of_yaml(text: str) -> None:
    written = to_yaml({"k": text})
    read = yaml.safe_load(written)["k"]
    # PyYAML knows a few more types than go-yaml: "=" and times with blanks in them.
    assert read == text or text == "=" or not isinstance(read, str | int | float | bool | None)
