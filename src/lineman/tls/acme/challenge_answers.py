"""The files of open challenges, and how a serving process answers an authority with them.

The job writes them below the state directory. Every process on the port can answer from there,
because any of them may accept the authority's connection. The directory exists only while a
challenge is open, so a process finds out by a single system call.
"""

from __future__ import annotations

import contextlib
import os
import re
import ssl
import time
from pathlib import Path
from urllib.parse import quote

from lineman.tls.files import private_files

ACME_PROTOCOL = b"acme-tls/1"
"""The ALPN protocol that only an authority offers (RFC 8737, section 6.2)."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,256}")  # RFC 8555, section 8.3: base64url
_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,62})\.)*[a-z0-9_][a-z0-9_-]{0,62}")
_ABANDONED = 3600.0  # seconds after which the challenge of a job that was killed is swept away
_LARGEST = 4096


class ChallengeAnswers:
    """The open challenges of one state directory; reading needs neither `acme` nor `cryptography`.

    Args:
        root: the state directory.

    Attributes:
        is_waiting: whether there is no certificate yet, so only an authority is served.
    """

    def __init__(self, root: Path) -> None:
        self._directory = root / "challenges"
        self._probe = os.fsencode(self._directory)
        self.is_waiting = False

    def is_open(self) -> bool:
        """Whether any challenge is open; called at every handshake."""
        return os.access(self._probe, os.F_OK)

    def http(self, token: str) -> bytes | None:
        """The answer at `/.well-known/acme-challenge/TOKEN`; None if there is none."""
        if not _TOKEN.fullmatch(token):
            return None
        try:
            with open(self._directory / f"http-{token}", "rb") as file:
                return file.read(_LARGEST)
        except OSError:
            return None

    def tls(self, server_name: str, protocols: tuple[bytes, ...]) -> ssl.SSLContext | None:
        """The context for a client with this first message; None: it is not from an authority.

        Source: RFC 8737, section 3
        """
        if protocols != (ACME_PROTOCOL,) or not _NAME.fullmatch(server_name):
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols([ACME_PROTOCOL.decode()])
        context.num_tickets = 0
        try:
            context.load_cert_chain(self._directory / f"tls-{server_name}.pem")
        except OSError:  # ssl.SSLError is one
            return None
        return context

    # For the job.

    def publish_http(self, token: str, answer: str) -> Path:
        """Answers this token from now on.

        Raises:
            OSError: the file cannot be written.
            ValueError: the token is malformed.
        """
        if not _TOKEN.fullmatch(token):
            raise ValueError(f"the authority's token is malformed: {token[:80]!r}")
        return self._write(f"http-{token}", answer.encode())

    def publish_tls(self, server_name: str, pem: bytes) -> Path:
        """Answers a validation of this name with this certificate and key from now on.

        Raises:
            OSError: the file cannot be written.
        """
        return self._write(f"tls-{quote(server_name, safe='')}.pem", pem)

    def _write(self, name: str, content: bytes) -> Path:
        path = self._directory / name
        while True:  # another job may remove the empty directory at any moment
            self._directory.mkdir(mode=0o700, exist_ok=True)
            try:
                private_files.write(path, content, 0o600)
            except FileNotFoundError:
                continue
            return path

    def withdraw(self, paths: list[Path]) -> None:
        """Deletes challenges, and those of jobs that were killed long ago."""
        for path in paths:
            path.unlink(missing_ok=True)
        oldest = time.time() - _ABANDONED
        with contextlib.suppress(OSError):
            for path in self._directory.iterdir():
                if path.stat().st_mtime < oldest:
                    path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # others may still have theirs in it
            self._directory.rmdir()
