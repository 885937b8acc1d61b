from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lineman.testing.certificates import TestCA
from tls.support import Handshake

NOBODY = 65534


@pytest.fixture
def ca(tmp_path: Path) -> TestCA:
    return TestCA(tmp_path / "certificates")


@pytest.fixture
def client_context(ca: TestCA) -> ssl.SSLContext:
    """A client as strict as Python 3.13's, which trusts the test authority only."""
    context = ssl.create_default_context(cafile=ca.ca_path)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


@pytest.fixture
def handshake() -> Handshake:
    """Do a whole TLS handshake in memory and return (server side, client side)."""

    def shake(
        server: ssl.SSLContext, client: ssl.SSLContext, name: str = "localhost"
    ) -> tuple[ssl.SSLObject, ssl.SSLObject]:
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        ends = {
            "client": client.wrap_bio(to_client, to_server, server_hostname=name),
            "server": server.wrap_bio(to_server, to_client, server_side=True),
        }
        waiting = ["client", "server"]
        for _ in range(8):
            for end in tuple(waiting):
                with contextlib.suppress(ssl.SSLWantReadError):
                    ends[end].do_handshake()
                    waiting.remove(end)
        assert not waiting, f"never finished: {waiting}"
        return ends["server"], ends["client"]

    return shake


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that every user may enter; pytest's own are for the user who runs it."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o777)
        yield directory


@pytest.fixture
def unprivileged() -> Callable[[], contextlib.AbstractContextManager[None]]:
    """Return a context manager in which permissions count, even where root runs the tests."""

    @contextlib.contextmanager
    def without_root() -> Iterator[None]:
        if os.geteuid() != 0:
            yield
            return
        group = os.getegid()
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(group)

    return without_root
