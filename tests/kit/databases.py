"""A real PostgreSQL, which a test may stop and start again at the same address."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from kit.program import PortTaken, Program, free_ports
from kit.waiting import DEADLINE

NO_ROOT = "nobody"  # PostgreSQL refuses to run as root


def find_postgresql() -> Path:
    """The directory of its programs; Debian keeps them out of everybody's path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        pytest.fail("PostgreSQL is not installed; fix: apt-get install postgresql", pytrace=False)
    return found[-1].parent


class Postgres:
    """Its database `chat` belongs to the user `chat`, who needs no password.

    Args:
        port: where it listens on 127.0.0.1; None for one that is free.
    """

    def __init__(self, port: int | None = None) -> None:
        self._programs = find_postgresql()
        self._directory = Path(tempfile.mkdtemp(prefix="lineman-postgresql-"))
        self._as_user: list[str] = []
        if os.getuid() == 0:
            user = pwd.getpwnam(NO_ROOT)
            os.chown(self._directory, user.pw_uid, user.pw_gid)
            ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
            self._as_user = ["setpriv", *ids]
        self._program: Program | None = None
        self.port = port

    @property
    def address(self) -> str:
        """The URL of the database."""
        return f"postgresql://chat@127.0.0.1:{self.port}/chat"

    def start(self) -> None:
        data = self._directory / "data"
        if not data.exists():
            words = ["--auth=trust", "--username=chat", "--no-sync", "--encoding=UTF8"]
            self._run("initdb", "--no-locale", *words, str(data))
            create = b"CREATE DATABASE chat;\n"
            self._run("postgres", "--single", "-D", str(data), "postgres", given=create)
        for attempt in range(5):
            port = self.port or free_ports(1)[0]
            options = {
                "listen_addresses": "127.0.0.1",
                "port": str(port),
                "unix_socket_directories": "",
                "fsync": "off",
                "shared_buffers": "1MB",
                "log_min_messages": "debug1",  # tells of clients that went without closing
            }
            command = [*self._as_user, str(self._programs / "postgres"), "-D", str(data)]
            command += [f"--{name}={value}" for name, value in options.items()]
            self._program = Program("postgres", command, cwd=self._directory)
            try:
                self._program.wait_for_line("ready to accept connections")
            except PortTaken:
                self.stop()
                if self.port or attempt == 4:
                    raise
            else:
                self.port = port
                return

    def _run(self, name: str, *words: str, given: bytes = b"") -> None:
        command = [*self._as_user, str(self._programs / name), *words]
        done = subprocess.run(
            command, input=given, capture_output=True, cwd=self._directory, timeout=2 * DEADLINE
        )
        assert done.returncode == 0, (done.stdout + done.stderr).decode()

    def ask(self, sql: str) -> str:
        """What a query answers, without headings."""
        words = [str(self._programs / "psql"), "-XAtc", sql, self.address]
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=DEADLINE)
        return done.stdout.strip()

    @property
    def lost_clients(self) -> int:
        """How many connections have ended without being closed."""
        assert self._program is not None
        return self._program.output.count("unexpected EOF on client connection")

    @property
    def clients(self) -> int:
        """How many connections programs have to the database now."""
        others = "datname = 'chat' AND pid != pg_backend_pid()"
        return int(self.ask(f"SELECT count(*) FROM pg_stat_activity WHERE {others}"))

    def stop(self) -> None:
        """Ends it, and its clients' connections."""
        if self._program is not None:
            self._program.signal(signal.SIGINT)
            self._program.process.wait(DEADLINE)
            self._program.stop()
            self._program = None

    def remove(self) -> None:
        """Ends it for ever, and deletes its files."""
        self.stop()
        shutil.rmtree(self._directory)
