from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from lineman.tls.acme.renewal_schedule import Window
from lineman.tls.acme.renewalinfo import certificate_id, parse

KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(serial: int, key_identifier: bytes | None) -> x509.Certificate:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(KEY.public_key())
        .serial_number(serial)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=90))
    )
    if key_identifier is not None:
        identifier = x509.AuthorityKeyIdentifier(key_identifier, None, None)
        builder = builder.add_extension(identifier, critical=False)
    return builder.sign(KEY, hashes.SHA256())


def test_the_example_of_the_rfc() -> None:
    """RFC 9773, section 4.1."""
    identifier = bytes.fromhex("69885B6B874640 41E1B37B847BA0AE2CDE01C8D4".replace(" ", ""))
    name = certificate_id(certificate(0x0087654321, identifier))
    assert name == "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"


def test_a_number_without_its_top_bit_has_no_zero_before_it() -> None:
    assert certificate_id(certificate(0x7F, b"\x01")) == "AQ.fw"


def test_a_certificate_without_an_authority_key_identifier_has_no_name() -> None:
    assert certificate_id(certificate(1, None)) is None


def test_a_window_is_read() -> None:
    answer = {
        "suggestedWindow": {"start": "2026-01-03T00:00:00Z", "end": "2026-01-05T02:00:00+02:00"},
        "explanationURL": "https://acme.example.com/docs/ari",
    }
    start = datetime(2026, 1, 3, tzinfo=UTC)
    end = datetime(2026, 1, 5, 2, tzinfo=timezone(timedelta(hours=2)))
    assert parse(answer) == Window(start, end)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"suggestedWindow": None},
        {"suggestedWindow": {"start": "2026-01-03T00:00:00Z"}},
        {"suggestedWindow": {"start": "soon", "end": "later"}},
        {"suggestedWindow": {"start": 1, "end": 2}},
        {"suggestedWindow": {"start": "2026-01-03T00:00:00", "end": "2026-01-05T00:00:00"}},
        {"suggestedWindow": {"start": "2026-01-05T00:00:00Z", "end": "2026-01-03T00:00:00Z"}},
        {"suggestedWindow": {"start": "2026-01-05T00:00:00Z", "end": "2026-01-05T00:00:00Z"}},
    ],
)
def test_what_makes_no_sense_is_no_suggestion(answer: Any) -> None:
    assert parse(answer) is None
