from __future__ import annotations

import pytest

from lineman.errors import ConfigError
from lineman.tls.files.sni_names import NameTable, plain_name

TABLE = NameTable(
    (plain_name(name), name)
    for name in ("chat.example.com", "*.example.com", "example.com", "*.b.test", "münchen.test")
)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("chat.example.com", "chat.example.com"),
        ("CHAT.Example.COM", "chat.example.com"),
        ("chat.example.com.", "chat.example.com"),
        ("other.example.com", "*.example.com"),
        ("example.com", "example.com"),
        ("a.b.example.com", None),
        ("b.test", None),
        ("x.b.test", "*.b.test"),
        (".b.test", None),
        ("*.b.test", "*.b.test"),
        ("xn--mnchen-3ya.test", "münchen.test"),
        ("", None),
        (".", None),
    ],
)
def test_the_most_specific_name_counts_and_a_wildcard_covers_one_label(
    asked: str, found: str | None
) -> None:
    assert TABLE.find(asked) == found


def test_of_two_with_the_same_name_the_first_counts() -> None:
    assert NameTable([("a.test", 1), ("a.test", 2)]).find("a.test") == 1


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        (" Chat.Example.COM. ", "chat.example.com"),
        ("*.Example.com", "*.example.com"),
        ("MÜNCHEN.test", "xn--mnchen-3ya.test"),
        ("localhost", "localhost"),
        ("_srv.example.com", "_srv.example.com"),
    ],
)
def test_a_name_is_written_as_clients_send_it(name: str, plain: str) -> None:
    assert plain_name(name) == plain


@pytest.mark.parametrize(
    "name",
    [
        "",
        "*",
        "*.",
        "a..b",
        "a.*.test",
        "w*.test",
        "*.*.test",
        "-a.test",
        "a b",
        "x" * 64,
        "a." * 130,
    ],
)
def test_what_is_no_host_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is no host name that"):
        plain_name(name)
