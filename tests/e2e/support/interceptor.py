"""Stands between a client and the real Pebble, for answers that Pebble does not have.

Debian's Pebble has no rate limits and no renewal information (RFC 9773). Everything passes
through except the answers that a test replaces with its own.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from e2e.support.pebble import Pebble
from lineman.testing.certificates import IssuedPair


@dataclass
class Answer:
    """An answer in place of Pebble's."""

    status: int
    content: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    is_once: bool = False


@dataclass
class Interceptor:
    """A running one.

    Args:
        url: of the ACME directory, through it.
        instead: answers by the beginning of a path.
        directory: what the directory says besides; URLs may begin with `{base}`.
        requests: method and path of every request so far.
        bodies: what was posted, by path.
    """

    url: str
    instead: dict[str, Answer] = field(default_factory=dict)
    directory: dict[str, str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)


@contextmanager
def interceptor(pebble: Pebble, pair: IssuedPair) -> Iterator[Interceptor]:
    """An interceptor before this authority, with a certificate for 127.0.0.1."""
    behind = urlsplit(pebble.url)
    trust = ssl.create_default_context(cafile=pebble.ca_file)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found.requests.append(f"{self.command} {self.path}")
            found.bodies[self.path] = body
            for start, answer in list(found.instead.items()):
                if self.path.startswith(start):
                    if answer.is_once:
                        del found.instead[start]
                    kind = "application/json" if answer.status < 400 else "application/problem+json"
                    content = json.dumps(answer.content).encode()
                    headers = {"Content-Type": kind, **answer.headers}
                    self.answer(answer.status, headers, content)
                    return
            self.pass_on(body)

        def pass_on(self, body: bytes) -> None:
            # Pebble writes its URLs with the Host that it is asked for, so that all come back here.
            link = http.client.HTTPSConnection(behind.hostname or "", behind.port, context=trust)
            link.request(self.command, self.path, body, dict(self.headers))
            reply = link.getresponse()
            content = reply.read()
            link.close()
            if self.path == behind.path:
                base = f"https://{self.headers['Host']}"
                more = {name: url.format(base=base) for name, url in found.directory.items()}
                content = json.dumps({**json.loads(content), **more}).encode()
            self.answer(reply.status, dict(reply.getheaders()), content)

        def answer(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "date", "server", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = handle_any

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        found = Interceptor(f"https://127.0.0.1:{server.server_port}{behind.path}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
