from __future__ import annotations

import pytest
from cryptography import x509

from lineman.tls.files.x500 import as_text


def test_the_last_part_comes_first_and_kinds_are_short() -> None:
    name = ((("countryName", "DE"),), (("organizationName", "Example"),), (("commonName", "7"),))
    assert as_text(name) == "CN=7,O=Example,C=DE"
    assert as_text(((("commonName", "a"), ("userId", "b")),)) == "CN=a+UID=b"
    assert as_text(((("emailAddress", "a@b"),),)) == "emailAddress=a@b"
    assert as_text(()) == ""


@pytest.mark.parametrize(
    "value",
    ["a,b", 'a"b', "a+b", "a\\b", "a;b", "a<b>", "#a", " a", "a ", "a#b", "é", "聊天", "=a"],
)
def test_what_is_escaped_is_read_back_by_somebody_else(value: str) -> None:
    text = as_text(((("commonName", value),),))
    (attribute,) = x509.Name.from_rfc4514_string(text)
    assert attribute.value == value
