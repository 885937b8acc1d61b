"""Why a connection to a server could not be opened, in words. Pure."""

from __future__ import annotations

import errno
import socket
import ssl

from lineman.client.client_options import ClientPlan
from lineman.errors import ConnectError, ConnectionLost, LinemanError
from lineman.net.stream.tlsstream import is_end_of_tcp
from lineman.protocols.websocket.client.client_handshake import HandshakeRefusedError
from lineman.protocols.websocket.client.server_answer import NotHttpError

# Characters of an answer's body that are quoted.
QUOTED = 200


def failure(error: Exception, plan: ClientPlan) -> Exception:
    """What `connect` raises for this.

    Args:
        error: what was raised on the way.
        plan: where to, and how.
    """
    target = plan.target
    if isinstance(error, HandshakeRefusedError):
        return _refused(error, plan)
    if isinstance(error, NotHttpError):
        seen = f"{target} answered with no HTTP: {error.start!r}"
        if error.is_tls:
            return ConnectError(seen, f"the server speaks TLS: write {target.with_tls(True)}")
        return ConnectError(seen, "see whether a websocket service listens there")
    if isinstance(error, ConnectionLost):
        other = target.with_tls(not target.is_tls)
        return ConnectError(
            f"{target} closed the connection during the handshake",
            f"see the server's log; if the port speaks {other.scheme}, write {other}",
        )
    if isinstance(error, LinemanError):
        return error
    if isinstance(error, ssl.SSLError):
        return _tls(error, plan)
    if isinstance(error, socket.gaierror):
        return ConnectError(
            f"the name {target.host} is not known ({error.strerror})", "check its spelling"
        )
    if isinstance(error, TimeoutError) and error.errno is None:
        return ConnectError(
            f"{target} did not open a {target.opened} within {plan.timeout:g} s",
            "see whether the server answers, and whether a firewall is between; or give a larger "
            "timeout",
        )
    if isinstance(error, OSError):
        number = error.errno
        words = error.strerror or str(error)
        if number == errno.ECONNREFUSED:
            return ConnectError(
                f"nothing listens on {target.place}: connection refused", "start the server"
            )
        return ConnectError(f"{target.place} is not reached: {words.lower()}", "see the network")
    return error


def _refused(error: HandshakeRefusedError, plan: ClientPlan) -> ConnectError:
    answer, target = error.answer, plan.target
    if error.objection is not None:
        return ConnectError(
            f"{target} does not open a websocket: {error.objection}",
            "see whether a proxy is between that knows no websockets",
            answer.status,
            tuple(answer.headers.items()),
        )
    text = " ".join(answer.text.split())[:QUOTED]
    seen = f"{target} refused the handshake with {answer.status}"
    where = answer.headers.get("location")
    fix = f"write the address that it names: {where!r:.200}" if where else "see the server's log"
    if answer.status == 401 or answer.status == 403:
        fix = "see what the server wants to know: headers, a cookie, an origin"
    return ConnectError(
        f"{seen}: {text}" if text else seen, fix, answer.status, tuple(answer.headers.items())
    )


def _tls(error: ssl.SSLError, plan: ClientPlan) -> ConnectError:
    target = plan.target
    if isinstance(error, ssl.SSLCertVerificationError):
        return ConnectError(
            f"the certificate of {target.place} is refused: {error.verify_message}",
            "connect by the name in the certificate, or trust its authority with ca=",
        )
    if is_end_of_tcp(error):
        return ConnectError(
            f"{target.place} ended the connection during the TLS handshake",
            f"see the server's log; without TLS it is {target.with_tls(False)}",
        )
    reason = (getattr(error, "reason", None) or str(error)).replace("_", " ").lower()
    fix = "see which versions and ciphers the server has"
    if reason in ("wrong version number", "record layer failure", "http request"):
        fix = f"the port may speak no TLS: write {target.with_tls(False)}"
    return ConnectError(f"TLS with {target.place} failed: {reason}", fix)
