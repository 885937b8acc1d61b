"""What nginx, HAProxy and Apache make of hostile requests, and what the worker behind them reads.

Each proxy marks the requests that it forwards. A request that the worker reads without that mark
was hidden in the body of another one: proxy and worker would not agree where it ends.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from e2e.support.proxies import binary_of
from kit.program import Program, free_ports
from lineman import Request, Worker
from lineman.protocols.http.requests import RequestParser
from lineman.testing.client import RawClient
from lineman.testing.serving import Serving

NGINX = """
daemon off; pid nginx.pid; error_log stderr notice;
events {{}}
http {{
    access_log off;
    upstream worker {{ server 127.0.0.1:{behind}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port};
        client_header_timeout 300ms; client_body_timeout 300ms; keepalive_timeout 300ms;
        location / {{
            proxy_pass http://worker;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_set_header Connection "";
            proxy_set_header X-Front nginx;
        }}
    }}
}}
"""
HAPROXY = """
global
    log stderr format raw local0 notice
defaults
    mode http
    timeout connect 5s
    timeout client 300ms
    timeout http-request 300ms
    timeout server 5s
frontend site
    bind 127.0.0.1:{port}
    http-request set-header X-Front haproxy
    default_backend worker
backend worker
    http-reuse always
    server one 127.0.0.1:{behind}
