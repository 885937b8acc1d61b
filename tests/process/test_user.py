"""`user` and `group`: the user that the program's code runs as.

Only root may change the user; for other users the same start is refused, with the fix.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.app import App, echo, port_in
from kit.waiting import DEADLINE, wait_until
from lineman.testing.certificates import TestCA
from lineman.testing.client import RawClient

IS_ROOT = os.geteuid() == 0
NOBODY = pwd.getpwnam("nobody")

# Prints at once, at the level of the module, which user it runs as.
TELLING = """
    import os, sys
    from lineman import Worker

    print("code runs as", os.getuid(), file=sys.stderr, flush=True)
    worker = Worker("wss://127.0.0.1:0", cert="{folder}/cert.pem", key="{folder}/key.pem", {user})

    @worker.on_message
    def reply(connection, message):
        can_read = os.access("{folder}/key.pem", os.R_OK)
        connection.send(f"{{os.getuid()}} {{os.getgid()}} {{os.getgroups()}} {{can_read}} "
            f"{{os.environ['HOME']}} {{os.environ['USER']}}")

    Worker.run_all()
"""


@pytest.fixture
def ca(tmp_path: Path) -> TestCA:
    return TestCA(tmp_path)


@pytest.fixture
def tls(open_folder: Path, ca: TestCA) -> ssl.SSLContext:
    """Trusts the certificate in that folder, whose key only its owner may read."""
    put_pair(ca, open_folder)
    return ssl.create_default_context(cafile=ca.ca_path)


@pytest.fixture
def roots_place(open_folder: Path) -> Iterator[Path]:
    """A folder where, if this is root, others may not write, nor in the folders above it."""
    folder = Path(tempfile.mkdtemp(dir="/run" if IS_ROOT else open_folder))
    yield folder
    shutil.rmtree(folder)


def put_pair(ca: TestCA, folder: Path) -> None:
    """Puts a new certificate into the folder, with a key that only its owner may read."""
    pair = ca.issue(["localhost"])
    for source, name, mode in ((pair.cert, "cert.pem", 0o644), (pair.key, "key.pem", 0o600)):
        shutil.copy(source, folder / "new")
        (folder / "new").chmod(mode)
        (folder / "new").replace(folder / name)


def serial_of(port: int, tls: ssl.SSLContext) -> str:
    with (
        socket.create_connection(("127.0.0.1", port), DEADLINE) as plain,
        tls.wrap_socket(plain, server_hostname="localhost") as seen,
    ):
        found = seen.getpeercert()
        assert found is not None
        return str(found["serialNumber"])


def whom(port: int, tls: ssl.SSLContext) -> str:
    with RawClient(port, tls=tls) as client:
        client.open().send("who?")
        return str(client.receive())


def assert_refused(app: App, *words: str) -> None:
    done = app.run("start", *words, by_script=False)
    assert done.returncode == 1
    assert "only root may change the user" in done.stderr
    assert "leave user= and group= out" in done.stderr


def test_with_user_on_the_command_line_no_code_runs_as_root(
    open_folder: Path, ca: TestCA, tls: ssl.SSLContext, prefix: list[str]
) -> None:
    app = App(open_folder, TELLING.format(folder=open_folder, user=""), prefix)
    if not IS_ROOT:
        assert_refused(app, "--user", "root")
        return
    done = app.run(
        "start", "-d", "--user", "nobody", "--log", f"{open_folder}/log", by_script=False
    )
    try:
        assert done.returncode == 0, done.stderr
        port = port_in((open_folder / "log").read_text())
        answer = whom(port, tls)
        ids = f"{NOBODY.pw_uid} {NOBODY.pw_gid} [{NOBODY.pw_gid}]"
        assert answer == f"{ids} False {NOBODY.pw_dir} nobody"
        reloaded = app.run("reload", by_script=False)
        assert reloaded.returncode == 0, reloaded.stderr
        assert whom(port, tls) == answer
        before = serial_of(port, tls)
        put_pair(ca, open_folder)  # renewed: the processes get the key by way of the master
        deadline = time.monotonic() + DEADLINE
        while serial_of(port, tls) == before:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        log = (open_folder / "log").read_text()
        assert log.count(f"code runs as {NOBODY.pw_uid}") == 4  # described and served, twice
        assert "code runs as 0" not in log
        assert log.count("listening on") == 2
        assert "cannot write the log" not in log
        assert "may read the private key" not in log  # which the processes read from a copy
        seen = app.run("doctor", "--user", "nobody", by_script=False)
        assert "may read the private key" not in seen.stdout + seen.stderr
        (open_folder / "key.pem").chmod(0o644)
        assert app.run("reload", by_script=False).returncode == 0
        assert "may read the private key" in (open_folder / "log").read_text()
    finally:
        app.run("stop", by_script=False)


WHO = """
    import os
    from lineman import Worker
    worker = Worker("ws://127.0.0.1:0"{more})

    @worker.on_message
    def reply(connection, message):
        connection.send(f"{{os.getuid()}} {{os.getgid()}}")

    Worker.run_all()
