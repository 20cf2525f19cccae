"""JSONPath templates: ways through an object, and what kubectl says where there is none."""

from typing import Any

import pytest

from rulegen.kubectl.jsonpath import PathError, Template, go_syntax, go_text, go_type, relaxed

SERVICE: dict[str, Any] = {
    "kind": "Service",
    "metadata": {"name": "web", "labels": {"app": "web", "example.com/x": "y"}},
    "spec": {
        "ports": [
            {"name": "http", "port": 80, "nodePort": 30080},
            {"name": "dns", "port": 53},
            {"name": "https", "port": 443},
        ],
        "publishNotReadyAddresses": True,
        "weight": 0.5,
        "selector": None,
    },
}


def fill(template: str, **options: bool) -> str:
    return Template(template, **options).fill(SERVICE)


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("{.kind}/{.metadata.name}", "Service/web"),
        ("{$.kind} {@.kind}", "Service Service"),
        (r"{.metadata.labels.example\.com/x}", "y"),
        ("{.spec.ports[*].port}", "80 53 443"),
        ("{.spec.ports[0].name} {.spec.ports[-1].name}", "http https"),
        (
            "{.spec.ports[1:].name} {.spec.ports[:2].name} {.spec.ports[::2].name}",
            "dns https http dns http https",
        ),
        ("{.spec.ports[0,2].name}", "http https"),
        ("{.spec['weight','publishNotReadyAddresses']}", "0.5 true"),
        ("{..port}", "80 53 443"),
        ("{.metadata.labels.*}", "web y"),
        ('{.spec.ports[?(@.name=="dns")].port}', "53"),
        ("{.spec.ports[?(@.nodePort)].port}", "80"),
        ("{.spec.ports[?(@.port>=80)].name}", "http https"),
        ("{.spec.ports[?(@.port!=80)].name}", "dns https"),
        ('{range .spec.ports[*]}{.name}:{.port}{"\\n"}{end}!', "http:80\ndns:53\nhttps:443\n!"),
        ("{range .spec.nothing[*]}{.name}{end}none", "none"),
        ("{.metadata.labels}", '{"app":"web","example.com/x":"y"}'),
        ("{.spec.selector}", "null"),
        ("{.nothing.at.all}", ""),
        ("{1}{2.5}{true}{\"a\\tb\"}{'c'}", "12.5truea\tbc"),
        ("no braces", "no braces"),
    ],
)
def test_templates_are_filled_in(template: str, filled: str) -> None:
    assert fill(template) == filled


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("{.kind", "unclosed action"),
        ("{.a[", "unterminated array"),
        ("{.a[x]}", "invalid array index x"),
        ('{"a}', "unterminated quoted string"),
        (r'{"\q"}', r'unquote string "\q" error invalid syntax'),
        ("{^}", "unrecognized character in action: U+005E '^'"),
        ("{.a[?(@.b==1}", "unterminated filter"),
        ("{.a[?(@.b==1)}", "unclosed array expect ]"),
        ("{1.2.3}", "cannot parse number 1.2.3"),
        ("{....a}", "invalid multiple recursive descent"),
    ],
)
def test_templates_that_cannot_be_read(template: str, fault: str) -> None:
    with pytest.raises(PathError) as refused:
        Template(template)
    assert str(refused.value) == fault


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("{.spec.ports[9]}", "array index out of bounds: index 9, length 3"),
        ("{.spec.ports[0:9]}", "array index out of bounds: index 8, length 3"),
        ("{.spec.ports[2:1]}", "starting index 2 is greater than ending index 1"),
        ("{.spec.ports[0:2:0]}", "step must be > 0"),
        ("{.metadata[0]}", "map[string]interface {} is not array or slice"),
        ("{.spec[?(@.a)]}", f"{go_text(SERVICE['spec'])} is not array or slice and cannot be filtered"),
        ('{.spec.ports[?(@.port=="80")]}', "incompatible types for comparison"),
        ("{.spec.ports[?(@.port=<80)]}", "unrecognized filter operator =<"),
        ("{end}", "not in range, nothing to end"),
        ("{else}", "unrecognized identifier else"),
    ],
)
def test_templates_that_lead_nowhere(template: str, fault: str) -> None:
    with pytest.raises(PathError) as refused:
        fill(template)
    assert str(refused.value) == fault


def test_a_missing_field_is_an_error_only_where_it_is_asked_for() -> None:
    with pytest.raises(PathError, match="nothing is not found"):
        fill("{.nothing}", lenient=False)


def test_as_json_every_part_is_a_list() -> None:
    assert Template("{.kind}{.spec.ports[*].port}").fill(SERVICE, as_json=True) == (
        '[\n    "Service"\n]\n[\n    80,\n    53,\n    443\n]\n'
    )


@pytest.mark.parametrize("path", ["metadata.name", ".metadata.name", "{metadata.name}", "{.metadata.name}"])
def test_a_path_needs_no_braces_where_only_a_path_can_be(path: str) -> None:
    assert relaxed(path) == "{.metadata.name}"


def test_values_as_go_shows_them() -> None:
    value = {"b": [1, None, "x"], "a": {"c": True}}
    assert go_text(value) == "map[a:map[c:true] b:[1 <nil> x]]"
    assert go_syntax(value) == (
        'map[string]interface {}{"a":map[string]interface {}{"c":true},'
        ' "b":[]interface {}{1, interface {}(nil), "x"}}'
    )
    values: list[Any] = [1, 0.5, True, "", [], {}]
    assert [go_type(each) for each in values] == [
        "int64",
        "float64",
        "bool",
        "string",
        "[]interface {}",
        "map[string]interface {}",
    ]