"""
APACHE = """
ServerRoot {directory}
PidFile {directory}/pid
DefaultRuntimeDir {directory}
ErrorLog /dev/stderr
LogLevel notice
Listen 127.0.0.1:{port}
ServerName localhost
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
LoadModule reqtimeout_module /usr/lib/apache2/modules/mod_reqtimeout.so
RequestReadTimeout header=1 body=1
KeepAliveTimeout 300ms
RequestHeader set X-Front apache
ProxyPass / http://127.0.0.1:{behind}/
"""
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /outer HTTP/1.1\r\nHost: a\r\n"


def chunked(*lines: bytes, body: bytes = b"0\r\n\r\n") -> bytes:
    return POST + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked"
VECTORS = {
    "a length beside chunks": chunked(b"Content-Length: 5", CHUNKED, body=b"0\r\n\r\n" + HIDDEN),
    "chunks beside a length": chunked(
        CHUNKED, b"Content-Length: %d" % (5 + len(HIDDEN)), body=b"0\r\n\r\n" + HIDDEN
    ),
    "two lengths": chunked(b"Content-Length: 0", b"Content-Length: 35", body=HIDDEN),
    "two equal lengths": chunked(b"Content-Length: 4", b"Content-Length: 4", body=b"abcd"),
    "a list of lengths": chunked(b"Content-Length: 4, 4", body=b"abcd"),
    "a length with a sign": chunked(b"Content-Length: +4", body=b"abcd"),
    "a length in hexadecimals": chunked(b"Content-Length: 0x4", body=b"abcd"),
    "a length with a blank before the colon": chunked(
        b"Content-Length : %d" % len(HIDDEN), body=HIDDEN
    ),
    "an underscore in the length's name": chunked(
        b"Content_Length: %d" % len(HIDDEN), body=HIDDEN
    ),
    "chunks with a blank before the colon": chunked(
        b"Transfer-Encoding : chunked", b"Content-Length: 5", body=b"0\r\n\r\n" + HIDDEN
    ),
    "chunks behind a tab": chunked(
        b"Transfer-Encoding:\tchunked", b"Content-Length: 5", body=b"0\r\n\r\n" + HIDDEN
    ),
    "chunks behind a vertical tab": chunked(
        b"Transfer-Encoding: \x0bchunked", b"Content-Length: 5", body=b"0\r\n\r\n" + HIDDEN
    ),
    "chunks of another name": chunked(
        b"Transfer-Encoding: xchunked", b"Content-Length: 5", body=b"0\r\n\r\n" + HIDDEN
    ),
    "chunks and identity": chunked(
        b"Transfer-Encoding: chunked, identity", b"Content-Length: 5", body=b"0\r\n\r\n" + HIDDEN
    ),
    "chunks twice": chunked(CHUNKED, CHUNKED, body=b"0\r\n\r\n" + HIDDEN),
    "chunks, in quotes": chunked(
        b'Transfer-Encoding: "chunked"', b"Content-Length: 5", body=b"0\r\n\r\n" + HIDDEN
    ),
    "chunks over HTTP/1.0": chunked(CHUNKED, body=b"0\r\n\r\n" + HIDDEN).replace(b"/1.1", b"/1.0"),
    "chunks on a folded line": chunked(
        b"Transfer-Encoding:\r\n chunked", b"Content-Length: 5", body=b"0\r\n\r\n" + HIDDEN
    ),
    "a folded header": chunked(b"X: a\r\n b", b"Content-Length: 4", body=b"abcd"),
    "a bare line feed ends a header": chunked(
        b"X: a\nTransfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n" + HIDDEN
    ),
    "a bare carriage return in a header": chunked(
        b"X: a\rTransfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n" + HIDDEN
    ),
    "a zero byte in a header": chunked(b"X: a\0b", b"Content-Length: 4", body=b"abcd"),
    "a chunk size with a sign": chunked(CHUNKED, body=b"+4\r\nabcd\r\n0\r\n\r\n"),
    "a chunk size with 0x": chunked(CHUNKED, body=b"0x4\r\nabcd\r\n0\r\n\r\n"),
    "a chunk size that wraps around": chunked(
        CHUNKED, body=b"100000000000000000\r\n" + HIDDEN + b"\r\n0\r\n\r\n"
    ),
    "a chunk without its line end": chunked(CHUNKED, body=b"4\r\nabcdX\r\n0\r\n\r\n"),
    "a chunk longer than its size": chunked(CHUNKED, body=b"2\r\nabcd\r\n0\r\n\r\n"),
    "chunk lines that end with a line feed": chunked(CHUNKED, body=b"4\nabcd\n0\n\n" + HIDDEN),
    "a chunk extension with a line feed": chunked(
        CHUNKED, body=b"4;a\nb\r\nabcd\r\n0\r\n\r\n" + HIDDEN
    ),
    "a chunk size with blanks": chunked(CHUNKED, body=b"4 \r\nabcd\r\n0\r\n\r\n"),
    "a trailer with a length": chunked(
        CHUNKED, body=b"4\r\nabcd\r\n0\r\nContent-Length: 35\r\n\r\n" + HIDDEN
    ),
    "no end of chunks": chunked(CHUNKED, body=b"4\r\nabcd\r\n"),
    "two hosts": POST + b"Host: b\r\nContent-Length: 0\r\n\r\n",
    "a body of GET": b"GET /outer HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN)
    + HIDDEN,
    "a body of a handshake": b"GET /outer HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN)
    + HIDDEN,
    "a body of another upgrade": POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
    "a line end before the request": b"\r\n" + chunked(b"Content-Length: 4", body=b"abcd"),
    "a thousand headers": chunked(*[b"X: y"] * 1000, b"Content-Length: 0", body=b""),
    "a million headers": POST + b"A:\r\n" * 1_000_000,
    "an endless target": b"GET /" + b"x" * 100_000,
}  # fmt: skip

# No length at all, and so another request behind it: nothing is hidden there.
PIPELINED = {"an underscore in the length's name"}


@dataclass
class Site:
    """A worker, and where a client reaches it through a proxy."""

    port: int
    mark: str
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)

    def send(self, data: bytes) -> bytes:
        """What the proxy answers until it ends the connection; it has no patience."""
        client = RawClient(self.port, timeout=10)
        try:
            client.send_bytes(data)
            return client.receive_all()
        except ConnectionError:
            return b""
        finally:
            client.close()


@contextmanager
def behind(kind: str, directory: Path) -> Iterator[Site]:
    """A worker behind a real proxy, which marks what it forwards."""
    site = Site(0, kind)

    def note(request: Request) -> str:
        site.seen.append((request.method, request.path, request.headers.get("x-front")))
        return "ok"

    worker = Worker("http://127.0.0.1:0")
    worker.on_request = note
    with Serving(worker) as serving:
        (site.port,) = free_ports(1)
        text = {"nginx": NGINX, "haproxy": HAPROXY, "apache": APACHE}[kind]
        config = directory / "proxy.conf"
        config.write_text(text.format(port=site.port, behind=serving.port, directory=directory))
        words = {
            "nginx": ["-p", str(directory), "-c", str(config)],
            "haproxy": ["-f", str(config)],
            "apache": ["-d", str(directory), "-f", str(config), "-D", "FOREGROUND"],
        }[kind]
        program = Program(kind, [binary_of(kind), *words])
        try:
            _wait_for(site.port)
            yield site
        finally:
            program.stop()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "the proxy does not listen"
            time.sleep(0.02)


@pytest.mark.parametrize("kind", ["nginx", "haproxy", "apache"])
def test_no_request_is_hidden_in_another(kind: str, tmp_path: Path) -> None:
    # Paths of the same length, by which a failure names its vector.
    named = {
        name: data.replace(b"/hidden", b"/hid%03d" % number)
        for number, (name, data) in enumerate(VECTORS.items())
    }
    with behind(kind, tmp_path) as site:
        assert site.send(b"GET /plain HTTP/1.0\r\n\r\n").endswith(b"ok")
        assert site.seen == [("GET", "/plain", kind)]
        with ThreadPoolExecutor(len(VECTORS)) as pool:
            list(pool.map(site.send, named.values()))
        unmarked = [path for _, path, mark in site.seen if mark != kind]
        assert unmarked == [], dict(enumerate(VECTORS))
        assert len(site.seen) > 5  # some are forwarded, as what the proxy has understood
        # The connections that the proxy keeps are in step: each client gets its own answer.
        site.seen.clear()
        for _ in range(8):
            assert site.send(b"GET /next HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\nok")
        assert site.seen == [("GET", "/next", kind)] * 8


@pytest.mark.parametrize("name", VECTORS)
def test_without_a_proxy_none_is_hidden_either(name: str) -> None:
    parser = RequestParser(16384, 65536)
    paths = [request.path for request in parser.feed(VECTORS[name])]
    if name in PIPELINED:
        assert paths == ["/outer", "/hidden"]
    else:
        assert "/hidden" not in paths, parser.error
