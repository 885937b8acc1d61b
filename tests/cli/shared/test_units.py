from __future__ import annotations

import pytest

from lineman.cli.shared import units


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (0.01, "<0.1"),
        (0.34, "0.3"),
        (5, "5"),
        (812, "812"),
        (1023, "1023"),
        (1024, "1.0K"),
        (1536, "1.5K"),
        (10 * 1024, "10K"),
        (1024**2 - 1, "1.0M"),
        (340 * 1024**2, "340M"),
        (5 * 1024**3, "5.0G"),
        (7000 * 1024**4, "7000T"),
    ],
)
def test_bytes(count: float, text: str) -> None:
    assert units.size(count) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (999, "999"), (1000, "1.0k"), (12_345, "12k"), (34e6, "34M")]
)
def test_numbers(count: float, text: str) -> None:
    assert units.number(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0s"),
        (59.9, "59s"),
        (312, "5m12s"),
        (3 * 3600 + 300, "3h05m"),
        (12 * 86400 + 4 * 3600, "12d04h"),
    ],
)
def test_spans(seconds: float, text: str) -> None:
    assert units.span(seconds) == text


def test_delays_shares_and_dates() -> None:
    assert [units.delay(value) for value in (0, 0.0123, 0.9999, 61)] == [
        "0ms",
        "12ms",
        "1.0s",
        "61.0s",
    ]
    assert [units.share(value) for value in (0, 0.074, 1.8)] == ["0%", "7%", "180%"]
    assert units.date(0) == "1970-01-01 00:00 UTC"
