"""A program that a user's commands do not reach: they find it, or report where it runs."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.app import App, echo
from kit.processes import is_alive
from kit.waiting import wait_until
from lineman.process.rundir import claim
from lineman.process.rundir.rundir import (
    PidFile,
    default_pid_file,
    find_pid_file,
    name_of,
    run_directory,
)

NOBODY = pwd.getpwnam("nobody")
COMMANDS = ["stop", "status", "connections", "reload", "drain"]


class Users:
    """A program, and the commands that root and another user give about it."""

    def __init__(self, folder: Path, prefix: list[str]) -> None:
        self.app = App(folder, echo())
        self.log = folder / "theirs" / "log"
        self._prefix = prefix
        # Of the other user; closed to everybody else, as systemd makes it.
        self.session = folder / "session"
        self.session.mkdir(mode=0o700)
        os.chown(self.session, NOBODY.pw_uid, NOBODY.pw_gid)

    def root(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return self._run([], words, env)

    def nobody(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        become = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
        own = {"XDG_RUNTIME_DIR": str(self.session), "RUNTIME_DIRECTORY": "", "LOGS_DIRECTORY": ""}
        return self._run(become, words, {**own, **env})

    def _run(
        self, become: list[str], words: tuple[str, ...], env: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        command = [*self._prefix, *become, sys.executable, "-m", "lineman", *words]
        return subprocess.run(
            [*command, str(self.app.script)],
            env={**os.environ, **env}, capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    @property
    def master(self) -> int:
        (found,) = claim.runners(name_of(str(self.app.script)))
        return found.pid


@pytest.fixture
def users(open_folder: Path, theirs: Path, prefix: list[str]) -> Iterator[Users]:
    made = Users(open_folder, prefix)
    yield made
    pids = [each.pid for each in claim.runners(name_of(str(made.app.script)))]
    for pid in pids:
        os.kill(pid, signal.SIGTERM)  # a test may have taken its pid file away
    wait_until(lambda: not any(map(is_alive, pids)), "they have ended")


@pytest.mark.parametrize("is_cleaned", [False, True])
def test_root_is_told_of_a_program_that_another_user_runs(users: Users, is_cleaned: bool) -> None:
    started = users.nobody("start", "-d", "--log", str(users.log))
    assert started.returncode == 0, started.stderr
    pid = users.master
    if is_cleaned:
        shutil.rmtree(users.session / "lineman")
    for word in COMMANDS:
        done = users.root(word)
        assert done.returncode == 1, (word, done.stdout)
        assert f"app.py runs as process {pid} of user nobody" in done.stderr
        (file,) = (users.session / "lineman").glob("*.pid") if not is_cleaned else (None,)
        if file is not None:
            line = f"sudo -u nobody lineman {word} {users.app.script} --pid-file {file}"
            assert line in done.stderr
    restarted = users.root("restart")
    assert restarted.returncode == 1
    assert f"process {pid} of user nobody" in restarted.stderr
    assert is_alive(pid)
    # And with the words that it says, as that user.
    assert users.nobody("stop").returncode == 0
    assert "app.py does not run" in users.root("stop").stdout


@pytest.mark.parametrize("where", [(), ("--pid-file", "{folder}/own.pid")])
def test_another_user_is_told_of_roots(users: Users, where: tuple[str, ...]) -> None:
    words = [each.format(folder=users.app.script.parent) for each in where]
    started = users.root("start", "-d", "--log", f"{users.app.script}.log", *words)
    assert started.returncode == 0, started.stderr
    for word in COMMANDS:
        done = users.nobody(word)
        assert done.returncode == 1, (word, done.stdout)
        assert "does not run" not in done.stderr
        assert f"app.py runs as process {users.master} of user root" in done.stderr
        assert f"sudo -u root lineman {word} {users.app.script} --pid-file " in done.stderr
    assert users.root("stop", *words).returncode == 0


def test_who_forgets_the_pid_file_is_told_it(users: Users) -> None:
    own = users.app.script.parent / "own.pid"
    users.root("start", "-d", "--log", f"{users.app.script}.log", "--pid-file", str(own))
    for word in COMMANDS:
        done = users.root(word)
        assert done.returncode == 1, (word, done.stdout)
        assert f"runs as process {users.master}, its pid file is {own}" in done.stderr
        assert f"fix: lineman {word} {users.app.script} --pid-file {own}" in done.stderr
    # Of several the one that was named is meant.
    other = users.root("stop", "--pid-file", f"{own}2")
    assert other.returncode == 0
    assert "does not run; it also runs as process" in other.stdout
    # A restart of the one leaves the other alone.
    again = users.root("restart", "-d", "--log", f"{users.app.script}.log")
    assert again.returncode == 0, again.stderr
    assert "is started beside it" in again.stderr
    assert users.root("stop").returncode == 0
    assert users.root("stop", "--pid-file", str(own)).returncode == 0


def test_the_pid_file_of_another_user_is_no_program_that_does_not_run(users: Users) -> None:
    users.nobody("start", "-d", "--log", str(users.log))
    (file,) = (users.session / "lineman").glob("*.pid")
    shutil.rmtree(file.parent)
    os.chown(users.session, 0, 0)  # so that the program does not make it anew meanwhile
    done = users.root("stop", "--pid-file", str(file))
    assert done.returncode == 1
    assert f"process {users.master} of user nobody" in done.stderr


def test_a_link_that_leads_elsewhere_now_hides_no_program(
    tmp_path: Path, make_app: Callable[[str], App]
) -> None:
    releases = [tmp_path / name for name in ("one", "two")]
    link = tmp_path / "current"
    link.symlink_to(releases[0])
    for each in releases:
        each.mkdir()
        (each / "app.py").write_text(textwrap.dedent(echo()))

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        given = [sys.executable, "-m", "lineman", *words, str(link / "app.py")]
        return subprocess.run(given, capture_output=True, text=True, timeout=60)

    assert command("start", "-d", "--log", str(tmp_path / "log")).returncode == 0
    link.unlink()
    link.symlink_to(releases[1])
    for word in ("stop", "status", "restart"):
        done = command(word)
        assert done.returncode == 1, done.stdout
        assert "app.py runs as process" in done.stderr
        assert f" {link}/app.py --pid-file " in done.stderr
    # Another program of that name is none of its business.
    other = make_app(echo())
    assert other.run("stop", by_script=False).stdout == "app.py does not run\n"
    given = re.search(r"--pid-file (\S+)", command("stop").stderr)
    assert given is not None
    assert command("stop", "--pid-file", given[1]).returncode == 0
    assert command("stop").stdout == "app.py does not run\n"


def test_a_session_that_ends_takes_no_program_from_its_user(users: Users) -> None:
    users.nobody("start", "-d", "--log", str(users.log))
    elsewhere = users.app.script.parent / "theirs" / "session"
    for env in ({"XDG_RUNTIME_DIR": ""}, {"XDG_RUNTIME_DIR": str(elsewhere)}, {"HOME": "/root"}):
        done = users.nobody("status", **env)
        assert done.returncode == 0, done.stderr
    # Nor does what `su` leaves of another user.
    done = users.nobody("status", XDG_RUNTIME_DIR=str(users.app.script.parent))
    assert done.returncode == 0, done.stderr
    closed = Path(tempfile.mkdtemp())
    done = users.nobody("status", XDG_RUNTIME_DIR=str(closed))
    assert done.returncode == 0, done.stderr
    closed.rmdir()


def test_the_runtime_directory_of_another_user_is_not_ours(
    monkeypatch: pytest.MonkeyPatch, theirs: Path
) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(theirs))
    assert run_directory() == Path("/tmp/lineman-12345")


def test_a_long_path_is_found_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ("a-long-name" * 12)
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    held = PidFile.take(folder / "app-12345678.pid", "app-12345678")
    try:
        (found,) = claim.runners("app-12345678")
        assert (found.pid, found.is_believed) == (os.getpid(), True)
        assert claim.runners("app-1234567") == []
        # Its control socket would tell which pid file it is: a master has one.
        assert find_pid_file("app-12345678") == default_pid_file("app-12345678")
    finally:
        held.release()
    assert claim.runners("app-12345678") == []
