"""What went wrong between a client and a server, with a remedy."""

from __future__ import annotations

import errno
import os
import shlex
import socket
import ssl
from typing import NamedTuple

from lineman.client.stream_target import AnyTarget
from lineman.errors import ConfigError
from lineman.protocols.websocket import close
from lineman.protocols.websocket.client.client_handshake import HandshakeRefusedError
from lineman.protocols.websocket.client.server_answer import Answer, NotHttpError
from lineman.tls.development.machine import dev_directory


class Failure(NamedTuple):
    """One kind of failure.

    Attributes:
        kind: a few words; failures are counted by it.
        seen: what was seen, as a sentence without a full stop.
        fix: what to do about it.
    """

    kind: str
    seen: str
    fix: str


def close_words(code: int) -> str:
    """A close code with its meaning, where it has one: `1011 internal error`, `4001`."""
    words = close.words(code)
    return f"{code} {words}" if str(code) not in words else str(code)


def closed_by_server(code: int, reason: str) -> Failure:
    """The server closed an open connection."""
    words = f"closed by the server: {close_words(code)}"
    return Failure(words, f"{words} ({reason})" if reason else words, "see the service's log")


def of_error(error: Exception, target: AnyTarget) -> Failure:
    """Why a connection could not be opened.

    Args:
        error: what was raised on the way: by the system, by TLS, or by `Session`.
        target: where to.
    """
    if isinstance(error, HandshakeRefusedError):
        return _of_answer(error.answer, error.objection, target)
    if isinstance(error, NotHttpError):
        return _of_bytes(error, target)
    if isinstance(error, ssl.SSLError):
        return _of_tls(error, target)
    if isinstance(error, socket.gaierror):
        return Failure(
            "unknown host",
            f"the name {target.host} is not known ({error.strerror})",
            f"check the spelling, and `getent hosts {target.host}`",
        )
    if isinstance(error, TimeoutError):
        return timed_out(target)
    return _of_system(error, target)


def timed_out(target: AnyTarget, seconds: float | None = None) -> Failure:
    """The connection did not open in time.

    Args:
        target: where to.
        seconds: how long it was waited for; None where the system gave up by itself.
    """
    within = "" if seconds is None else f" within {seconds:g} s"
    return Failure(
        "timeout while opening",
        f"{target} did not open a {target.opened}{within}",
        "see whether a firewall drops it, whether the service answers at all, or wait longer:"
        " --timeout",
    )


def ended_early(target: AnyTarget) -> Failure:
    """The server ended the connection in place of an answer."""
    other = target.with_tls(not target.is_tls)
    return Failure(
        "closed the connection during the handshake",
        f"{target} closed the connection without an answer to the handshake",
        f"see the service's log; if the port speaks {other.scheme}, use {other}",
    )


def never_ended(target: AnyTarget) -> Failure:
    """The client has ended its half of the connection, and the server not the other one."""
    return Failure(
        "the server did not end its half",
        f"{target} did not end a connection after its client had ended it",
        "--mode connect needs a service that ends then; measure this one with --mode echo",
    )


def _of_system(error: Exception, target: AnyTarget) -> Failure:
    number = getattr(error, "errno", None)
    place = target.place
    if number == errno.ECONNREFUSED:
        kind = "u" if target.scheme == "udp" else "t"
        return Failure(
            "connection refused",
            f"nothing listens on {place}: connection refused",
            "start the service, or find its port: "
            + (f"ss -l{kind}n 'sport = :{target.port}'" if target.port else "ss -xl"),
        )
    if number in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return Failure(
            "host not reachable",
            f"there is no route to {place}: {os.strerror(number).lower()}",
            "check the address and this machine's network",
        )
    if number in (errno.ECONNRESET, errno.EPIPE):
        return ended_early(target)
    if number in (errno.EMFILE, errno.ENFILE):
        return Failure(
            "out of file descriptors",
            "the process may open no more file descriptors",
            "raise the limit with `ulimit -n`, or use fewer --connections",
        )
    if number == errno.EADDRNOTAVAIL:
        return Failure(
            "out of local ports",
            f"there is no free local port for another connection to {place}",
            "use fewer --connections, or widen `sysctl net.ipv4.ip_local_port_range`",
        )
    if number == errno.ENOENT:
        return Failure("no such socket", f"there is no socket {place}", "check the path")
    if number == errno.EAGAIN:
        return Failure(
            "backlog full",
            f"the socket {place} accepts no more connections at a time",
            "raise the service's backlog, or use fewer --connections",
        )
    words = os.strerror(number).lower() if number else str(error)
    return Failure(words, f"cannot connect to {place}: {words}", "see the service's log")


