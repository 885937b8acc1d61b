from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lineman.cli.commands.cert.list import line
from lineman.tls.acme.acme_options import from_worker
from lineman.tls.acme.acme_store import AcmeState

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "is_there", "words"),
    [
        (AcmeState(), False, "not obtained yet"),
        (
            AcmeState(not_after=NOW + timedelta(days=30)),
            True,
            "until 2026-12-25 12:00 UTC (30 days)",
        ),
        (
            AcmeState(not_after=NOW + timedelta(hours=30)),
            True,
            "until 2026-11-26 18:00 UTC (30 hours)",
        ),
        (AcmeState(not_after=NOW), True, "ENDED on 2026-11-25 12:00 UTC"),
        (AcmeState(), True, "there"),
        (
            AcmeState(failures=1, seen="no route", next_at=NOW),
            False,
            "not obtained yet  FAILED once: no route; next attempt 2026-11-25 12:00 UTC",
        ),
        (AcmeState(failures=4, seen="no route", next_at=NOW), True, "FAILED 4 times: no route"),
    ],
)
def test_a_certificate_is_one_line(
    tmp_path: Path, state: AcmeState, is_there: bool, words: str
) -> None:
    settings = from_worker("", ["chat.example.com"], None, tmp_path)
    found = line(settings, state, is_there=is_there, now=NOW)
    assert found.startswith("chat.example.com  letsencrypt  ")
    assert words in found
