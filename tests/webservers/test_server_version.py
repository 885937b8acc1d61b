"""The version of a web server, as it says it and as people write it."""

from __future__ import annotations

import pytest

from lineman.errors import UsageError
from lineman.webservers.server_version import Version, find, parse

# Versions.


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("nginx version: nginx/1.22.1\n", (1, 22, 1)),
        ("Server version: Apache/2.4.62 (Debian)\nServer built:   2026-11-12T08:58:41", (2, 4, 62)),
        ("v2.11.4 h1:abc=", (2, 11, 4)),
        ("2.6.2", (2, 6, 2)),
        ("HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/", (2, 6, 12)),
        ("HAProxy version 3.3-dev1", (3, 3, 0)),
        ("command not found", None),
    ],
)
def test_the_version_is_found_in_what_a_program_says(said: str, version: Version | None) -> None:
    assert find(said) == version


def test_a_version_is_read_as_people_write_it() -> None:
    assert parse("1.22") == (1, 22, 0)
    assert parse(" v2.6.2-5 ") == (2, 6, 2)
    for text in ("", "1", "one.two", "1.2.3.4", "1.2; evil"):
        with pytest.raises(UsageError, match="is no version"):
            parse(text)
