"""Recognises browsers, TLS and PROXY headers by the first bytes of a client. Pure."""

from __future__ import annotations

import re

# So many bytes of a first line are looked at.
ENOUGH = 4096

# HTTP/2 begins with a request whose method is PRI (RFC 9113, section 3.4).
_METHODS = b"GET HEAD POST PUT DELETE OPTIONS CONNECT PATCH TRACE PRI".split()
_REQUEST = re.compile(rb"(?:%s) \S+ HTTP/\d" % b"|".join(_METHODS))
_REQUEST_BEGINS = tuple((method + b" ")[:4] for method in _METHODS)
_PROXY = re.compile(rb"PROXY (?:TCP4|TCP6|UNKNOWN)\b")
_PROXY_BEGINS = (b"PROX", b"\r\n\r\n")
_TLS = b"\x16\x03"

HTTP = (
    "an HTTP request, as of a browser or a websocket client; give such clients a worker with ws:// "
    "or wss://"
)
TLS = (
    "the beginning of TLS; give the worker a certificate (cert=, tls= or acme=), or have its "
    "clients connect without TLS"
)
PROXY = (
    'a PROXY header; give proxy_protocol="required" and trusted_proxies, or have the proxy send '
    "none"
)


def of_line(begun: bytes, is_whole: bool) -> str | None:
    """What a client's first line is, with the remedy; None where it may well be a line.

    Args:
        begun: the first `ENOUGH` bytes of the line, or as many as there are.
        is_whole: whether the line has ended.
    """
    if begun.startswith(_TLS):
        return TLS
    if is_whole and _REQUEST.match(begun):
        return HTTP
    return PROXY if is_whole and _PROXY.match(begun) else None


def of_length(begun: bytes) -> str | None:
    """What four bytes are that are no length; None where that is not known."""
    if begun.startswith(_TLS):
        return TLS
    if begun.startswith(_REQUEST_BEGINS):
        return HTTP
    return PROXY if begun.startswith(_PROXY_BEGINS) else None
