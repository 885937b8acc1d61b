"""The TLS parameters of a client's connection, and the client's certificate."""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lineman.tls.files import x500
from lineman.tls.openssl import access as openssl


@dataclass(frozen=True)
class TlsInfo:
    """One connection's TLS, as `connection.tls`.

    Args:
        version: `TLSv1.3` or `TLSv1.2`.
        cipher: such as `TLS_AES_128_GCM_SHA256`.
        group: of the key exchange, as OpenSSL calls it: `X25519MLKEM768` is safe from quantum
            computers, `x25519` and `secp256r1` are not; None where it cannot be told.
        server_name: what the client asked for (SNI); None where it asked for nothing, or with an
            `ssl_context` of your own.
        alpn: `http/1.1` where the client offered it, else None.
        is_resumed: whether the client came back with a session ticket, and a whole handshake was
            spared.
        peer_certificate: the client's, as DER; None where it showed none.
        peer_subject: its subject in the form of RFC 4514, such as `CN=phone 7,O=Example`; None
            where it showed none that an authority of `ca_file` vouches for.
        peer_names: the names and addresses in it.
        peer_chain: what the client sent, its own certificate first, as DER; empty for a resumed
            session, which does not send it again.
    """

    version: str
    cipher: str
    server_name: str | None
    alpn: str | None
    is_resumed: bool
    peer_certificate: bytes | None
    peer_subject: str | None
    peer_names: tuple[str, ...]
    peer_chain: tuple[bytes, ...]
    group: str | None = None

    @cached_property
    def peer_fingerprint(self) -> str | None:
        """SHA-256 of the client's certificate, in hexadecimal; None where it showed none."""
        der = self.peer_certificate
        return None if der is None else hashlib.sha256(der).hexdigest()


def read(connection: Any, server_name: str | None) -> TlsInfo:
    """What a `_ssl._SSLSocket` says of itself after its handshake.

    Args:
        connection: the object.
        server_name: what the client asked for.
    """
    der: bytes | None = connection.getpeercert(True)
    said: dict[str, Any] = (connection.getpeercert(False) or {}) if der else {}
    chain = (connection.get_unverified_chain() or ()) if der else ()
    return TlsInfo(
        version=connection.version() or "",
        cipher=(connection.cipher() or ("",))[0],
        server_name=server_name,
        alpn=connection.selected_alpn_protocol(),
        is_resumed=connection.session_reused,
        peer_certificate=der,
        peer_subject=x500.as_text(said["subject"]) if "subject" in said else None,
        peer_names=tuple(str(value) for _, value in said.get("subjectAltName", ())),
        peer_chain=tuple(
            each if isinstance(each, bytes) else each.public_bytes(_DER) for each in chain
        ),
        group=openssl.group_name(connection),
    )


_DER: int = ssl._ssl.ENCODING_DER  # type: ignore[attr-defined]
