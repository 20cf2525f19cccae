"""Texts that cannot be read, each with the exact words that the user gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from rulegen.load import LoadError, load

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n"
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)

ZERO_PORT = """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ports:
  - port: 0
"""

UNREADABLE = [
    pytest.param(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n\tports: []\n",
        ("bad.yaml:6: found character that cannot start any token",),
        id="a tab for indentation",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata: {name: web
spec:
  ports: []
""",
        ("bad.yaml:4: did not find expected ',' or '}'",),
        id="a brace that is not closed",
    ),
    pytest.param(
        "kind: Service: v1\n",
        ("bad.yaml:1: mapping values are not allowed in this context",),
        id="two colons in one line",
    ),
    pytest.param(
        'kind: "Service\n',
        ("bad.yaml:1: found unexpected end of stream",),
        id="a quote that is not closed",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
 namespace: x
""",
        ("bad.yaml:5: did not find expected key",),
        id="a key indented between two levels",
    ),
    pytest.param(
        "metadata: *gone\n",
        ("bad.yaml:1: unknown anchor 'gone' referenced",),
        id="an alias without an anchor",
    ),
    pytest.param(
        "a: &a {b: *a}\n",
        ("bad.yaml:1: anchor 'a' value contains itself",),
        id="an anchor inside of itself",
    ),
    pytest.param(
        """\
a: &a [x,x,x,x,x,x,x,x,x]
b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]
c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]
d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]
e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]
f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]
g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]
h: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g]
i: &i [*h,*h,*h,*h,*h,*h,*h,*h,*h]
j: &j [*i,*i,*i,*i,*i,*i,*i,*i,*i]
""",
        ("bad.yaml:4: document contains excessive aliasing",),
        id="an alias bomb",
    ),
    pytest.param(
        "a: " + "[" * 300 + "]" * 300,
        ("bad.yaml:1: nested more than 200 deep",),
        id="lists 300 deep",
    ),
    pytest.param(
        '{"a":' + "[" * 3000 + "]" * 3000 + "}",
        ("bad.yaml:1: nested too deep",),
        id="JSON 3000 deep",
    ),
    pytest.param(
        "?\n: x\n",
        ("bad.yaml:1: a key must not be empty or null",),
        id="a key that is nothing",
    ),
    pytest.param(
        """\
? [a]
: x
""",
        ("bad.yaml:1: a key must be a scalar, not a mapping or a list",),
        id="a key that is a list",
    ),
    pytest.param(
        "kind: !!int Service\n",
        ("bad.yaml:1: cannot decode !!str `Service` as a !!int",),
        id="a tag that does not fit",
    ),
    pytest.param(
        "kind: !!binary 'a'\n",
        ("bad.yaml:1: !!binary value contains invalid base64 data",),
        id="binary that is no base64",
    ),
    pytest.param(
        "<<: 3\n",
        ("bad.yaml:1: map merge requires map or sequence of maps as the value",),
        id="a merge of a number",
    ),
    pytest.param(
        "kind: Serv\x07ice\n",
        ("bad.yaml:1: control characters are not allowed",),
        id="a control character",
    ),
    pytest.param(
        'kind: "\\q"\n',
        ("bad.yaml:1: found unknown escape character",),
        id="an unknown escape",
    ),
    pytest.param(
        "--- {kind: Service}\n",
        ("bad.yaml:1: invalid Yaml document separator: {kind: Service}",),
        id="content behind the separator",
    ),
    pytest.param(
        "",
        ("bad.yaml: holds no objects",),
        id="an empty file",
    ),
    pytest.param(
        """\
