"""A client that reconnects resumes its TLS session in any process of the service."""

from __future__ import annotations

import socket
import ssl
import sys
import textwrap
import time
from pathlib import Path

import pytest

from kit.program import Program
from kit.waiting import DEADLINE
from lineman.testing.certificates import TestCA

PROGRAM = """
    import os
    from lineman import Worker

    worker = Worker("wss://127.0.0.1:0", cert="server.pem", key="server.key", count=2)

    @worker.on_request
    def who(request):
        return str(os.getpid())

    Worker.run_all()
"""


def visit(
    port: int, tls: ssl.SSLContext, session: ssl.SSLSession | None
) -> tuple[bool, str, ssl.SSLSession | None]:
    """Whether the session was resumed, the process that answered, and the session for next time."""
    plain = socket.create_connection(("127.0.0.1", port), DEADLINE)
    with tls.wrap_socket(plain, server_hostname="localhost", session=session) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b""
        while data := client.recv(4096):
            answer += data
        return bool(client.session_reused), answer.rpartition(b"\n")[2].decode(), client.session


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_processes_take_the_tickets_of_both(tmp_path: Path, version: ssl.TLSVersion) -> None:
    ca = TestCA(tmp_path)
    ca.issue("localhost")
    (tmp_path / "app.py").write_text(textwrap.dedent(PROGRAM))
    tls = ssl.create_default_context(cafile=ca.ca_path)
    tls.minimum_version = tls.maximum_version = version
    program = Program("app.py", [sys.executable, "app.py"], cwd=tmp_path)
    try:
        port = int(program.wait_for_line("listening on ", count=2)[0].rpartition(":")[2])
        deadline = time.monotonic() + DEADLINE
        is_resumed, first, session = visit(port, tls, None)
        assert not is_resumed
        met = {first}
        while len(met) < 2:
            assert time.monotonic() < deadline, "the other process never answers"
            is_resumed, pid, session = visit(port, tls, session)
            assert is_resumed, f"process {pid} did not take the ticket of another"
            met.add(pid)
    finally:
        program.stop()
