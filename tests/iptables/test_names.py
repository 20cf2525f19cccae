"""Chain names as people find them on nodes."""

import base64
import hashlib

from hypothesis import given
from hypothesis import strategies as st

from rulegen.iptables.names import hashes


def test_the_chain_of_the_beginners_service_has_its_known_name() -> None:
    assert hashes(["default/ngx-svctcp"]) == ["DQYKF4NVSQPF2JO7"]


def test_the_chains_of_its_endpoints_have_their_known_names() -> None:
    texts = ["default/ngx-svctcp10.10.0.232:80", "default/ngx-svctcp10.10.1.86:80"]
    assert hashes(texts) == ["N357PXV6D5FPH3DQ", "XWG4OMELOYUSY7NQ"]


@given(st.lists(st.text(st.characters(codec="utf-8"))))
def test_encoding_many_at_once_is_base32_of_each(texts: list[str]) -> None:
    expected = [base64.b32encode(hashlib.sha256(t.encode()).digest()).decode()[:16] for t in texts]
    assert hashes(texts) == expected
