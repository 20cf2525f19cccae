"""What the real API server, and the code that it is built from, answered to objects."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from rulegen.conformance import validate
from rulegen.load.api import admit
from tests.recorded import FIXTURES, cases

Case = dict[str, Any]


def answers() -> list[Case]:
    with gzip.open(FIXTURES / "admission" / "answers-1.37.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.mark.parametrize("case", [pytest.param(case, id=str(i)) for i, case in enumerate(cases("api-1.37"))])
def test_an_object_is_answered_as_the_api_server_answered_it(case: Case) -> None:
    answer = validate(case["object"])
    if case["code"] == 201:
        assert answer == {"result": case["result"]}
    elif case["code"] == 422:
        assert sorted(answer["errors"]) == sorted(case["errors"])
    else:
        assert answer["errors"]
        assert all(field and message for field, message in answer["errors"])


@pytest.mark.parametrize("case", [case for case in cases("api-1.37") if case["code"] == 400])
def test_an_object_that_cannot_be_decoded_is_refused_in_the_servers_words(case: Case) -> None:
    messages = [message for _, message in validate(case["object"])["errors"]]
    said = case["message"].partition(" cannot be handled as a ")[2].partition(": ")[2]
    said = said.removeprefix("strict decoding error: ")
    # Which label it is stands behind what the server says.
    assert said in {message.partition(" (the value of ")[0] for message in messages}


@pytest.mark.parametrize("case", [pytest.param(case, id=str(i)) for i, case in enumerate(answers())])
def test_an_object_is_answered_as_the_servers_code_answers_it(case: Case) -> None:
    admission = admit(case["object"], placeholders=True)
    if case["code"] == 201:
        assert admission.errors == ()
        assert admission.result == case["result"]
        assert sorted(map(said, admission.warnings)) == sorted(case["warnings"])
    else:
        assert sorted(map(list, admission.errors)) == sorted(case["errors"])


def said(warning: Any) -> str:
    """A warning as the server words it: in some it has the field inside of the sentence."""
    field, message = warning
    if field.startswith("metadata.annotations["):
        return f"annotation {field[21:-1]} {message.removeprefix('annotation ')}"
    if message.startswith("is ignored") and field == "spec.sessionAffinity":
        return f"spec.SessionAffinity {message}"
    if field == "addressType":
        return f"spec.addressType: {message}"
    return f"{field} {message}" if message.startswith("is ") else f"{field}: {message}"
