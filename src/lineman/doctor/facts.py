"""The facts that were seen from outside: values only. `looks` collects them, `checks` judges them.

None means that it was not looked at: an earlier step failed, or no option asked for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from lineman.protocols.websocket.client.server_answer import Answer
from lineman.protocols.websocket.client.url import Target
from lineman.tls.advice.certificate_facts import CertificateFacts


class Outcome(Enum):
    """How an attempt ended."""

    DONE = "done"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    CLOSED = "closed"  # the peer closed, normally or by a reset
    NOT_TLS = "not TLS"
    NOT_HTTP = "not HTTP"
    ALERT = "alert"  # TLS was refused, with a reason
    BROKEN = "broken"  # the websocket protocol was


@dataclass(frozen=True, slots=True)
class Names:
    """The addresses of the host's name.

    Args:
        ipv4, ipv6: addresses, in the resolver's order.
        fault: why there is none: `unknown` (no such name), `no answer` (of the resolver); empty
            where there is one.
        own: this machine's addresses.
        is_given: whether `--resolve` named them.
    """

    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()
    fault: str = ""
    own: tuple[str, ...] = ()
    is_given: bool = False

    @property
    def all(self) -> tuple[str, ...]:
        """Every address."""
        return self.ipv4 + self.ipv6


@dataclass(frozen=True, slots=True)
class Reach:
    """A TCP connection to one address: DONE, REFUSED, TIMEOUT or UNREACHABLE."""

    ip: str
    outcome: Outcome
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class TlsLook:
    """TLS with the server, regardless of its certificate.

    Args:
        outcome: DONE, CLOSED, TIMEOUT, NOT_TLS or ALERT.
        reason: OpenSSL's reason for a failure.
        version, cipher, group: those that were chosen; no group if it is unknown.
        alpn: the protocol that was chosen of `http/1.1`; empty: none.
        certificate: what was served; None where it could not be read.
        fingerprint: SHA-256 of the certificate served, hexadecimal.
        versions: which of TLSv1 … TLSv1.3 it takes.
        any_cipher: the version that it speaks when every old cipher is offered; empty: none.
        h2_alpn: what it chooses where `h2` alone is offered; looked at when http/1.1 failed.
    """

    outcome: Outcome
    reason: str = ""
    version: str = ""
    cipher: str = ""
    group: str = ""
    alpn: str = ""
    certificate: CertificateFacts | None = None
    fingerprint: str = ""
    versions: tuple[str, ...] | None = None
    any_cipher: str = ""
    h2_alpn: str = ""


@dataclass(frozen=True, slots=True)
class HandshakeReply:
    """The result of one handshake.

    Args:
        outcome: DONE (HTTP came back), CLOSED, TIMEOUT, REFUSED, NOT_TLS, ALERT or NOT_HTTP.
        answer: the HTTP response.
        objection: why its 101 opens no websocket; empty if it does, or if it is no 101.
        start: the first bytes of an answer that is not HTTP.
        reason: what OpenSSL said where TLS failed.
        seconds: that it took.
    """

    outcome: Outcome
    answer: Answer | None = None
    objection: str = ""
    start: bytes = b""
    reason: str = ""
    seconds: float = 0.0

    @property
    def status(self) -> int:
        """The HTTP status; 0 for none."""
        return 0 if self.answer is None else self.answer.status

    @property
    def is_open(self) -> bool:
        """Whether a websocket was opened."""
        return self.status == 101 and not self.objection

    def header(self, name: str) -> str:
        """A header's value; empty where it is not there."""
        return "" if self.answer is None else self.answer.headers.get(name) or ""


@dataclass(frozen=True, slots=True)
class PageLook:
    """A page of the site that was refused, although a program is accepted.

    Args:
        origin: the Origin that it sent.
        reply: the answer to it, with a cookie.
        is_open_without_cookie: whether it was accepted without a cookie.
    """

    origin: str
    reply: HandshakeReply
    is_open_without_cookie: bool = False


@dataclass(frozen=True, slots=True)
class LineLook:
    """What an open websocket did.

    Args:
        pong: seconds until the answer to a ping; None: there was no answer.
        outcome: DONE while it is open, CLOSED if it ended, BROKEN if it broke the protocol.
        code, reason: of the server's close frame; 1006 if there was none; 0 while it is open.
        after: seconds from the 101 to the end.
        pings: how many the server sent.
    """

    pong: float | None = None
    outcome: Outcome = Outcome.DONE
    code: int = 0
    reason: str = ""
    after: float = 0.0
    pings: int = 0


