"""The version of a web server, in its own output and on a command line."""

from __future__ import annotations

import re

from lineman.errors import ConfigError, UsageError

Version = tuple[int, int, int]


def parse(text: str) -> Version:
    """`1.22`, `1.22.1` or `v2.6.2` as three numbers.

    Raises:
        UsageError: it is not a version.
    """
    match = re.fullmatch(r"v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:[-+~].*)?", text.strip())
    if match is None:
        raise UsageError(f"{text!r} is no version; write it like 1.22 or 2.4.62")
    return int(match[1]), int(match[2]), int(match[3] or 0)


def find(said: str) -> Version | None:
    """The first version in a program's output; None if there is none."""
    match = re.search(r"(?<![\d.])v?(\d{1,4}\.\d{1,4}(?:\.\d{1,4})?)", said)
    return None if match is None else parse(match[1])


def words(version: Version) -> str:
    """`1.22.1`."""
    return ".".join(str(number) for number in version)


def demand(program: str, version: Version, oldest: Version, why: str) -> None:
    """Refuses a version that the configuration cannot work with.

    Raises:
        ConfigError: it is older.
    """
    if version < oldest:
        raise ConfigError(
            f"{program} {words(version)} {why}",
            f"use {program} {words(oldest)} or newer, or another program; "
            "if another version runs, name it with --target-version",
        )
