"""Where manifests come from, and what is said of places that hold none."""

from __future__ import annotations

import io
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from rulegen.load import LoadError, Progress, load

SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"


@pytest.fixture(autouse=True)
def in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def said(*sources: Any, **options: Any) -> str:
    with pytest.raises(LoadError) as failure:
        load(*sources, **options)
    return str(failure.value)


def test_a_path_that_does_not_exist_is_named_beside_everything_else_that_is_wrong() -> None:
    Path("empty.yaml").touch()
    assert said("gone.yaml", "empty.yaml", "gone/") == (
        "gone.yaml: the path does not exist\ngone/: the path does not exist\nempty.yaml: holds no objects"
    )


def test_a_directory_without_manifests_says_what_was_looked_for_and_where_more_may_be() -> None:
    Path("some").mkdir()
    assert said("some") == "some: the directory holds no .yaml, .yml or .json file"
    Path("some/deeper").mkdir()
    Path("some/deeper/a.yaml").write_text(SECRET)
    hint = "; its directories are read with -R"
    assert said("some") == f"some: the directory holds no .yaml, .yml or .json file{hint}"
    assert load("some", recursive=True).passed_over == {"Secret": 1}


def test_an_empty_file_in_a_directory_is_only_a_warning() -> None:
    Path("some").mkdir()
    Path("some/a.yaml").write_text(SECRET)
    Path("some/b.yaml").write_text("# to be written\n")
    assert [str(warning) for warning in load("some").warnings] == ["some/b.yaml: holds no objects"]


def test_an_empty_listing_is_an_answer_too() -> None:
    text = '{"apiVersion": "v1", "items": [], "kind": "List", "metadata": {"resourceVersion": ""}}'
    assert load(io.StringIO(text)).cluster.services == ()
    assert load(io.StringIO("apiVersion: v1\nkind: ServiceList\nitems:\n")).cluster.services == ()


def test_no_source_at_all_is_said_so() -> None:
    assert said() == "no objects were given"


def test_devices_and_sockets_are_not_read_but_pipes_are() -> None:
    assert said("/dev/zero") == "/dev/zero: is a device, not a file"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("door")
        assert said("door") == "door: is a socket, not a file"
    os.mkfifo("pipe")
    writer = threading.Thread(target=Path("pipe").write_text, args=(SECRET,))
    writer.start()
    assert load("pipe").passed_over == {"Secret": 1}
    writer.join()


def test_a_link_to_itself_and_a_name_that_no_file_has_are_problems() -> None:
    Path("loop.yaml").symlink_to("loop.yaml")
    assert said("loop.yaml") == "loop.yaml: too many levels of symbolic links"
    assert said("a\0b") == "a\\x00b: embedded null byte"


def test_standard_input_may_be_text_or_bytes() -> None:
    for stdin in (io.StringIO(SECRET), io.BytesIO(SECRET.encode())):
        assert load("-", stdin=stdin).passed_over == {"Secret": 1}
    assert said("-", stdin=io.StringIO("kind: [")) == "-:1: did not find expected node content"


def test_a_stream_is_called_by_its_name() -> None:
    Path("named.yaml").write_text("3")
    with Path("named.yaml").open() as stream:
        assert said(stream).startswith("named.yaml:1: no Kubernetes object")
    assert said(io.StringIO(SECRET), io.BytesIO(b"3")).startswith("<stream 2>:1: no Kubernetes object")
    stream.close()
    assert said(stream) == "named.yaml: I/O operation on closed file."


def test_values_that_no_manifest_can_hold_are_problems() -> None:
    endless: dict[str, Any] = {}
    endless["metadata"] = endless
    assert said(endless) == "<objects 1>: nested too deep"
    assert said([{"kind": object()}]) == ("<objects 1>[0]: a value of type object has no place in a manifest")
    assert said({"kind": "\ud800"}) == "<objects 1>: a string holds a lone surrogate, which is no character"


def test_a_long_load_tells_how_far_it_has_come() -> None:
    told: list[Progress] = []
    listing = "apiVersion: v1\nkind: List\nitems:\n" + "".join(
        f"- {{apiVersion: v1, kind: Secret, metadata: {{name: s{n}}}}}\n" for n in range(6000)
    )
    load(io.StringIO(listing), io.StringIO("---\n".join([SECRET] * 9000)), progress=told.append)
    reading = [each for each in told if each.step == "reading"]
    checking = [each for each in told if each.step == "checking"]
    assert len(reading) > 4
    assert [each.done for each in reading] == sorted(each.done for each in reading)
    assert reading[-1].done == reading[-1].total
    assert checking[0] == Progress("checking", 0, 15000)
    assert [each.done for each in checking] == list(range(0, 15000, 500))
