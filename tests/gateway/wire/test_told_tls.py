"""What an application behind a gateway process is told of a client's TLS."""

from __future__ import annotations

from lineman.asgi.tls_extension import facts
from lineman.gateway.wire.told_tls import hear, tell
from lineman.net.stream.tlsinfo import TlsInfo

SUITE = "TLS_AES_128_GCM_SHA256"


def test_an_application_learns_the_same_as_in_a_process_of_its_own() -> None:
    for certificate, chain in ((None, ()), (b"der", (b"der", b"ca")), (b"der", ())):
        subject = None if certificate is None else "CN=phone"
        info = TlsInfo("TLSv1.3", SUITE, "a", None, False, certificate, subject, ("a",), chain)
        heard = hear(tell(info))
        assert heard is not None
        assert facts(heard) == facts(info)


def test_nothing_is_told_without_tls() -> None:
    assert hear(tell(None)) is None
