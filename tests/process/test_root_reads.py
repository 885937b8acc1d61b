"""`lineman doctor` and `lineman proxy` as root, for another user's program: real processes.

As at a start, the program's code runs as its user, and its description is trusted no more than
that user.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kit.app import App
from kit.processes import children_of, is_alive
from kit.program import Program as E2eProgram
from kit.waiting import wait_until
from lineman.process.rundir.rundir import holder, name_of
from lineman.testing.certificates import TestCA

NOBODY = pwd.getpwnam("nobody")
AS_NOBODY = ("--user", "nobody")
PROXY = ("--domain", "chat.example.com", "--cert", "/c.pem", "--key", "/k.pem")

# Says whom its code runs as, wherever that is.
TELLING = """
    import os, sys
    from lineman import Worker

    print("code runs as", os.getuid(), file=sys.stderr, flush=True)
    {first}
    Worker({options})
    Worker.run_all()
"""


class Program(App):
    """A program, and root's commands that read it."""

    def ask(self, *words: str, command: str = "doctor") -> subprocess.CompletedProcess[str]:
        """The output of a command: `doctor` or `proxy`."""
        given = ["proxy", "nginx", *PROXY] if command == "proxy" else ["doctor", "--json"]
        given.insert(2, str(self.script))
        command_line = [*self.prefix, sys.executable, "-m", "lineman", *given, *words]
        return subprocess.run(command_line, capture_output=True, text=True, timeout=60)

    def findings(self, *words: str) -> dict[str, str]:
        """The doctor's findings, by name."""
        done = self.ask(*words)
        assert done.stdout, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
        return {each["name"]: f"{each['seen']}; fix: {each['fix']}" for each in found}


@pytest.fixture
def make(open_folder: Path, prefix: list[str]) -> Iterator[Callable[..., Program]]:
    made: list[Program] = []

    def make(first: str = "pass", options: str = '"ws://127.0.0.1:0"') -> Program:
        text = textwrap.dedent(TELLING).format(first=first, options=options)
        made.append(Program(open_folder, text, prefix))
        return made[-1]

    yield make
    for each in made:
        each.run("stop", by_script=False)


def users(text: str) -> set[str]:
    """The users that the code has run as."""
    return {line.rpartition(" ")[2] for line in text.splitlines() if "code runs as" in line}


@pytest.mark.parametrize("command", ["doctor", "proxy"])
def test_no_code_of_the_program_runs_as_root(make: Callable[..., Program], command: str) -> None:
    program = make(options='"ws://127.0.0.1:8282"')
    done = program.ask(*AS_NOBODY, command=command)
    assert users(done.stderr) == {str(NOBODY.pw_uid)}, done.stderr
    assert "code runs as" not in done.stdout


@pytest.mark.parametrize("command", ["doctor", "proxy"])
def test_a_running_program_is_read_as_whom_it_runs_as(
    make: Callable[..., Program], open_folder: Path, command: str
) -> None:
    program = make(options='"ws://127.0.0.1:0"')
    done = program.run(
        "start", "-d", *AS_NOBODY, "--log", str(open_folder / "log"), by_script=False
    )
    assert done.returncode == 0, done.stderr
    program.write(program.script.read_text().replace(":0", ":8282"))
    done = program.ask(command=command)
    assert users(done.stderr) == {str(NOBODY.pw_uid)}, done.stderr


def test_who_says_that_he_runs_it_is_not_given_it_to_read(
    make: Callable[..., Program], theirs: Path
) -> None:
    program = make()
    env = {"RUNTIME_DIRECTORY": str(theirs), "XDG_RUNTIME_DIR": str(theirs)}
    become = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
    words = [*become, sys.executable, "-m", "lineman", "start", str(program.script)]
    running = E2eProgram("app.py", [*program.prefix, *words], env=env)
    try:
        running.wait_for_line("ready: ")
        done = program.ask()
        assert done.returncode == 1
        assert not users(done.stderr)
        assert "of user nobody says that it runs app.py" in done.stderr
        assert "--user NAME" in done.stderr
        assert users(program.ask(*AS_NOBODY).stderr) == {str(NOBODY.pw_uid)}
    finally:
        running.stop()


def answers_as_nobody(theirs: Path, name: str, reply: dict[str, str], text: str) -> int:
    """Forks a process of nobody's that looks like a master; its number."""
    lent = theirs.parent / "of-root"
    lent.write_text(text)
    (theirs / f"{name}.pid").symlink_to(lent)
    ready, told = os.pipe()
    pid = os.fork()
    if pid:
        os.close(told)
        assert os.read(ready, 1) == b"x"
        os.close(ready)
        return pid
    try:
        os.setgroups([])
        os.setresgid(NOBODY.pw_gid, NOBODY.pw_gid, NOBODY.pw_gid)
        os.setresuid(NOBODY.pw_uid, NOBODY.pw_uid, NOBODY.pw_uid)
        held = os.open(lent, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX)  # which every user who may read a file may do
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(theirs / f"{name}.sock"))
            listener.listen()
            os.write(told, b"x")
            while True:
                with listener.accept()[0] as end:
                    end.recv(4096)
                    end.sendall(json.dumps(reply).encode() + b"\n")
    finally:
        os._exit(1)


