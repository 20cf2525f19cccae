"""Label and field selectors: what they choose, and what is wrong with others."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rulegen.kubectl.resources import find_resource
from rulegen.kubectl.selectors import (
    field_matches,
    from_label_selector,
    matches,
    parse_fields,
    parse_labels,
    show_labels,
)

STEADY = settings(derandomize=True, deadline=None)
WEB = {"app": "web", "track": "stable", "generation": "12"}


@pytest.mark.parametrize(
    "selector",
    [
        "",
        "app",
        "app=web",
        "app==web",
        "app!=db",
        "app in (db,web)",
        "app notin (db)",
        "!old",
        "team!=x",
        "team notin (x)",
        "generation>11,generation<13",
        " app = web , track in ( stable , canary ) ",
    ],
)
def test_selectors_that_choose_the_web(selector: str) -> None:
    assert matches(parse_labels(selector), WEB)


@pytest.mark.parametrize(
    "selector",
    ["old", "app=db", "app!=web", "!app", "app in (db,)", "app notin (web)", "team>1", "track>1", "app="],
)
def test_selectors_that_do_not(selector: str) -> None:
    assert not matches(parse_labels(selector), WEB)


def test_an_empty_value_is_a_value() -> None:
    assert matches(parse_labels("app in ()"), {"app": ""})
    assert matches(parse_labels("app="), {"app": ""})
    assert not matches(parse_labels("app in (,web)"), {})


def test_an_objects_own_selector_chooses_nothing_where_there_is_none_and_all_where_it_is_empty() -> None:
    assert from_label_selector(None) is None
    everything = from_label_selector({})
    assert everything is not None
    assert matches(everything, WEB)
    assert matches(everything, None)
    one = from_label_selector(
        {
            "matchLabels": {"app": "web"},
            "matchExpressions": [
                {"key": "track", "operator": "In", "values": ["stable", "canary"]},
                {"key": "old", "operator": "DoesNotExist"},
            ],
        }
    )
    assert one is not None
    assert matches(one, WEB)
    assert ",".join(map(str, one)) == "app=web,!old,track in (canary,stable)"
    with pytest.raises(ValueError, match='"Like" is not a valid label selector operator'):
        from_label_selector({"matchExpressions": [{"key": "a", "operator": "Like"}]})


def test_fields_are_those_of_the_type() -> None:
    pod = {
        "metadata": {"name": "p", "namespace": "n"},
        "spec": {"nodeName": "n1"},
        "status": {"podIPs": None},
    }
    pods, slices = find_resource("pods"), find_resource("endpointslices")
    assert field_matches(parse_fields("spec.nodeName=n1,status.phase!=Failed", pods), pods, pod)
    assert field_matches(parse_fields("spec.hostNetwork=false,status.podIP=", pods), pods, pod)
    with pytest.raises(ValueError, match="not a known field selector"):
        parse_fields("spec.nodeName=n1", slices)


def test_a_backslash_keeps_a_comma_in_a_fields_value() -> None:
    pods = find_resource("pods")
    assert field_matches(
        parse_fields(r"metadata.name=a\,b\=c\\", pods), pods, {"metadata": {"name": r"a,b=c" + "\\"}}
    )
    for wrong in (r"metadata.name=a\b", "metadata.name=a=b", "metadata.name=a\\"):
        with pytest.raises(ValueError, match="invalid field selector"):
            parse_fields(wrong, pods)


KEYS = st.from_regex(
    r"([a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,8}[A-Za-z0-9])?", fullmatch=True
)
VALUES = st.from_regex(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,8}[A-Za-z0-9])?)?", fullmatch=True)
LABELS = st.dictionaries(KEYS, VALUES, max_size=5)


@STEADY
@given(LABELS, LABELS)
def test_labels_shown_select_what_has_them_all(own: dict[str, str], others: dict[str, str]) -> None:
    selector = show_labels(own) if own else ""
    both = {**others, **own}
    assert matches(parse_labels(selector), both)
    expected = all(others.get(key) == value for key, value in own.items())
    assert matches(parse_labels(selector), others) is expected


@STEADY
@given(
    st.lists(
        st.one_of(
            KEYS,
            KEYS.map("!{}".format),
            st.tuples(KEYS, st.sampled_from(["=", "==", "!="]), VALUES).map("".join),
            st.tuples(KEYS, st.sampled_from(["in", "notin"]), st.lists(VALUES, min_size=1, max_size=3)).map(
                lambda each: f"{each[0]} {each[1]} ({','.join(each[2])})"
            ),
        ),
        max_size=4,
    ).map(",".join),
    LABELS,
)
def test_a_selector_written_again_chooses_the_same(text: str, labels: dict[str, str]) -> None:
    selector = parse_labels(text)
    again = parse_labels(",".join(map(str, selector)))
    assert matches(again, labels) is matches(selector, labels)
