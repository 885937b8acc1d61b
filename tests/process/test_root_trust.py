"""Attacks of a program's user on a master that is root: real processes, real files of root's.

The program's file is root's, and the attacker runs code in its processes: the programs of these
tests hold that code.
"""

from __future__ import annotations

import pwd
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.app import App, port_in
from kit.processes import children_of
from kit.waiting import wait_until
from lineman.testing.certificates import TestCA
from lineman.testing.client import RawClient

NOBODY = pwd.getpwnam("nobody")

# A process that acts as if an attacker controlled it.
CODE = """
    import json, os, socket, stat, sys
    from lineman import Worker

    ROLE = json.loads(os.environ.get("LINEMAN_ROLE", "{{}}"))
    VICTIM = {victim!r}

    def forge(**message):
        os.write(ROLE["link"], json.dumps(message).encode() + b"\\n")

    {first}
    worker = Worker({options})

    @worker.on_message
    def obey(connection, message):
        {then}
        connection.send(f"{{os.getpid()}} {{os.getuid()}}")

    {last}
    Worker.run_all()
"""


@pytest.fixture
def victim(open_folder: Path) -> Path:
    """A file that only root may read or write."""
    path = open_folder / "shadow"
    path.write_text("root:$6$secret:19000:0:99999:7:::\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def attacked(open_folder: Path, victim: Path, prefix: list[str]) -> Iterator[Callable[..., App]]:
    """Makes such a program; afterwards the victim is as it was."""
    before = (victim.read_bytes(), victim.stat().st_uid, victim.stat().st_mode)
    apps: list[App] = []

    def make(first: str = "", options: str = '"ws://127.0.0.1:0"', **code: str) -> App:
        code = {"then": "pass", "last": "", **code, "first": first, "options": options}
        apps.append(App(open_folder, text(victim, **code), prefix))
        return apps[-1]

    yield make
    for app in apps:
        app.run("stop", by_script=False)
    assert (victim.read_bytes(), victim.stat().st_uid, victim.stat().st_mode) == before


def text(victim: Path, **code: str) -> str:
    return textwrap.dedent(CODE).format(victim=str(victim), **code)


class Started:
    """A program that runs as a daemon of root's, its processes as somebody else."""

    def __init__(self, app: App, *words: str) -> None:
        self.app = app
        self.log = app.script.parent / "log"
        done = app.run("start", "-d", "--log", str(self.log), *words, by_script=False)
        assert done.returncode == 0, done.stderr

    @property
    def text(self) -> str:
        return self.log.read_text()

    def ask(self, message: str = "who?") -> str:
        with RawClient(port_in(self.text)) as client:
            client.open().send(message)
            return str(client.receive())

    def reload(self) -> str:
        """The message of a reload that is refused."""
        done = self.app.run("reload", by_script=False)
        assert done.returncode == 1
        return done.stderr


def refused(app: App, *words: str) -> str:
    done = app.run("start", *words, by_script=False)
    assert done.returncode == 1, done.stderr
    assert "ready: " not in done.stdout + done.stderr
    return done.stderr


AS_NOBODY = ("--user", "nobody")


def test_a_forged_message_of_a_changed_file_reloads_nothing(
    attacked: Callable[..., App],
) -> None:
    app = attacked(then='forge(event="changed", path="/etc/passwd")')
    started = Started(app, *AS_NOBODY)
    before = started.ask()
    assert app.status()["children"]  # the master has heard the message by now: its link is a queue
    assert started.ask() == before
    assert "has changed" not in started.text
    assert "reloading" not in started.text


def test_a_log_that_root_renames_stays_the_users(attacked: Callable[..., App]) -> None:
    app = attacked(
        first="import logging",
        then='[logging.getLogger("app").warning("%s %d", message, each) for each in range(300)]',
        last="Worker.log_max_size, Worker.log_keep = 4096, 9",
    )
    started = Started(app, *AS_NOBODY)
    owner = started.log.stat().st_uid
    with RawClient(port_in(started.text)) as client:
        client.open().send("round")
        client.receive()
        wait_until(started.log.with_name("log.1").exists, "the log is renamed")
        client.send("another")
        client.receive()
    assert started.log.stat().st_uid == owner
    text = "".join(each.read_text() for each in started.log.parent.glob("log*"))
    assert all(f"{words} {each}\n" in text for words in ("round", "another") for each in range(300))
    assert "missing" not in text


def test_on_master_stop_runs_as_the_programs_user(attacked: Callable[..., App]) -> None:
    app = attacked(last='Worker.on_master_stop = lambda: print("the end as", os.getuid())')
    started = Started(app, *AS_NOBODY)
    app.run("stop", by_script=False)
    assert f"the end as {NOBODY.pw_uid}" in started.text


def test_a_process_may_not_stop_the_workers_of_another_user(
    attacked: Callable[..., App],
) -> None:
    app = attacked(
        options='"ws://127.0.0.1:0", user="nobody"',
        then='Worker.stop_all("mine")',
        last='Worker(name="other", user="daemon")',
    )
    started = Started(app)
    first = started.ask()
    assert app.status()["children"]  # the master has heard the message by now: its link is a queue
    assert started.ask() == first
    assert "asked to stop the service, which goes on" in started.text
    assert "stopping" not in started.text


GARBAGE = """
def attack():
    os.write(ROLE["link"], b'{"event":"beat","lag":"soon"}\\n')
"""
DEPTH = """
def attack():
    os.write(ROLE["link"], b"[" * 50_000 + b"\\n")
"""
FLOOD = """
def attack():
    os.write(ROLE["link"], b'{"event":"inquire"}\\n' * 5000)
"""


@pytest.mark.parametrize("attack", [GARBAGE, DEPTH, FLOOD])
def test_a_child_that_talks_nonsense_ends_nobody_but_itself(
    attacked: Callable[..., App], attack: str
) -> None:
    app = attacked(
        attack,
        options='"ws://127.0.0.1:0", count=2, stop_timeout=0.1',
        then='attack() if message == "attack" else None',
    )
    started = Started(app, *AS_NOBODY)
    master = app.status()["master"]["pid"]
    before = set(children_of(master))
    hit = int(started.ask("attack").split()[0])
    wait_until(lambda: hit not in children_of(master), "the process ends")
    wait_until(lambda: len(children_of(master)) == 2, "another one takes its place")
    assert "are ignored from now on" in started.text
    assert before - {hit} <= set(children_of(master))


def test_only_the_process_that_describes_is_guarded(attacked: Callable[..., App]) -> None:
    told = """
with open("/proc/self/status") as status:
    sets = dict(line.rstrip().split(":\\t", 1) for line in status)
print("in slot", ROLE.get("slot"), "CapPrm", sets["CapPrm"].strip("0"), file=sys.stderr, flush=True)
"""
    log = Started(attacked(told), *AS_NOBODY).text
    assert re.search(r"in slot -1 CapPrm [0-9a-f]", log)
    assert re.search(r"in slot 0 CapPrm *$", log, re.MULTILINE)


LYING = """
if ROLE.get("slot") == 0:
    import lineman.process.child.child_link
    lineman.process.child.child_link.encode_answer = lambda number, answer: (
        b'{{"id":%d,"answer":{answer}}}\\n' % number
    )
"""


@pytest.mark.parametrize(
    "answer",
    [
        'null}],"master":{"pid":1,"script":"another"},"children":[{"worker":"x","answer":null',
        "[" * 20_000,
        '{"rss":"much","connections":[]}',
        '{"connections":' + "9" * 5000 + "}",
        '{"worker":"\\x1b[2J","facts":{"a":"b"}}',
    ],
)
def test_what_a_child_answers_is_about_itself(attacked: Callable[..., App], answer: str) -> None:
    app = attacked(LYING.format(answer=answer), options='"ws://127.0.0.1:0", count=2')
    started = Started(app, *AS_NOBODY)
    for _ in range(5):
        started.ask()
    found = app.status()
    assert found["master"]["script"] == str(app.script)
    liar, honest = found["children"]
    assert (liar["slot"], liar["report"]) == (0, None)
    assert honest["report"]["pid"] == honest["pid"]
    for words in (("status",), ("connections",)):
        done = app.run(*words, by_script=False)
        assert "Traceback" not in done.stderr
        assert "\x1b" not in done.stdout
    assert app.run("reload", by_script=False).returncode == 0


FORGED = """
if ROLE and ROLE["slot"] < 0:
    forge(places=[{place}], settings={{"log_file": VICTIM}})
    {end}
"""
PLACE = (
    '{"address": "ws://127.0.0.1:0", "twin": 0, "title": "x", "addresses": [{"text": '
    '"ws://127.0.0.1:0", "scheme": "ws", "host": "127.0.0.1", "port": 0}], "count": 1, '
    '"backlog": 5}'
)


@pytest.mark.parametrize(
    ("end", "why"),
    [
        ("os.kill(os.getpid(), 9)", "did not end normally (signal 9 (SIGKILL))"),
        ("os._exit(3)", "did not end normally (exit status 3)"),
        ("os._exit(0)", "shadow as nobody: permission denied"),
        ("", "it has described itself more than once"),
    ],
)
def test_a_forged_description_gains_nothing(
    attacked: Callable[..., App], end: str, why: str
) -> None:
    assert why in refused(attacked(FORGED.format(place=PLACE, end=end)), *AS_NOBODY)


def test_a_forged_description_reads_no_key_in_a_reload(
    attacked: Callable[..., App], open_folder: Path
) -> None:
    ca = TestCA(open_folder)
    key = ca.issue(["localhost"]).key  # somebody else's, a good one, and named by nobody
    app = attacked()
    started = Started(app, *AS_NOBODY)
    named = PLACE.replace('"backlog"', f'"keys": ["{key}"], "backlog"')
    forged = FORGED.format(place=named, end="os._exit(0)")
    app.write(text(open_folder / "none", first=forged, options='""', then="pass", last=""))
    assert "restart to change that" in started.reload()
    assert started.ask().endswith(f" {NOBODY.pw_uid}")


@pytest.mark.parametrize("words", [(), ("-d",)])
def test_a_log_that_the_program_names_is_opened_with_its_users_rights(
    attacked: Callable[..., App], words: tuple[str, ...]
) -> None:
    said = refused(attacked("Worker.log_file = VICTIM"), *words, *AS_NOBODY)
    assert "shadow as nobody: permission denied" in said
    assert "let root open it: --log" in said


def test_nor_is_one_that_comes_with_a_reload(
    attacked: Callable[..., App], victim: Path, theirs: Path
) -> None:
    app = attacked(f"Worker.log_file = {str(theirs / 'log')!r}")
    done = app.run("start", "-d", *AS_NOBODY, by_script=False)
    assert done.returncode == 0, done.stderr
    log = theirs / "log"
    assert log.stat().st_uid == NOBODY.pw_uid
    assert "ready: 1 process" in log.read_text()
    app.write(
        text(victim, first="Worker.log_file = VICTIM", options='"ws://127.0.0.1:0"',
             then="pass", last="")
    )  # fmt: skip
    assert "shadow as nobody: permission denied" in app.run("reload", by_script=False).stderr
    log.unlink()
    log.symlink_to(victim)  # where the master opens it anew
    assert app.run("reload", by_script=False).returncode == 1


def test_a_log_of_the_command_line_is_not_led_elsewhere(
    attacked: Callable[..., App], victim: Path, theirs: Path
) -> None:
    (theirs / "log").symlink_to(victim)
    said = refused(attacked(), "-d", "--log", str(theirs / "log"), *AS_NOBODY)
    assert "is a link that other users may have made" in said


def test_the_user_of_the_command_line_beats_the_program(attacked: Callable[..., App]) -> None:
    started = Started(attacked(options='"ws://127.0.0.1:0", user="root"'), *AS_NOBODY)
    assert started.ask().endswith(f" {NOBODY.pw_uid}")
    assert "user='root' in the program: --user nobody is what counts" in started.text


def test_a_reload_makes_nothing_roots(attacked: Callable[..., App], victim: Path) -> None:
    app = attacked(options='"ws://127.0.0.1:0", user="nobody", name="chat"')
    started = Started(app)
    for options in ('"ws://127.0.0.1:0", name="chat"', '"ws://127.0.0.1:0", user="root"'):
        app.write(text(victim, first="", options=options, then="pass", last=""))
        said = started.reload()
        assert "would run as root, and runs as nobody; fix: restart to change that" in said
        assert started.ask().endswith(f" {NOBODY.pw_uid}")


def test_a_reload_opens_no_port_in_roots_name(attacked: Callable[..., App], victim: Path) -> None:
    app = attacked()
    started = Started(app, *AS_NOBODY)
    more = 'Worker("ws://127.0.0.1:{}")'
    before = {"first": "", "options": '"ws://127.0.0.1:0"', "then": "pass"}
    app.write(text(victim, last=more.format(79), **before))
    assert "cannot listen on ws://127.0.0.1:79: permission denied" in started.reload()
    app.write(text(victim, last=more.format(0), **before))
    assert app.run("reload", by_script=False).returncode == 0


TELL_MEMORY = """
for descriptor in ROLE.get("files", {}).values():
    print("in memory:", os.pread(descriptor, 1000, 0), file=sys.stderr, flush=True)
"""


@pytest.mark.parametrize("option", ["cert", "key", "ca_file", "crl_file"])
def test_a_file_of_roots_that_is_no_key_is_not_handed_over(
    attacked: Callable[..., App], open_folder: Path, option: str
) -> None:
    ca = TestCA(open_folder)
    pair = ca.issue(["localhost"])
    pair.key.chmod(0o600)
    files = {"cert": pair.cert, "key": pair.key, "ca_file": ca.ca_path}
    files[option] = open_folder / "shadow"
    named = ", ".join(f"{name}={str(path)!r}" for name, path in files.items())
    options = f'"wss://127.0.0.1:0", verify_client="optional", {named}'
    said = refused(attacked(TELL_MEMORY, options), *AS_NOBODY)
    assert "secret" not in said
    assert "shadow" in said


def test_a_key_behind_a_link_of_the_user_is_not_handed_over(
    attacked: Callable[..., App], open_folder: Path, theirs: Path
) -> None:
    pair = TestCA(open_folder).issue(["localhost"])
    pair.key.chmod(0o600)
    (theirs / "key.pem").symlink_to(pair.key)
    options = f'"wss://127.0.0.1:0", cert={str(pair.cert)!r}, key={str(theirs / "key.pem")!r}'
    said = refused(attacked(TELL_MEMORY, options), *AS_NOBODY)
    assert "is a link that other users may have made" in said
    assert "in memory" not in said


def test_a_socket_is_made_with_the_users_rights(
    attacked: Callable[..., App], open_folder: Path, theirs: Path
) -> None:
    said = refused(attacked(options=f'"ws+unix://{open_folder}/app.sock"'), *AS_NOBODY)
    assert "permission denied" in said
    path = theirs / "app.sock"
    Started(attacked(options=f'"ws+unix://{path}"'), *AS_NOBODY)
    assert path.stat().st_uid == NOBODY.pw_uid
    assert path.stat().st_mode & 0o777 == 0o660


def test_a_pid_file_does_not_lie_where_others_swap_directories(
    attacked: Callable[..., App], theirs: Path
) -> None:
    (theirs / "run").mkdir()
    (theirs / "run").chmod(0o755)
    said = refused(attacked(), "--pid-file", str(theirs / "run" / "app.pid"), *AS_NOBODY)
    assert "other users may replace" in said


def test_the_user_in_a_file_of_settings_is_believed_no_more_than_the_program(
    attacked: Callable[..., App], open_folder: Path
) -> None:
    (open_folder / "lineman.toml").write_text("[worker]\nuser = 'root'\n")
    started = Started(attacked(), *AS_NOBODY)
    assert started.ask().endswith(f" {NOBODY.pw_uid}")
    assert "user='root' in the program: --user nobody is what counts" in started.text


def test_a_file_of_settings_is_read_with_the_rights_of_the_programs_user(
    attacked: Callable[..., App], open_folder: Path, victim: Path
) -> None:
    (open_folder / "lineman.toml").symlink_to(victim)
    assert "lineman.toml cannot be read: Permission denied" in refused(attacked(), *AS_NOBODY)
