"""What an application may be given as."""

from __future__ import annotations

import pytest

from lineman.config.app_kinds import check_app, check_root_path
from lineman.errors import ConfigError


async def app(scope: object, receive: object, send: object) -> None: ...


@pytest.mark.parametrize("given", [None, app, "main:app", "a.b:c.d", {"/": app, "/api": "x:y"}])
def test_these_are_right(given: object) -> None:
    check_app(given)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("main", "module:attribute"),
        ("main.py", "module:attribute"),
        ("main:", "module:attribute"),
        ("a b:c", "module:attribute"),
        (7, "is of type int"),
        ({}, "an empty dictionary"),
        ({"api": app}, "the path 'api'"),
        ({"/api/": app}, "without a slash behind"),
        ({7: app}, "the path 7"),
        ({"/": "main"}, "module:attribute"),
        ({"/": None}, "NoneType"),
    ],
)
def test_these_are_wrong(given: object, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        check_app(given)


def test_a_root_path_begins_with_a_slash() -> None:
    check_root_path("")
    check_root_path("/api")
    for wrong in ("api", 7, None):
        with pytest.raises(ConfigError, match="root_path is"):
            check_root_path(wrong)
