"""ACME Renewal Information: the name of a certificate in it, and what the authority suggests.

Source: RFC 9773
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lineman.tls.acme.renewal_schedule import Window

if TYPE_CHECKING:  # imported where it runs: it costs a process 11 MiB and 40 ms
    from cryptography import x509


def certificate_id(certificate: x509.Certificate) -> str | None:
    """A certificate's identifier at the authority; None without an authority key identifier.

    Source: RFC 9773, section 4.1
    """
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except x509.ExtensionNotFound:
        return None
    if found.value.key_identifier is None:
        return None
    serial = certificate.serial_number
    # The content of a DER integer, which has one more bit for the sign.
    content = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
    return f"{_base64url(found.value.key_identifier)}.{_base64url(content)}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def parse(answer: object) -> Window | None:
    """The window in which the authority suggests to renew the certificate.

    It is None if the answer is invalid. The client then uses the certificate's life, as RFC 9773
    (section 4.2) demands.
    """
    window = answer.get("suggestedWindow") if isinstance(answer, Mapping) else None
    if not isinstance(window, Mapping):
        return None
    start, end = _moment(window.get("start")), _moment(window.get("end"))
    if start is None or end is None or end <= start:
        return None
    return Window(start, end)


def _moment(value: Any) -> datetime | None:
    """A time of RFC 3339 with its zone, or None."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
