"""A client's TLS in memory: its records may be cut, and either direction ends by itself."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from lineman.testing.certificates import IssuedPair
from lineman.testing.tlssocket import TlsSocket


class Echo:
    """A TLS server for one client: it answers all that it gets after its end, then says goodbye."""

    def __init__(self, pair: IssuedPair, *, is_rude: bool = False) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pair.cert, pair.key)
        self._is_rude = is_rude
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        plain, _ = self._listener.accept()
        plain.settimeout(20)
        try:
            tls = self._context.wrap_socket(plain, server_side=True)
        except ssl.SSLError:
            plain.close()
            return
        with tls:
            data = b""
            while piece := tls.recv(1000):
                data += piece
                if self._is_rude:
                    return
            tls.sendall(data)
            tls.unwrap()

    def close(self) -> None:
        self._thread.join(20)
        self._listener.close()


@pytest.fixture
def echo(certificate: IssuedPair) -> Iterator[Echo]:
    made = Echo(certificate)
    yield made
    made.close()


def connected(echo: Echo, tls: ssl.SSLContext, piece: int | None = None) -> TlsSocket:
    return TlsSocket(socket.create_connection(echo.address, 20), tls, "localhost", piece)


@pytest.mark.parametrize("piece", [None, 1, 7])
def test_what_is_sent_in_pieces_arrives_whole_and_reading_goes_on_after_our_end(
    echo: Echo, client_tls: ssl.SSLContext, piece: int | None
) -> None:
    client = connected(echo, client_tls, piece)
    client.sendall(b"hello")
    client.sendall(b" there")
    client.end_tls()
    said = b""
    while data := client.recv(1000):
        said += data
    assert said == b"hello there"
    client.close()


def test_an_end_of_tcp_without_the_end_of_tls_is_told(
    certificate: IssuedPair, client_tls: ssl.SSLContext
) -> None:
    echo = Echo(certificate, is_rude=True)
    client = connected(echo, client_tls)
    client.sendall(b"x")
    with pytest.raises(ssl.SSLEOFError):
        client.recv(1000)
    client.close()
    echo.close()


def test_a_client_that_does_not_trust_the_server_closes_its_socket(echo: Echo) -> None:
    plain = socket.create_connection(echo.address, 20)
    with pytest.raises(ssl.SSLCertVerificationError):
        TlsSocket(plain, ssl.create_default_context(), "localhost")
    assert plain.fileno() == -1
