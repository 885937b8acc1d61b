"""TLS on a socket of our own, on the standard library's `ssl`, without asyncio's transports.

asyncio keeps a buffer of 256 KiB for each TLS connection. Here OpenSSL reads from the descriptor
itself and gives its buffers back while the connection is idle, so that one costs about 15 KiB and
a burst leaves nothing behind; memory BIOs would keep what they have grown to.

Compiled, and where `tls/openssl/access.py` reaches it, the library is called without Python
between, and reads ahead: a record in one system call, not its header in one and its body in
another. No Python socket is made then. Else the calls go through `ssl`; there an
`SSLWantReadError` costs as much as a
message, so what is pending is looked at before reading again.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
import time
from typing import Any, Protocol

from lineman.base import buffers
from lineman.base.buffers import Memory
from lineman.net.loop import syscalls
from lineman.net.stream import tlscalls, tlsinfo
from lineman.net.stream.tls_alerts import END_OF_TCP, EXPLAINED, REFUSED
from lineman.net.stream.tlsinfo import TlsInfo
from lineman.protocols import client_hello
from lineman.tls.openssl import access as openssl

AGAIN = -1

RECORD = 16 * 1024  # bytes of payload in a record at most (RFC 8446, section 5.1)

# The alert "illegal parameter", as BoringSSL answers such a message.
TOO_LONG = b"\x15\x03\x01\x00\x02\x02\x2f"

HANDSHAKE_RECORD = 0x16  # the first byte of every TLS connection


class ClientRefused(ssl.SSLError):
    """TLS has found nothing wrong with the client, and yet this service does not let it in."""


def not_listed(fingerprint: str | None) -> ClientRefused:
    """What a client meets whose certificate is not on the list."""
    seen = "no certificate" if fingerprint is None else f"the certificate {fingerprint}"
    return ClientRefused(f"the client has {seen}, which is not on the list client_fingerprints")


def is_end_of_tcp(error: OSError) -> bool:
    """Whether the peer ended TCP without ending TLS, as many do."""
    # Some releases of Python raise the plain SSLError here.
    return isinstance(error, ssl.SSLEOFError) or getattr(error, "reason", None) == END_OF_TCP


def explain(error: ssl.SSLError) -> str:
    """What went wrong in TLS, in words that an operator can act on."""
    if isinstance(error, ClientRefused):
        return f"TLS: {error.args[0]}"
    if isinstance(error, ssl.SSLCertVerificationError):
        known = REFUSED.get(error.verify_code)
        said = f"TLS: the client's certificate is refused: {error.verify_message}"
        return f"{said}; {known}" if known else said
    reason = END_OF_TCP if is_end_of_tcp(error) else error.reason or ""
    name = reason.replace("_", " ").lower() or str(error)
    known = EXPLAINED.get(reason)
    return f"TLS: {known} ({name})" if known else f"TLS: {name}"


def failure_kind(error: Exception) -> str:
    """Which kind of failed handshake this is, for the log; a peer can cause a few dozen kinds."""
    if not isinstance(error, ssl.SSLError):
        return f"failed handshakes ({in_words(error)})"
    if isinstance(error, ClientRefused):
        name = "not on the list"
    elif isinstance(error, ssl.SSLCertVerificationError):
        name = f"refused certificates: {error.verify_code}"
    else:
        name = END_OF_TCP if is_end_of_tcp(error) else error.reason or "TLS"
    return f"failed handshakes ({name.replace('_', ' ').lower()})"


def in_words(error: Exception) -> str:
    """Why a connection was lost, in words."""
    if isinstance(error, ssl.SSLError):
        return explain(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


# What a TLS object is made around before it is given its descriptor; never read or written.
_NO_BIO = ssl.MemoryBIO()


class Challenges(Protocol):
    """Proofs for a certificate authority that validates with tls-alpn-01 (RFC 8737).

    Attributes:
        is_waiting: whether there is no certificate yet, so that nobody else is served.
    """

    is_waiting: bool

    def is_open(self) -> bool:
        """Whether an authority may come now."""

    def tls(self, server_name: str, protocols: tuple[bytes, ...]) -> ssl.SSLContext | None:
        """The context for a client that says this of itself; None if it is no authority."""


class TlsStream:
    """One connection's TLS.

    Args:
        context: the server's context, or the client's.
        fd: a connected, non-blocking descriptor; it stays the caller's, who closes it after
            `release`.
        challenges: what an authority is shown instead; None where there never is one.
        host: of a client the name that the server's certificate must have, if the context checks
            it; None for the server's side.

    Attributes:
        is_established: whether the handshake is done.
        wants_write: whether the last call of `handshake` waits for the socket to take bytes.
        holds_back: whether what is written waits for `let_go`.
        is_direct: whether OpenSSL is called without Python between.
        server_name: what the client asked for (SNI), where the context's `sni_callback` set it.
    """

    __slots__ = (
        "__weakref__",
        "_challenges",
        "_channel",
        "_fd",
        "_has_begun",
        "_host",
        "_is_challenge",
        "_looked_at",
        "_object",
        "_socket",
        "holds_back",
        "is_direct",
        "is_established",
        "server_name",
        "wants_write",
    )

    def __init__(
        self,
        context: ssl.SSLContext,
        fd: int,
        challenges: Challenges | None = None,
        host: str | None = None,
    ) -> None:
        self._fd = fd
        self._host = host
        self._socket: socket.socket | None = None
        self.is_established = False
        self.wants_write = False
        self.holds_back = False
        self.server_name: str | None = None
        self._challenges = challenges
        self._looked_at = 0
        self._has_begun = False
        self._is_challenge = False
        self._begin(context)

    def _begin(self, context: ssl.SSLContext) -> None:
        """Makes the TLS object; before the handshake it can be made anew."""
        self.is_direct = is_direct()
        is_server, host = self._host is None, self._host
        self._object: Any
        if self.is_direct:
            # (The stubs of `ssl` leave these two makers out.)
            self._object = context._wrap_bio(  # type: ignore[attr-defined]
                _NO_BIO, _NO_BIO, server_side=is_server, server_hostname=host, owner=self
            )
            self._channel = tlscalls.connection(self._object)
            if not tlscalls.attach(self._channel, self._fd):
                raise MemoryError
            return
        if self._socket is None:
            # With the family given, the kernel need not be asked for it.
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, self._fd)
            self._socket.setblocking(False)
        # What an `ssl.SSLSocket` is made of. The whole one asks the kernel seven times before the
        # first byte, weighs a kilobyte more, and adds a Python call to every read and write.
        self._object = context._wrap_socket(  # type: ignore[attr-defined]
            self._socket, server_side=is_server, server_hostname=host, owner=self
        )
        openssl.end_reads_between_records(self._object)

    @property
    def context(self) -> ssl.SSLContext:
        """The context in use; an `sni_callback`, which gets this object, may set another."""
        context: ssl.SSLContext = self._object.context
        return context

    @context.setter
    def context(self, context: ssl.SSLContext) -> None:
        self._object.context = context

    @property
    def version(self) -> str | None:
        """`TLSv1.3` or `TLSv1.2`, None before the handshake is done."""
        version: str | None = self._object.version()
        return version

    @property
    def cipher(self) -> str | None:
        """The name of the cipher, None before the handshake is done."""
        found: tuple[str, str, int] | None = self._object.cipher()
        return None if found is None else found[0]

    @property
    def info(self) -> TlsInfo | None:
        """What was agreed on; None before the handshake is done."""
        return tlsinfo.read(self._object, self.server_name) if self.is_established else None

    def handshake(self) -> bool:
        """Goes on with the handshake; whether it is done.

        Raises:
            ssl.SSLError: it failed; the peer has been sent the alert that says why.
            OSError: the connection is broken, or has done what it was for.
        """
        self.wants_write = False
        is_server = self._host is None
        if is_server and not self._has_begun and not self._look_at_hello():
            return False
        if is_server and self._has_begun and self.is_direct:
            # The client's last message, as a rule, and its request is read ahead with that: the
            # session ticket and what answers the request leave in one packet.
            self.holds_back = True
            syscalls.hold_back(self._fd)
        self._has_begun = True
        if not self._shake():
            return False
        self.is_established = True
        if is_server and self._object.session_reused:
            self._refuse_expired()
        if self._is_challenge:  # nothing may follow (RFC 8737, section 3)
            raise ConnectionAbortedError(errno.ECONNABORTED, "answered a certificate authority")
        return True

    def _shake(self) -> bool:
        if self.is_direct:
            answer = tlscalls.handshake(self._channel)
            if answer != tlscalls.FAILED:
                self.wants_write = answer == tlscalls.NO_ROOM
                return answer == tlscalls.DONE
            # Asked again, OpenSSL fails again, and `ssl` makes of it what it does.
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLWantWriteError:
            self.wants_write = True
            return False
        return True

    def _refuse_expired(self) -> None:
        """Raises for a session that was resumed although its certificate has expired since.

        Shared tickets (`tls/openssl/ticket_callback.py`) never lead here; OpenSSL's own and its
        cache of sessions do, which look at the certificate in a whole handshake only.
        """
        said = self._object.getpeercert(False)
        if said and ssl.cert_time_to_seconds(said["notAfter"]) < time.time():
            raise ClientRefused(
                f"the client resumes a session, and its certificate has expired on "
                f"{said['notAfter']}; the client needs a new one, and has to forget the session"
            )

    def _look_at_hello(self) -> bool:
        """Looks at the client's first message; whether it may be given to OpenSSL.

        OpenSSL reads it in one go, so it must fit. While a challenge is open, it also says what
        ALPN the client offers, which Python's `sni_callback` does not see; only then, for it costs
        a copy of the whole and a parse.

        Raises:
            ssl.SSLError: it is too long.
            OSError: there is no certificate yet, and this is no authority.
        """
        challenges = self._challenges
        if challenges is not None and not (challenges.is_waiting or challenges.is_open()):
            challenges = None
        data = self._peek(client_hello.BEGINNING if challenges is None else client_hello.MAX_SIZE)
        if data is None:
            return False
        try:
            size = client_hello.announced(data[: client_hello.BEGINNING])
        except ValueError:
            size = client_hello.LARGEST + 1
        if size is not None and size > client_hello.LARGEST:
            syscalls.send(self._fd, TOO_LONG)
            raise openssl.failure("EXCESSIVE_MESSAGE_SIZE")
        is_whole, hello = size is not None, None
        if is_whole and challenges is not None:
            try:
                hello = client_hello.parse(data)
                is_whole = hello is not None or len(data) == client_hello.MAX_SIZE
            except ValueError:  # OpenSSL says what is wrong with it
                pass
        if not is_whole and self._waits_for_more(len(data)):
            return False
        if self._looked_at:
            self._wait_for(1)
        self._challenges = None
        if challenges is not None:
            self._choose(challenges, hello)
        return True

    def _peek(self, size: int) -> bytes | None:
        """The first bytes that wait, without taking them; None where there are none yet."""
        try:
            with syscalls.borrowed(self._fd) as tcp:
                return tcp.recv(size, socket.MSG_PEEK)
        except BlockingIOError:
            return None

    def _waits_for_more(self, seen: int) -> bool:
        """Has the socket wake us for more than was seen; False where nothing more can come.

        What was only looked at keeps it ready.
        """
        if seen <= self._looked_at:
            return False
        self._looked_at = seen
        self._wait_for(seen + 1)
        return True

    def _wait_for(self, count: int) -> None:
        with syscalls.borrowed(self._fd) as tcp:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)

    def _choose(self, challenges: Challenges, hello: client_hello.ClientHello | None) -> None:
        context = None if hello is None else challenges.tls(hello.server_name, hello.protocols)
        if context is not None:
            self._begin(context)
            self._is_challenge = True
        elif challenges.is_waiting:
            raise ConnectionRefusedError(
                errno.ECONNREFUSED, "there is no certificate yet, the authority is still asked"
            )

    def read(self, buffer: memoryview) -> int:
        """Decrypts one record into the buffer; its size, 0 at the end of TLS, AGAIN for not now.

        Raises:
            ssl.SSLError: the peer broke TLS, or ended TCP without ending TLS.
            OSError: the connection is broken.
        """
        try:
            count: int = self._object.read(len(buffer), buffer)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return AGAIN
        except ssl.SSLZeroReturnError:  # the peer's end, after our own
            return 0
        return count

    def read_into(self, buffer: memoryview) -> int:
        """Like `read`, by the short way; only where `is_direct`."""
        count = tlscalls.read(self._channel, buffer)
        if count == -2:
            raise openssl.last_failure(tlscalls.last_errno())
        if count == -3:
            raise openssl.failure("TOO_MANY_KEY_UPDATES")
        return count

    def pending(self) -> bool:
        """Whether something was received that epoll does not tell of; it may be half a record."""
        if self.is_direct:
            return tlscalls.pending(self._channel)
        return bool(self._object.pending())

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Encrypts and sends at most one record; bytes taken, AGAIN for not now.

        After AGAIN the next call must begin with the same bytes.

        Raises:
            ssl.SSLError: TLS has ended.
            OSError: the connection is broken.
        """
        if len(data) > RECORD:
            # OpenSSL would take none of it before it has sent all of it, since Python does not
            # set SSL_MODE_ENABLE_PARTIAL_WRITE: what has left would still look unsent.
            data = data[:RECORD]
        try:
            count: int = self._object.write(data)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return AGAIN
        return count

    def write_from(self, data: Memory, start: int, size: int) -> int:
        """Like `write`, for bytes of the data from `start` on, by the shortest way there is."""
        size = min(size, RECORD)
        if not self.is_direct:
            with buffers.view(data, start, size) as part:
                return self.write(part)
        count = tlscalls.write(self._channel, data, start, size)
        if count == -2:
            raise openssl.last_failure(tlscalls.last_errno())
        return count

    def end(self) -> None:
        """Sends close_notify, if the handshake was done, without waiting for an answer."""
        if not self.is_established:
            return
        if self.is_direct:
            tlscalls.end(self._channel)
            return
        if not openssl.end_writes(self._object):
            with contextlib.suppress(OSError):
                self._object.shutdown()

    def let_go(self) -> None:
        """Sends what was held back while the handshake ended."""
        self.holds_back = False
        syscalls.let_go(self._fd)

    def release(self) -> None:
        """Gives the descriptor back to the caller; nothing may be called after."""
        if self.holds_back:
            self.let_go()
        if self._socket is not None:
            self._socket.detach()


def is_direct() -> bool:
    """Whether connections of this process call OpenSSL without Python between."""
    if not tlscalls.ARE_IN_C or openssl.library() is None:
        return False
    if not tlscalls.is_ready():
        tlscalls.use(openssl.function_table(tlscalls.FUNCTIONS))
    return True