"""


def ids_in(log: Path) -> str:
    """The user of the last process that has begun to listen."""
    last = log.read_text().rpartition("listening on")[2]
    with RawClient(port_in(f"listening on{last}")) as client:
        client.open().send("who?")
        return str(client.receive())


@pytest.mark.parametrize("by_script", [True, False])
def test_a_restart_keeps_the_options_that_the_start_was_given(
    open_folder: Path, prefix: list[str], by_script: bool
) -> None:
    app, log = App(open_folder, WHO.format(more=""), prefix), open_folder / "log"
    user = pwd.getpwuid(os.geteuid()).pw_name if not IS_ROOT else "nobody"
    entry = pwd.getpwnam(user)
    options = ("--user", user, "--log", str(log), "--watch")
    done = app.run("start", "-d", *options, by_script=by_script)
    try:
        assert done.returncode == 0, done.stderr
        for _ in range(2):  # and so does the restart of a restart
            again = app.run("restart", "-d", by_script=by_script)
            assert again.returncode == 0, again.stderr
            assert f"restart uses the options of the start: {' '.join(options)}" in again.stdout
            assert f"log: {log}" in again.stdout
            assert ids_in(log) == f"{entry.pw_uid} {entry.pw_gid}"
        own = pwd.getpwuid(os.geteuid())
        named = app.run("restart", "-d", "--user", own.pw_name, by_script=by_script)
        assert named.returncode == 0, named.stderr
        assert "--user" not in named.stdout
        assert ids_in(log) == f"{own.pw_uid} {own.pw_gid}"
    finally:
        app.run("stop", by_script=False)


def test_a_restart_takes_the_user_of_the_program_from_its_new_text(
    open_folder: Path, prefix: list[str]
) -> None:
    if not IS_ROOT:
        return
    app, log = App(open_folder, WHO.format(more=', user="nobody"'), prefix), open_folder / "log"
    assert app.run("start", "-d", "--log", str(log)).returncode == 0
    try:
        assert ids_in(log) == f"{NOBODY.pw_uid} {NOBODY.pw_gid}"
        app.write(WHO.format(more=', user="daemon"'))
        done = app.run("restart", "-d")
        assert done.returncode == 0, done.stderr
        assert ids_in(log).startswith(f"{pwd.getpwnam('daemon').pw_uid} ")
    finally:
        app.run("stop", by_script=False)


def test_a_restart_by_root_does_not_make_another_users_program_roots(
    open_folder: Path, roots_place: Path, prefix: list[str]
) -> None:
    if not IS_ROOT:
        return
    folder = roots_place
    os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)
    place = ("--pid-file", str(folder / "app.pid"))
    as_nobody = f"setpriv --reuid={NOBODY.pw_uid} --regid={NOBODY.pw_gid} --clear-groups"
    app = App(open_folder, WHO.format(more=""), [*prefix, *as_nobody.split()])
    done = app.run("start", "-d", "--log", str(folder / "log"), *place)
    try:
        assert done.returncode == 0, done.stderr
        master = (folder / "app.pid").read_text()
        app.prefix = prefix
        refused = app.run("restart", "-d", *place, by_script=False)
        assert refused.returncode == 1
        assert "app.py runs as the user nobody, who started it; a restart would run it as root" in (
            refused.stderr
        )
        assert "sudo -u nobody lineman restart" in refused.stderr
        assert "--user NAME" in refused.stderr
        assert (folder / "app.pid").read_text() == master  # it is not even stopped
        assert ids_in(folder / "log") == f"{NOBODY.pw_uid} {NOBODY.pw_gid}"
    finally:
        app.run("stop", *place, by_script=False)


def test_with_user_in_the_program_its_processes_run_so(
    open_folder: Path, tls: ssl.SSLContext, prefix: list[str]
) -> None:
    app = App(open_folder, TELLING.format(folder=open_folder, user='user="nobody"'), prefix)
    if not IS_ROOT:
        assert_refused(app)
        return
    app.start()
    try:
        assert whom(app.port, tls).startswith(f"{NOBODY.pw_uid} ")
        assert app.run("reload", by_script=False).returncode == 0
        runs = [line for line in app.output.splitlines() if line.startswith("code runs as")]
        assert runs == ["code runs as 0", *[f"code runs as {NOBODY.pw_uid}"] * 2]
    finally:
        app.stop()


def test_a_user_that_does_not_exist_is_named(tmp_path: Path) -> None:
    app = App(
        tmp_path,
        """
        from lineman import Worker
        Worker("ws://127.0.0.1:0", user="no-such-user")
        Worker.run_all()
        """,
    )
    done = app.run("start")
    assert done.returncode == 1
    assert "there is no user 'no-such-user' on this machine" in done.stderr


@pytest.mark.parametrize("fault", ["no Python", "no home", "no module"])
def test_the_log_of_a_daemon_that_does_not_start_for_its_user_ends_with_why(
    open_folder: Path, prefix: list[str], fault: str
) -> None:
    if not IS_ROOT:
        return
    text = WHO.format(more="")
    if fault == "no home":
        text = text.replace('"ws://127.0.0.1:0"', '"wss://127.0.0.1:0", tls="dev"')
    app = App(open_folder, ("import nosuch" if fault == "no module" else "") + text, prefix)
    if fault == "no Python":
        open_folder.chmod(0o700)
    log = open_folder / "log"
    done = app.run("start", "-d", "--user", "nobody", "--log", str(log), by_script=False)
    assert done.returncode == 1
    why = done.stderr.partition("does not start: ")[2].partition("\nlog: ")[0]
    assert why
    wait_until(
        lambda: log.read_text().splitlines()[-1:] == [f"lineman: {why}"], "it stands in the log"
    )


LOOKING = """
    import socket, sys
    from lineman.process.rundir.owner import acting_as, find
    with acting_as(find("nobody", "")):
        sys.meta_path.clear()
        print(socket.getaddrinfo("127.0.0.1", 80)[0][4])
