"""Why a connection to a server could not be opened, in words. Pure."""

from __future__ import annotations

import errno
import socket
import ssl

from lineman.client.client_options import ClientPlan
from lineman.client.reaching import NoAddressError
from lineman.errors import ConnectError, ConnectionLost, LinemanError
from lineman.net.stream.tlsstream import is_end_of_tcp
from lineman.protocols.websocket.client.client_handshake import HandshakeRefusedError
from lineman.protocols.websocket.client.server_answer import NotHttpError

# Characters of an answer's body that are quoted.
QUOTED = 200
# Addresses of a name that are told with their failures.
ADDRESSES = 8


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
    if isinstance(error, TimeoutError) and error.errno is None:
        return _late(str(target), target.opened, plan)
    if isinstance(error, OSError):
        return _by_network(target.place, error)
    return error


def not_reached(error: OSError, plan: ClientPlan) -> ConnectError:
    """What `connect` raises where no socket is connected.

    Args:
        error: what was raised on the way to the server, or to its proxy.
        plan: where to, and how.
    """
    proxy, target = plan.proxy, plan.target
    where = str(target) if proxy is None else f"the proxy {proxy}"
    place = target.place if proxy is None else where
    if isinstance(error, socket.gaierror):
        host = target.host if proxy is None else proxy.host
        whose = "" if proxy is None else " of the proxy"
        return ConnectError(
            f"the name {host}{whose} is not known ({error.strerror})", "check its spelling"
        )
    failures = error.failures if isinstance(error, NoAddressError) else []
    is_late = isinstance(error, TimeoutError) and error.errno is None
    if is_late or (isinstance(error, NoAddressError) and error.is_late):
        opened = target.opened if proxy is None else "connection"
        each = f" ({_each(failures)})" if len(failures) > 1 else ""
        return _late(where, opened, plan, each)
    if not failures:
        return _by_network(place, error)
    first = failures[0][1]
    assert first is not None
    if len(failures) == 1:
        return _by_network(place, first)
    if all(each is not None and each.errno == errno.ECONNREFUSED for _, each in failures):
        return _by_network(f"{place} ({_limited([at for at, _ in failures], ', ')})", first)
    return ConnectError(f"{place} is not reached: {_each(failures)}", "see the network")


def _each(failures: list[tuple[str, OSError | None]]) -> str:
    """Each address with its failure."""
    words = (
        (at, "no answer" if error is None else (error.strerror or str(error)).lower())
        for at, error in failures
    )
    return _limited([f"{at}: {why}" for at, why in words], "; ")


def _limited(texts: list[str], between: str) -> str:
    more = len(texts) - ADDRESSES
    return between.join(texts[:ADDRESSES]) + (f" and {more} more" if more > 0 else "")


def _late(where: str, opened: str, plan: ClientPlan, each: str = "") -> ConnectError:
    return ConnectError(
        f"{where} did not open a {opened} within {plan.timeout:g} s{each}",
        "see whether the server answers, and whether a firewall is between; or give a larger "
        "timeout",
    )


def _by_network(place: str, error: OSError) -> ConnectError:
    words = error.strerror or str(error)
    if error.errno == errno.ECONNREFUSED:
        return ConnectError(f"nothing listens on {place}: connection refused", "start the server")
    if error.errno == errno.ENOENT:
        return ConnectError(
            f"{place} is not reached: there is no such socket",
            "start the server, or check the path; a request's path follows a colon: "
            "ws+unix:///run/app.sock:/chat",
        )
    return ConnectError(f"{place} is not reached: {words.lower()}", "see the network")


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