@dataclass(frozen=True, slots=True)
class SizeLook:
    """A message of a size: whether the connection still answered after it."""

    size: int
    is_taken: bool
    code: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class UpstreamFacts:
    """The service itself, asked without the proxy.

    Args:
        target: its address.
        reply: its answer to the handshake, by the scheme of the target.
        speaks_tls: whether it speaks TLS; None: not looked at.
        line: what the websocket did once it was open.
        takes_proxy_header: whether it answered after a PROXY header.
    """

    target: Target
    reply: HandshakeReply
    speaks_tls: bool | None = None
    line: LineLook | None = None
    takes_proxy_header: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """The request that a stand-in for the service got from the proxy.

    Args:
        fault: why there was no stand-in; empty: it listened.
        is_reached: whether anything arrived.
        is_tls: whether the proxy spoke TLS to it.
        headers: names (lower case) and values that came.
        version: of HTTP, such as `HTTP/1.0`.
        spoofed: names of headers in which the client's value arrived unchanged.
    """

    fault: str = ""
    is_reached: bool = False
    is_tls: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    version: str = ""
    spoofed: tuple[str, ...] = ()

    def header(self, name: str) -> str:
        """A header's value; empty where it did not come."""
        return next((value for key, value in self.headers if key == name), "")


@dataclass(frozen=True, slots=True)
class Question:
    """What the doctor was asked to try.

    Args:
        target: the URL.
        origin: the `Origin` to send; None for that of the site's own pages.
        subprotocols: to offer.
        profile: `wechat` or empty.
        patience: seconds for which to watch a silent connection; 0 to leave that out.
    """

    target: Target
    origin: str | None = None
    subprotocols: tuple[str, ...] = ()
    profile: str = ""
    patience: float = 0.0


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was seen.

    Args:
        question: what was asked.
        now: this machine's clock, aware.
        server_clock: the `Date` of the answer; None where it had none.
        loopback: the same port on 127.0.0.1, looked at where the name leads to this machine and
            nothing listens there.
        names, reach, tls, reply: the steps of connecting, one after the other.
        other_scheme: the handshake by the other scheme, looked at when this one failed.
        proxy_header: the handshake behind a PROXY header, tried when the service had closed the
            connection.
        other_paths: statuses of other paths, looked at after a 404 and its like.
        other_origins: statuses for other origins, by what was sent ('' for none), after a 403.
        without_subprotocol: the handshake without one, looked at when it failed with one.
        page: a page of the site, if it was refused; `reply` is then the answer to a program.
        believed: the headers whose false client address the service believed.
        with_extension: the handshake with compression offered, as every browser does.
        extension_line: what the websocket did with compression.
        line: what the open websocket did.
        idle: what it did while the doctor sent nothing.
        size: a large message.
        upstream: the service without the proxy.
        seen: what reached a stand-in for the service.
        file: the certificate on disk; `file_fault` why it could not be read.
        file_fingerprint: as `TlsLook.fingerprint`.
    """

    question: Question
    now: datetime
    server_clock: datetime | None = None
    names: Names = field(default_factory=Names)
    reach: tuple[Reach, ...] = ()
    loopback: Reach | None = None
    tls: TlsLook | None = None
    reply: HandshakeReply | None = None
    other_scheme: HandshakeReply | None = None
    proxy_header: HandshakeReply | None = None
    other_paths: tuple[tuple[str, int], ...] = ()
    other_origins: tuple[tuple[str, int], ...] = ()
    without_subprotocol: HandshakeReply | None = None
    page: PageLook | None = None
    believed: tuple[str, ...] = ()
    with_extension: HandshakeReply | None = None
    extension_line: LineLook | None = None
    line: LineLook | None = None
    idle: LineLook | None = None
    size: SizeLook | None = None
    upstream: UpstreamFacts | None = None
    seen: Seen | None = None
    file_fingerprint: str = ""
    file_fault: str = ""

    @property
    def target(self) -> Target:
        """The URL that was asked about."""
        return self.question.target

    @property
    def speaks_other_scheme(self) -> bool:
        """Whether the port speaks `ws` and not `wss`, or the reverse."""
        other = self.other_scheme
        if other is None or other.answer is None:
            return False
        if not self.target.is_tls or other.status != 400:
            return True
        # A port that speaks TLS reports it to a client that does not.
        text = other.answer.text.lower()
        return not any(word in text for word in ("https", "wss", "ssl", "tls"))

    @property
    def place(self) -> str:
        """Host and port in words."""
        return f"{self.target.host}, port {self.target.port}"