"""


def test_root_looks_names_up_for_a_user_to_whom_python_is_closed() -> None:
    if not IS_ROOT:
        return
    words = [sys.executable, "-c", textwrap.dedent(LOOKING)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE)
    assert done.stdout == "('127.0.0.1', 80)\n", done.stderr


@pytest.mark.parametrize("how", ["--user", "in the code", "in the code, by script"])
@pytest.mark.parametrize("closed", ["Python", "program"])
def test_what_is_closed_to_the_user_is_named(
    tmp_path: Path, open_folder: Path, prefix: list[str], closed: str, how: str
) -> None:
    if not IS_ROOT:
        return
    folder = open_folder / "closed" / "app"
    folder.mkdir(parents=True)
    more = "" if how == "--user" else ', user="nobody"'
    app = App(folder, WHO.format(more=more), prefix)
    barrier = folder.parent
    if closed == "Python":  # a link on the way to it leads through the closed folder
        (barrier / "bin").symlink_to(Path(sys.prefix), target_is_directory=True)
        app = App(open_folder, WHO.format(more=more), prefix)
        python = barrier / "bin" / "bin" / "python"
    else:
        python = Path(sys.executable)
    barrier.chmod(0o710)
    words = [str(app.script), "start"] if "script" in how else ["-m", "lineman", "start"]
    words += [] if "script" in how else [str(app.script)]
    words += ["--user", "nobody"] if how == "--user" else []
    done = subprocess.run(
        [*prefix, str(python), *words], capture_output=True, text=True, timeout=DEADLINE
    )
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "user nobody may not run " in said
    assert f": {barrier} (mode 0710, owner root) does not allow it; fix: put Python, the" in said
    assert "process 0" not in said
    assert "cannot be started" not in said


def test_another_users_program_is_told_so(open_folder: Path, prefix: list[str]) -> None:
    """The file's mode refuses another user's command, but not root's."""
    pid_file = open_folder / "chat.pid"
    app = App(open_folder, echo())
    assert app.run("start", "-d", "--pid-file", str(pid_file)).returncode == 0
    try:
        control = pid_file.with_suffix(".sock")
        assert control.stat().st_mode & 0o777 == 0o600
        assert control.stat().st_uid == os.geteuid()
        if IS_ROOT:
            nobody = ["setpriv", f"--reuid={NOBODY.pw_uid}", "--clear-groups", sys.executable]
            words = ["-m", "lineman", "stop", "--pid-file", str(pid_file), str(app.script)]
            command = [*prefix, *nobody, *words]
            done = subprocess.run(command, capture_output=True, text=True, timeout=30)
            assert done.returncode == 1
            master = pid_file.read_text().strip()
            assert f"app.py runs as process {master} of user root, its pid file is" in done.stderr
            assert "as that user: sudo -u root lineman stop" in done.stderr
        assert app.run("status", "--pid-file", str(pid_file)).returncode == 0
    finally:
        assert app.run("stop", "--pid-file", str(pid_file)).returncode == 0


