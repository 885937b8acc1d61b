"""The extension `tls`: what an application learns about a connection's TLS; pure.

Source: https://asgi.readthedocs.io/en/latest/specs/tls.html
"""

from __future__ import annotations

import ssl
from typing import Any

from lineman.net.stream.tlsinfo import TlsInfo

_VERSIONS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}


def facts(tls: TlsInfo) -> dict[str, Any]:
    """The dictionary of the extension."""
    return {
        "server_cert": None,
        "client_cert_chain": [ssl.DER_cert_to_PEM_cert(each) for each in _chain(tls)],
        "client_cert_name": tls.peer_subject,
        "client_cert_error": None,
        "tls_version": _VERSIONS.get(tls.version),
        "cipher_suite": _SUITES.get(tls.cipher),
    }


def _chain(tls: TlsInfo) -> tuple[bytes, ...]:
    if tls.peer_chain or tls.peer_certificate is None:
        return tls.peer_chain
    return (tls.peer_certificate,)


# By OpenSSL's names (RFC 8446, appendix B.4; RFC 5289; RFC 7905).
_SUITES = {
    "TLS_AES_128_GCM_SHA256": 0x1301,
    "TLS_AES_256_GCM_SHA384": 0x1302,
    "TLS_CHACHA20_POLY1305_SHA256": 0x1303,
    "ECDHE-ECDSA-AES128-GCM-SHA256": 0xC02B,
    "ECDHE-ECDSA-AES256-GCM-SHA384": 0xC02C,
    "ECDHE-RSA-AES128-GCM-SHA256": 0xC02F,
    "ECDHE-RSA-AES256-GCM-SHA384": 0xC030,
    "ECDHE-RSA-CHACHA20-POLY1305": 0xCCA8,
    "ECDHE-ECDSA-CHACHA20-POLY1305": 0xCCA9,
}
