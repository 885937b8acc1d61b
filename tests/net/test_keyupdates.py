"""A peer that renews its TLS keys without end: records that are work, and carry nothing."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import ssl

from kit.site import Serve, echo, still_serves
from kit.waiting import DEADLINE
from lineman.net.loop.syscalls import AGAIN
from lineman.net.stream.tlsstream import TlsStream, is_direct
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.tls.openssl import access as openssl

MANY = 5000


class Renewer:
    """A TLS 1.3 client that can make KeyUpdate messages, which Python's cannot.

    Args:
        tcp: connected to the server.
        authority: whom it trusts.
    """

    def __init__(self, tcp: socket.socket, authority: TestCA) -> None:
        context = ssl.create_default_context(cafile=authority.ca_path)
        self.tcp = tcp
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname="localhost")
        library = openssl.library()
        assert library is not None
        self._library = library
        inner = self._tls._sslobj  # type: ignore[attr-defined]
        self._pointer = ctypes.c_void_p(openssl.connection_pointer(inner))

    def shake_hands(self) -> Renewer:
        """Does so, with whoever serves at the other end meanwhile."""
        while not self.step():
            self._in.write(self.tcp.recv(65536))
        return self

    def step(self) -> bool:
        """Goes on with the handshake; whether it is done."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            self.tcp.sendall(self._out.read())
        return True

    def take(self, data: bytes) -> None:
        """Gets what the server has sent."""
        self._in.write(data)

    def answer(self, tcp: socket.socket) -> bytes:
        """The first bytes of what the server says; none where it ends the connection."""
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                return self._tls.read(4096)[:8]
            try:
                data = tcp.recv(65536)
            except ConnectionError:
                return b""
            if not data:
                return b""
            self.take(data)

    def updates(self, count: int) -> bytes:
        """So many KeyUpdate messages, each a record of its own."""
        for _ in range(count):
            assert self._library.SSL_key_update(self._pointer, 0) == 1
            assert self._library.SSL_do_handshake(self._pointer) == 1
        return self._out.read()

    def text(self, data: bytes) -> bytes:
        """A record with these bytes."""
        self._tls.write(data)
        return self._out.read()


def renewer(port: int, authority: TestCA) -> Renewer:
    tcp = socket.create_connection(("127.0.0.1", port), DEADLINE)
    return Renewer(tcp, authority).shake_hands()


REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_a_few_new_keys_between_requests_are_nothing_special(
    serve: Serve, authority: TestCA
) -> None:
    site = serve(True, on_request=lambda request: "hello")
    client = renewer(site.worker.port, authority)
    with client.tcp as tcp:
        for _ in range(20):
            tcp.sendall(client.updates(10) + client.text(REQUEST))
            assert client.answer(tcp) == b"HTTP/1.1"


def test_everybody_is_served_beside_a_peer_that_renews_its_keys_without_end(
    serve: Serve, authority: TestCA
) -> None:
    site = serve(True, on_message=echo, on_request=lambda request: "hello")
    bystander = site.open()
    client = renewer(site.worker.port, authority)
    with client.tcp as tcp:
        data = client.updates(MANY) + client.text(REQUEST)
        with contextlib.suppress(ConnectionError):
            tcp.sendall(data)
        for _ in range(5):
            still_serves(bystander)
        # OpenSSL that is called directly reads ahead, and would take hundreds of them in one go.
        assert client.answer(tcp) == (b"" if is_direct() else b"HTTP/1.1")


def test_one_read_takes_a_bounded_number_of_records(
    certificate: IssuedPair, authority: TestCA
) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate.cert, certificate.key)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        client = Renewer(theirs, authority)
        stream = TlsStream(server, ours.fileno())
        while not (client.step() and stream.is_established):
            if not stream.is_established:
                stream.handshake()
            with contextlib.suppress(BlockingIOError):
                client.take(theirs.recv(65536, socket.MSG_DONTWAIT))
        theirs.sendall(client.updates(30) + client.text(b"payload"))
        room = memoryview(bytearray(100))
        reads = 0
        while stream.read(room) == AGAIN:
            reads += 1
        assert room[:7] == b"payload"
        # Read ahead they are one buffer, and `read_into` counts them; else a read is a record.
        assert reads == (0 if is_direct() else 30)
        stream.release()