@pytest.mark.parametrize("home", [None, "/proc/nowhere"], ids=["no home", "none that is there"])
def test_a_daemon_of_a_user_without_a_home_has_its_log_beside_its_pid_file(
    open_folder: Path, prefix: list[str], home: str | None
) -> None:
    folder = open_folder / "run"
    folder.mkdir()
    uid = os.geteuid()
    words = [*prefix]
    if IS_ROOT:
        uid = 54321  # nobody's number
        os.chown(folder, uid, uid)
        words += ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    unset = ("HOME", "XDG_STATE_HOME", "LOGS_DIRECTORY", "RUNTIME_DIRECTORY")
    words += ["env", *(f"--unset={name}" for name in unset), f"XDG_RUNTIME_DIR={folder}"]
    words += [] if home is None else [f"HOME={home}"]
    script = open_folder / "app.py"
    script.write_text(textwrap.dedent(echo()))

    def give(*command: str) -> subprocess.CompletedProcess[str]:
        whole = [*words, sys.executable, str(script), *command]
        return subprocess.run(whole, capture_output=True, text=True, timeout=2 * DEADLINE)

    done = give("start", "-d")
    assert done.returncode == 0, done.stderr
    if IS_ROOT or home is not None:
        assert f"log: {folder}/lineman/app-" in done.stdout
    assert give("stop").returncode == 0


@pytest.mark.parametrize("how", ["in the code", "on the command line"])
def test_a_development_certificate_that_the_user_cannot_keep_is_refused_with_what_to_do(
    open_folder: Path, prefix: list[str], how: str
) -> None:
    user = 'user="nobody"' if how == "in the code" else ""
    app = App(
        open_folder,
        f"""
        from lineman import Worker
        Worker("wss://127.0.0.1:0", tls="dev", {user})
        Worker.run_all()
        """,
        prefix,
    )
    done = app.run("start", *([] if user else ["--user", "nobody"]))
    assert done.returncode == 1
    if not IS_ROOT:
        return
    said = done.stdout + done.stderr
    assert 'tls="dev" keeps its certificate with the user who runs it' in said
    assert "; fix: where root starts it for another user, leave that user out" in said