# nothing
---
# more
""",
        ("bad.yaml: holds no objects",),
        id="a file of comments",
    ),
    pytest.param(
        b"\x7fELF\x02\x00\x00\x00",
        ("bad.yaml:1: is a binary file: it has a NUL byte",),
        id="a program",
    ),
    pytest.param(
        b"\x1f\x8b\x08\x00abc",
        ("bad.yaml: is compressed with gzip; unpack it first",),
        id="a compressed file",
    ),
    pytest.param(
        b"kind: Service\nmetadata: \xff\xfe\n",
        ("bad.yaml:2: is not valid UTF-8: byte 0xff",),
        id="bytes that are no UTF-8",
    ),
    pytest.param(
        b"\xff\xfek\x00i\x00n",
        ("bad.yaml: is not valid UTF-16, which its byte order mark says it is",),
        id="half a UTF-16 character",
    ),
    pytest.param(
        ZERO_PORT.encode("utf-16"),
        (
            "bad.yaml:7: Service default/web: spec.ports[0].port: Invalid value: 0: must be "
            "between 1 and 65535, inclusive",
            "bad.yaml:7: Service default/web: spec.ports[0].targetPort: Invalid value: 0: must be "
            "between 1 and 65535, inclusive",
        ),
        id="UTF-16",
    ),
    pytest.param(
        "just text\n",
        ("bad.yaml:1: no Kubernetes object: an object is a mapping with apiVersion and kind",),
        id="a sentence",
    ),
    pytest.param(
        "42\n",
        ("bad.yaml:1: no Kubernetes object: an object is a mapping with apiVersion and kind",),
        id="a number",
    ),
    pytest.param(
        """\
- a
- {}
""",
        (
            "bad.yaml:1: no Kubernetes object: an object is a mapping with apiVersion and kind",
            "bad.yaml:2: kind: Required value",
        ),
        id="a list of other things",
    ),
    pytest.param(
        """\
{"kind": "Service",
 "metadata": {
""",
        ("bad.yaml:2: JSON is cut off: the text ends too early",),
        id="JSON cut off",
    ),
    pytest.param(
        '{"kind": "Service",\n "a": tru}\n x',
        ("bad.yaml:2: JSON is malformed: invalid character",),
        id="JSON with a misspelt word",
    ),
    pytest.param(
        '{"kind":"Secret","apiVersion":"v1"}\n{"kind":"Secret",,}',
        ("bad.yaml:2: JSON is malformed: object keys must be strings",),
        id="a second JSON value that is broken",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ports:
  - port: .nan
""",
        ("bad.yaml:7: json: unsupported value: NaN",),
        id="not a number",
    ),
    pytest.param(
        '{"apiVersion":"v1","kind":"Service","metadata":{"name":"web"},\n"spec":{"ports":[{"port":1e999}]}}',
        ("bad.yaml:2: number 1e999 is out of range",),
        id="a number beyond all bounds",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ports:
  - port: 99999999999999999999999999
""",
        (
            "bad.yaml:7: Service default/web: spec.ports[0].port: json: cannot unmarshal number "
            "1e+26 into Go struct field ServicePort.spec.ports.port of type int32",
        ),
        id="an integer beyond all bounds",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: List
items: {}
""",
        ("bad.yaml:3: items: Invalid value: must be a list of objects",),
        id="a List without a list",
    ),
    pytest.param(
        '{"apiVersion": "v1",\n"kind": "List",\n"items": 3}',
        ("bad.yaml:3: items: Invalid value: must be a list of objects",),
        id="a JSON List without a list",
    ),
    pytest.param(
        """\
apiVersion: v1
kind: List
items:
- 3
- kind: Service
""",
        (
            "bad.yaml:4: no Kubernetes object: an object is a mapping with apiVersion and kind",
            "bad.yaml:5: Service: apiVersion: Required value",
        ),
        id="a number among a List",
    ),
    pytest.param(
        ZERO_PORT.replace("\n", "\r\n"),
        (
            "bad.yaml:7: Service default/web: spec.ports[0].port: Invalid value: 0: must be "
            "between 1 and 65535, inclusive",
            "bad.yaml:7: Service default/web: spec.ports[0].targetPort: Invalid value: 0: must be "
            "between 1 and 65535, inclusive",
        ),
        id="Windows line ends",
    ),
    pytest.param(
        b"\xef\xbb\xbf" + ZERO_PORT.encode(),
        (
            "bad.yaml:7: Service default/web: spec.ports[0].port: Invalid value: 0: must be "
            "between 1 and 65535, inclusive",
            "bad.yaml:7: Service default/web: spec.ports[0].targetPort: Invalid value: 0: must be "
            "between 1 and 65535, inclusive",
        ),
        id="a byte order mark",
    ),
]


@pytest.mark.parametrize(("content", "messages"), UNREADABLE)
def test_a_text_that_cannot_be_read_is_told_by_line(
    content: str | bytes, messages: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(LoadError) as failure:
        load("bad.yaml")
    assert tuple(str(problem) for problem in failure.value.problems) == messages
