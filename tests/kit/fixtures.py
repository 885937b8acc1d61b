"""Fixtures for any test: programs under test, and other users who can run them."""

from __future__ import annotations

import os
import pwd
import shutil
import ssl
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kit.app import App, MakeApp, echo
from kit.gateway import System
from kit.looking import Inspected, Run, written
from kit.program import free_ports
from lineman import Gateway, Worker
from lineman.brokers.embedded import Hub
from lineman.testing.certificates import IssuedPair, TestCA


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[MakeApp]:
    """Makes a program from its text; it is ended after the test."""
    apps: list[App] = []

    def make(text: str) -> App:
        apps.append(App(tmp_path, text))
        return apps[-1]

    yield make
    for app in apps:
        app.stop()


@pytest.fixture
def app(make_app: MakeApp) -> App:
    """A program of one process that answers with its pid."""
    return make_app(echo())


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may read."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def theirs(open_folder: Path) -> Path:
    """A directory where the other user, as whom programs run, may write."""
    path = open_folder / "theirs"
    path.mkdir()
    nobody = pwd.getpwnam("nobody")
    os.chown(path, nobody.pw_uid, nobody.pw_gid)
    return path


# Mounts an open folder over a closed one ($0) for the command that follows, and for no other
# process; the part that Python needs ($1) is mounted again by way of $2.
OPENED = """
    mount --bind "$1" "$2" && mount -t tmpfs -o mode=755 none "$0" &&
    mkdir -p "$1" && mount --bind "$2" "$1" && shift 2 && exec "$@"
"""


@pytest.fixture
def prefix(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Lets another user run this Python, which may be in a home directory closed to that user."""
    real = Path(sys.executable).resolve()
    for folder in reversed(real.parents):
        if not folder.stat().st_mode & 0o001:
            below = folder / real.relative_to(folder).parts[0]
            seen = str(tmp_path_factory.mktemp("python"))
            return ["unshare", "--mount", "sh", "-c", OPENED, str(folder), str(below), seen]
    return []


@pytest.fixture
def no_traces() -> Iterator[None]:
    """Removes a test's workers from the program's lists."""
    workers, names = Worker.all_workers[:], set(Gateway.all_names)
    yield
    Worker.all_workers[:] = workers
    Gateway.all_names.clear()
    Gateway.all_names.update(names)


@pytest.fixture
def port() -> int:
    """A port on which no process listens, and no other test will."""
    return free_ports(1)[0]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """A stack that is closed after the test."""
    with ExitStack() as exits:
        yield exits


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestCA:
    return TestCA(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def certificate(authority: TestCA) -> IssuedPair:
    return authority.issue(["localhost", "127.0.0.1"])


@pytest.fixture(scope="session")
def client_tls(authority: TestCA) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.ca_path)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with System(tmp_path) as system:
        yield system


@pytest.fixture
def hub(system: System) -> Iterator[str]:
    path = str(system.directory / "hub.sock")
    system.hub = Hub()
    system.run(system.hub.start(path))
    yield path
    system.run(system.hub.stop())


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Runs a program until the end of the test; returns when it is ready."""
    with ExitStack() as stack:

        def begin(more: str = "", count: int = 1, *, ready: str = "ready: ") -> App:
            (port,) = free_ports(1)
            app = Inspected(written(tmp_path, more, count, port), port, stack)
            if ready:
                app.program.wait_for_line(ready)
            return app

        yield begin
