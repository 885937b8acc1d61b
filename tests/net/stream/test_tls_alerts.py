"""The messages about a TLS handshake that fails."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from lineman.net.stream.tls_alerts import EXPLAINED
from lineman.net.stream.tlsstream import explain

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "worker.md"


def failure(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


@pytest.mark.parametrize("reason", sorted(EXPLAINED))
def test_each_has_its_line_in_the_reference(reason: str) -> None:
    said = explain(failure(reason))
    assert said.startswith(f"TLS: {EXPLAINED[reason]}")
    rows = [
        line.split("`")[1]
        for line in REFERENCE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `TLS: ")
    ]
    heads = [said for row in rows for said in (row, row.removesuffix("…").rstrip())]
    assert any(said.startswith(head) for head in heads) or "revoked" in said, said


@pytest.mark.parametrize(
    "reason", ["SSLV3_ALERT_CERTIFICATE_UNKNOWN", "SSLV3_ALERT_BAD_CERTIFICATE"]
)
def test_a_certificate_that_a_browser_refuses_comes_with_what_mends_it(reason: str) -> None:
    said = explain(failure(reason))
    for words in ("self-signed", "another name", "lineman cert check", "lineman cert trust"):
        assert words in said