@pytest.fixture
def handed() -> Iterator[Path]:
    """A directory of nobody's where only root could put it, as systemd does for a service."""
    with tempfile.TemporaryDirectory(dir="/run") as folder:
        Path(folder).chmod(0o755)
        path = Path(folder, "theirs")
        path.mkdir()
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
        yield path


def test_a_file_of_roots_that_somebody_else_holds_makes_him_no_master_of_roots(
    make: Callable[..., Program], handed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = make()
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(handed))
    reply = {"user": "nobody", "group": "", "script": str(program.script)}
    pid = answers_as_nobody(handed, name_of(str(program.script)), reply, "1\n")
    try:
        done = program.ask()
        assert str(NOBODY.pw_uid) not in users(done.stderr)
        said = program.run("status", by_script=False)
        assert "process 1 " not in said.stdout + said.stderr
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_the_socket_of_another_program_of_roots_does_not_speak_for_this_one(
    make: Callable[..., Program], handed: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = make()
    other = open_folder / "other"
    other.mkdir()
    lent = Program(
        other, TELLING.format(first="pass", options='"ws://127.0.0.1:0"'), program.prefix
    )
    place = open_folder / "other.pid"
    words = ("start", "-d", *AS_NOBODY, "--log", str(open_folder / "log"), "--pid-file", str(place))
    done = lent.run(*words, by_script=False)
    assert done.returncode == 0, done.stderr
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(handed))
    name = name_of(str(program.script))
    reply = {"user": "nobody", "group": "", "script": str(program.script)}
    pid = answers_as_nobody(handed, name, reply, "1\n")
    try:
        (handed / f"{name}.sock").unlink()
        (handed / f"{name}.sock").symlink_to(place.with_suffix(".sock"))
        assert str(NOBODY.pw_uid) not in users(program.ask().stderr)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        lent.run("stop", "--pid-file", str(place), by_script=False)


def test_what_a_master_answers_does_not_reach_the_terminal_as_commands(
    make: Callable[..., Program], handed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = make()
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(handed))
    reply = {"error": "\x1b]0;a title\x07"}
    pid = answers_as_nobody(handed, name_of(str(program.script)), reply, "1\n")
    try:
        for word in ("status", "connections", "reload", "stop"):
            done = program.run(word, by_script=False)
            assert "?]0;a title?" in done.stderr
            assert "\x1b" not in done.stdout + done.stderr
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_stranger_cannot_have_root_told_to_kill_a_process_that_is_not_his(theirs: Path) -> None:
    path = theirs / "app.pid"
    path.write_text(f"{os.getpid()}\n")
    os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    with path.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert holder(path) == -1
        os.chown(path, 0, 0)
        assert holder(path) == os.getpid()


def test_the_user_that_the_program_names_is_read_once_as_at_a_start(
    make: Callable[..., Program], open_folder: Path
) -> None:
    key = pair_in(open_folder)
    program = make(options=f'"wss://127.0.0.1:0", user="nobody", {key}')
    done = program.ask()
    assert users(done.stderr) == {"0"}
    assert "worker-cannot-start" not in done.stdout


def test_who_has_no_such_user_is_told(make: Callable[..., Program]) -> None:
    done = make().ask("--user", "no-such-user")
    assert done.returncode == 1
    assert "there is no user 'no-such-user'" in done.stderr
    both = make(options='"ws://127.0.0.1:0", user="no-such-user"').findings()
    assert "there is no user 'no-such-user'" in both["worker-cannot-start"]


def test_what_a_start_would_refuse_is_found(make: Callable[..., Program]) -> None:
    program = make('Worker("ws://127.0.0.1:0", name="a")', '"ws://127.0.0.1:0", user="nobody"')
    assert "and a as root" in program.findings()["worker-cannot-start"]


# Keys that only root may read.


def pair_in(folder: Path, **how: Any) -> str:
    """The options for a new pair, whose key is root's alone."""
    pair = TestCA(folder).issue(["localhost"], **how)
    pair.key.chmod(0o600)
    return f"cert={str(pair.cert)!r}, key={str(pair.key)!r}"


def test_a_key_of_roots_is_looked_at_as_at_a_start(
    make: Callable[..., Program], open_folder: Path
) -> None:
    good = make(options=f'"wss://127.0.0.1:0", {pair_in(open_folder)}')
    assert "worker-cannot-start" not in good.findings(*AS_NOBODY)
    past = datetime.now(UTC) - timedelta(days=2)
    old = pair_in(open_folder, not_before=past - timedelta(days=9), not_after=past)
    expired = make(options=f'"wss://127.0.0.1:0", {old}')
    assert "expired" in expired.findings(*AS_NOBODY)["worker-cannot-start"]


