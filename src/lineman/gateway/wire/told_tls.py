"""What a gateway process tells an application about a client's TLS. Pure."""

from __future__ import annotations

from lineman.net.stream.tlsinfo import TlsInfo

# Version, cipher, subject of the client's certificate, and its chain as DER.
ToldTls = tuple[str, str, str | None, tuple[bytes, ...]]


def tell(tls: TlsInfo | None) -> ToldTls | None:
    """What is said about a connection's TLS; None for a connection without it."""
    if tls is None:
        return None
    chain = tls.peer_chain
    if not chain and tls.peer_certificate is not None:
        chain = (tls.peer_certificate,)
    return tls.version, tls.cipher, tls.peer_subject, chain


def hear(told: ToldTls | None) -> TlsInfo | None:
    """The same for the application; what it does not learn is empty."""
    if told is None:
        return None
    version, cipher, subject, chain = told
    certificate = chain[0] if chain else None
    return TlsInfo(version, cipher, None, None, False, certificate, subject, (), chain)
