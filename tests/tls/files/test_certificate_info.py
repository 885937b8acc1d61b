"""A certificate's name and its times in messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lineman.tls.files.certificate_info import called, date, span


@pytest.mark.parametrize(
    ("names", "subject", "words"),
    [
        (["a.example"], "CN=x", "a.example"),
        (["a.example", "b.example", "c.example"], "", "a.example, b.example, c.example"),
        (list("abcdef"), "", "a, b, c and 3 more"),
        ([], "CN=x", "CN=x"),
        ([], "", "serial 2a"),
    ],
)
def test_a_certificate_is_called_by_what_it_has(names: list[str], subject: str, words: str) -> None:
    assert called(names, subject, "2a") == words


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(days=40), "40 days"),
        (timedelta(days=2), "2 days"),
        (timedelta(hours=47), "47 hours"),
        (timedelta(hours=2), "2 hours"),
        (timedelta(minutes=119), "119 minutes"),
        (timedelta(seconds=59), "0 minutes"),
    ],
)
def test_a_length_of_time_has_its_largest_unit(length: timedelta, words: str) -> None:
    assert span(length) == words


def test_a_moment_names_its_zone() -> None:
    assert date(datetime(2026, 11, 25, 13, 20, 59, tzinfo=UTC)) == "2026-11-25 13:20 UTC"