def _of_tls(error: ssl.SSLError, target: AnyTarget) -> Failure:
    if isinstance(error, ssl.SSLCertVerificationError):
        words = error.verify_message.rstrip(".")
        fix = "give its authority (--ca FILE), or accept any certificate (--insecure)"
        if getattr(error, "verify_code", 0) in _UNKNOWN_ISSUER and (own := development_authority()):
            fix += f'; for tls="dev" of this machine: --ca {shlex.quote(own)}'
        seen = f"the certificate of {target.host} is not trusted: {words}"
        return Failure("certificate not trusted", seen, fix)
    reason = (getattr(error, "reason", None) or "").replace("_", " ").lower()
    if reason in ("wrong version number", "record layer failure", "http request"):
        return Failure(
            "the server speaks no TLS",
            f"{target.place} does not speak TLS",
            f"use {target.with_tls(False)}",
        )
    if isinstance(error, ssl.SSLEOFError) or reason.startswith("unexpected eof"):
        return ended_early(target)
    return Failure(
        f"TLS: {reason or error}",
        f"TLS with {target.host} failed: {reason or error}",
        "see the service's log; `openssl s_client -connect "
        f"{target.host}:{target.port}` shows more",
    )


# X509_V_ERR_… of OpenSSL: no trusted authority has signed it.
_UNKNOWN_ISSUER = (18, 19, 20, 21)


def development_authority() -> str:
    """The authority of `tls="dev"` on this machine; empty where there is none."""
    try:
        found = dev_directory() / "ca.pem"
        return str(found) if found.is_file() else ""
    except (ConfigError, OSError):
        return ""


def _of_bytes(error: NotHttpError, target: AnyTarget) -> Failure:
    if error.is_tls:
        return _wants_tls(target, "")
    if error.start.startswith(b"HTTP/1."):
        return Failure(
            "HTTP that cannot be read",
            f"{target.place} answered with HTTP that cannot be read"
            f" ({error.start!r}): its status is invalid, or its head has more than 64 KiB",
            "check what answers there",
        )
    return Failure(
        "the answer is not HTTP",
        f"{target.place} answered with something that is not HTTP ({error.start!r})",
        "check the port: no websocket service listens there",
    )


def _wants_tls(target: AnyTarget, quoted: str) -> Failure:
    return Failure(
        "the server demands TLS",
        f"{target.place} speaks TLS only{quoted}",
        f"use {target.with_tls(True)}",
    )


def _of_answer(answer: Answer, objection: str | None, target: AnyTarget) -> Failure:
    if objection is not None:
        return Failure(
            "no valid websocket handshake",
            f"the answer of {target} to the handshake is invalid: {objection}",
            "check what answers there: a proxy or a program that knows only part of RFC 6455",
        )
    status = answer.status
    quoted = _quoted(answer.text)
    if status == 400 and not target.is_tls and ("wss" in quoted or "HTTPS" in quoted):
        return _wants_tls(target, quoted)
    seen = f"{target} refused the handshake with HTTP {status}{quoted}"
    location = answer.headers.get("location")
    if 300 <= status < 400 and location:
        return Failure(f"HTTP {status}", seen, f"use the address in the answer: {location[:200]}")
    fix = _REMEDIES.get(status)
    if fix is None:
        fix = "see the service's log" if status >= 500 else "check the address and the headers"
    return Failure(f"HTTP {status}", seen, fix)


_REMEDIES = {
    200: "this path serves pages; give the path of the websocket",
    401: "send what the service needs: --header 'Authorization: …', --header 'Cookie: …', or a "
    "token in the URL",
    403: "send what the service needs: --origin https://…, --header 'Cookie: …'",
    404: "give the path of the websocket, as in ws://host/path",
    426: "no websocket is served at this path, or a proxy does not forward the Upgrade header",
    429: "open fewer connections from this address, or raise the service's limit for it",
    431: "send fewer or shorter headers",
    502: "the proxy cannot reach the service: start it, or check the proxy's configuration",
    503: "the service accepts no more connections now: open fewer, or raise its limit",
    504: "the service behind the proxy does not answer",
}


def _quoted(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if not line or line.startswith("<"):  # a page in HTML says less than the status
        return ""
    return f" ({line[:160]}…)" if len(line) > 160 else f" ({line})"
