"""Cookies that a response sets, and those that no browser would keep."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import Any

import pytest

from lineman.errors import UsageError
from lineman.protocols.http.responses import Response


def line(**given: Any) -> str:
    response = Response()
    response.set_cookie(**{"name": "a", "value": "b", **given})
    assert response.encode().count(b"\r\nSet-Cookie: ") == 1
    return dict(response.headers)["Set-Cookie"]


def test_a_cookie_is_kept_from_scripts_and_other_sites_by_default() -> None:
    assert line() == "a=b; Path=/; HttpOnly; SameSite=Lax"


def test_every_attribute_is_what_python_reads() -> None:
    read = SimpleCookie(
        line(max_age=60, path="/x", domain="example.com", secure=True, same_site="None")
    )["a"]
    assert (read.value, read["max-age"], read["path"]) == ("b", "60", "/x")
    assert (read["domain"], read["secure"], read["httponly"]) == ("example.com", True, True)
    assert read["samesite"] == "None"
    assert line(path=None, http_only=False, same_site=None) == "a=b"


def test_a_cookie_is_deleted_by_its_age() -> None:
    response = Response()
    response.delete_cookie("a", path="/x")
    assert dict(response.headers)["Set-Cookie"] == "a=; Max-Age=0; Path=/x; HttpOnly"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"name": "a b"}, "name is 'a b'"),
        ({"name": ""}, "name is ''"),
        ({"value": "a;b"}, "urllib.parse.quote"),
        ({"value": "a b"}, "urllib.parse.quote"),
        ({"value": "a\r\nX: y"}, "urllib.parse.quote"),
        ({"value": "ü"}, "urllib.parse.quote"),
        ({"value": 3}, "urllib.parse.quote"),
        ({"path": "/; Domain=evil"}, "ASCII without ;"),
        ({"domain": "a\nb"}, "ASCII without ;"),
        ({"max_age": -1}, "give seconds"),
        ({"max_age": 1.5}, "give seconds"),
        ({"same_site": "lax"}, '"Lax"'),
        ({"same_site": "None"}, "demand secure=True"),
        ({"name": "__Secure-a"}, "only with secure=True"),
        ({"name": "__Host-a", "secure": True, "domain": "x"}, "no domain"),
    ],
)
def test_a_cookie_that_would_be_lost_or_more_than_one_is_refused(
    given: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        line(**given)