def test_a_file_of_roots_that_is_no_key_is_not_read(
    make: Callable[..., Program], open_folder: Path, theirs: Path
) -> None:
    shadow = open_folder / "shadow"
    shadow.write_text("root:$6$secret:19000:0:99999:7:::\n")
    shadow.chmod(0o600)
    pair = pair_in(open_folder)
    (theirs / "key.pem").symlink_to(TestCA(open_folder).issue(["localhost"]).key)
    os.chmod((theirs / "key.pem").resolve(), 0o600)
    cert = pair.split(", ")[0]
    for key, why in ((shadow, "it holds no"), (theirs / "key.pem", "is a link that other users")):
        program = make(options=f'"wss://127.0.0.1:0", {cert}, key={str(key)!r}')
        done = program.ask(*AS_NOBODY)
        assert why in done.stdout
        assert "secret" not in done.stdout + done.stderr
    ca = make(
        options=f'"wss://127.0.0.1:0", {pair}, verify_client="optional", ca_file={str(shadow)!r}'
    )
    assert "cannot read the CA file" in ca.findings(*AS_NOBODY)["worker-cannot-start"]


def test_a_socket_is_reached_with_the_users_rights(
    make: Callable[..., Program], open_folder: Path
) -> None:
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    path = closed / "app.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        program = make(options=f'"ws+unix://{path}"')
        assert "worker-other-program" in program.findings()
        assert "worker-not-running" in program.findings(*AS_NOBODY)


# An attacker who runs code as that user.


def forged(change: str, end: str = "os._exit(0)") -> str:
    """Code that sends a forged survey in place of the true one."""
    return (
        "import lineman.process.messages.role as r, lineman.process.messages.lines as w, gc; "
        "role = next(o for o in gc.get_objects() if type(o) is r.Role); "
        'place = {"address": "ws://127.0.0.1:9", "twin": 0, "title": "x", "count": 1, '
        '"backlog": 5, "addresses": [{"text": "ws://127.0.0.1:9", "scheme": "ws", '
        '"host": "127.0.0.1", "port": 9}]}; '
        'where = {"url": "ws://127.0.0.1:9"}; '
        'worker = {"name": "x", "place": place, "addresses": [where]}; '
        f'told = {{"workers": [worker]}}; {change}; '
        f"os.write(role.link, w.encode(told)); {end}"
    )


@pytest.mark.parametrize(
    ("change", "end", "why"),
    [
        ("where['url'] = 'ws+unix:///run/a b'", "os._exit(0)", "no absolute path of a socket"),
        ("where['url'] = 'ws+unix:///run/a;b'", "os._exit(0)", "no absolute path of a socket"),
        ("where['url'] = 'ws://a\\n:1'", "os._exit(0)", "description of the program is invalid"),
        ("where['url'] = 'ws://a b:1'", "os._exit(0)", "neither an IP address nor a host name"),
        ("worker['max_message_size'] = '1; include /x'", "os._exit(0)", "the program is invalid"),
        ("worker['ping_interval'] = float('nan')", "os._exit(0)", "the program is invalid"),
        ("place['count'] = 10**9", "os._exit(0)", "description of the program is invalid"),
        ("told['workers'] = []", "os._exit(0)", "description of the program is invalid"),
        ("pass", "os.kill(os.getpid(), 9)", "did not end normally (signal 9 (SIGKILL))"),
        ("pass", "pass", "it has described itself more than once"),
    ],
)
def test_a_forged_survey_gains_nothing(
    make: Callable[..., Program], change: str, end: str, why: str
) -> None:
    done = make(forged(change, end)).ask(*AS_NOBODY, command="proxy")
    assert done.returncode == 1, done.stdout
    assert not done.stdout
    assert why in done.stderr


def test_a_forged_address_is_no_address_to_the_doctor(make: Callable[..., Program]) -> None:
    program = make(forged("where['url'] = 'ws://a b:1'"))
    assert "neither an IP address" in program.findings(*AS_NOBODY)["worker-cannot-start"]


def test_a_program_that_is_given_up_by_who_waits_is_ended(make: Callable[..., Program]) -> None:
    program = make("import time; time.sleep(600)")
    command = [sys.executable, "-m", "lineman", "doctor", *AS_NOBODY, str(program.script)]
    asking = subprocess.Popen([*program.prefix, *command], stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: readers(asking.pid), "the program is run")
        (pid,) = readers(asking.pid)
        asking.send_signal(signal.SIGINT)
        asking.communicate(timeout=30)
        wait_until(lambda: not is_alive(pid), "it has ended")
    finally:
        asking.kill()
        asking.communicate()


def readers(pid: int) -> list[int]:
    """The processes of a command that run the program."""
    found = []
    for child in children_of(pid):
        with contextlib.suppress(OSError):
            if b"lineman.cli.shared.surveying" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
    return found
