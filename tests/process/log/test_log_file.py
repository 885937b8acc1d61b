"""Writing the log to real files: renamed, removed, on a full disk, truncated."""

from __future__ import annotations

import logging
import os
import pwd
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lineman.process.log.log_file import LineHandler

Say = Callable[[str], None]


@pytest.fixture
def handler(path: Path) -> Iterator[LineHandler]:
    made = LineHandler(path, look_every=0.0)  # no waiting in tests
    path.parent.mkdir()
    yield made
    made.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "app.log"


def say(handler: LineHandler, text: str) -> None:
    handler.handle(logging.LogRecord("lineman", logging.INFO, "", 0, text, None, None))


def test_lines_are_appended(handler: LineHandler, path: Path) -> None:
    path.write_text("before\n")
    say(handler, "one")
    say(handler, "zwei ß 聊天")
    assert path.read_text() == "before\none\nzwei ß 聊天\n"


def test_a_renamed_file_is_noticed_and_a_new_one_begun(handler: LineHandler, path: Path) -> None:
    say(handler, "one")
    path.rename(path.with_suffix(".1"))
    say(handler, "two")
    assert path.read_text() == "two\n"
    assert path.with_suffix(".1").read_text() == "one\n"


def test_told_to_it_begins_a_new_one_at_once(path: Path) -> None:
    path.parent.mkdir()
    handler = LineHandler(path, look_every=1e9)
    say(handler, "one")
    path.rename(path.with_suffix(".1"))
    say(handler, "two")
    handler.reopen()
    say(handler, "three")
    assert path.read_text() == "three\n"
    assert path.with_suffix(".1").read_text() == "one\ntwo\n"
    handler.close()


def test_a_file_that_was_cut_short_is_written_at_its_new_end(
    handler: LineHandler, path: Path
) -> None:
    say(handler, "one")
    os.truncate(path, 0)  # logrotate's copytruncate
    say(handler, "two")
    assert path.read_text() == "two\n"


def test_a_folder_that_vanishes_is_said_once_and_nothing_is_lost(
    handler: LineHandler, path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    say(handler, "one")
    shutil.rmtree(path.parent)
    say(handler, "two")
    say(handler, "three")
    said = capfd.readouterr().err
    assert said == (
        f"lineman: cannot write the log {path}: no such file or directory; lines come here\n"
        "two\nthree\n"
    )
    path.parent.mkdir()
    say(handler, "four")
    assert path.read_text() == "2 lines are missing here: no such file or directory\nfour\n"
    assert capfd.readouterr().err == ""


def test_a_full_disk_is_said_once_and_the_log_goes_on_when_there_is_room(
    handler: LineHandler, path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path.symlink_to("/dev/full")
    for _ in range(3):
        say(handler, "one")
    said = capfd.readouterr().err
    assert said.count("no space left on device; lines come here") == 1
    assert said.count("one\n") == 3
    path.unlink()
    say(handler, "two")
    assert path.read_text() == "3 lines are missing here: no space left on device\ntwo\n"


def test_told_to_reopen_what_was_never_open_it_opens_it(handler: LineHandler, path: Path) -> None:
    handler.reopen()
    assert path.read_text() == ""


def test_told_to_reopen_what_cannot_be_opened_it_goes_on(
    handler: LineHandler, path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    say(handler, "one")
    shutil.rmtree(path.parent)
    handler.reopen()
    assert capfd.readouterr().err.count("cannot write the log") == 1
    path.parent.mkdir()
    say(handler, "two")
    assert path.read_text() == "two\n"


def test_a_pipe_that_nobody_reads_does_not_stop_the_service(
    handler: LineHandler, path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(path)
    say(handler, "one")
    assert "no such device or address" in capfd.readouterr().err


def test_standard_error_without_a_reader_does_not_stop_the_service() -> None:
    code = """
        import logging, os
        from lineman.process.log.log_file import LineHandler
        reader, writer = os.pipe()
        os.dup2(writer, 2)
        os.close(writer)
        os.close(reader)
        logging.getLogger().addHandler(LineHandler())
        logging.error("nobody hears this")
        print("alive")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True
    )
    assert (done.stdout, done.returncode) == ("alive\n", 0)


def test_a_record_that_cannot_be_formatted_does_not_stop_the_service(
    handler: LineHandler, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handler.handle(logging.LogRecord("lineman", logging.INFO, "", 0, "%d", ("x",), None))
    say(handler, "two")
    assert path.read_text() == "two\n"
    assert "Logging error" in capsys.readouterr().err


@pytest.mark.parametrize(("mode", "is_given"), [(0o755, True), (0o777, False)])
def test_a_file_of_roots_is_given_to_whom_it_must_be_where_nobody_else_may_put_files(
    path: Path, mode: int, is_given: bool
) -> None:
    nobody = pwd.getpwnam("nobody")
    path.parent.mkdir()
    path.parent.chmod(mode)
    handler = LineHandler(path, (nobody.pw_uid, nobody.pw_gid))
    say(handler, "one")
    path.rename(path.with_suffix(".1"))
    handler.reopen()
    say(handler, "two")
    handler.close()
    # Only root can change a file's owner; other users write nevertheless.
    owner = nobody.pw_uid if is_given and os.geteuid() == 0 else os.geteuid()
    assert path.stat().st_uid == path.with_suffix(".1").stat().st_uid == owner
    assert path.read_text() == "two\n"


def test_a_link_is_not_followed_to_give_a_file_away(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    target = tmp_path / "precious"
    target.touch()
    path.symlink_to(target)
    handler = LineHandler(path, (65534, 65534))
    say(handler, "one")
    handler.close()
    assert target.stat().st_uid == os.geteuid()


def run(code: str, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=True)


def test_a_line_that_was_cut_by_a_full_disk_does_not_swallow_the_next(tmp_path: Path) -> None:
    # A limit on the file's size is a disk that takes a part of a line and then no more.
    code = """
        import logging, resource, sys
        from pathlib import Path
        from lineman.process.log.log_file import LineHandler
        logging.getLogger().addHandler(LineHandler(Path(sys.argv[1])))
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        logging.error("one")
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
        logging.error("two, and more of it")
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        logging.error("three")
    """
    path = tmp_path / "app.log"
    done = run(code, path)
    assert path.read_text() == ("one\ntwo, a\n1 lines are missing here: file too large\nthree\n")
    assert done.stderr.endswith("lines come here\ntwo, and more of it\n")


def test_standard_output_and_error_follow_the_file_where_they_went_to_it(tmp_path: Path) -> None:
    code = """
        import logging, os, sys
        from pathlib import Path
        from lineman.process.log.log_file import LineHandler
        path = Path(sys.argv[1])
        log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.dup2(log, 1)
        os.dup2(log, 2)
        handler = LineHandler(path)
        logging.getLogger().addHandler(handler)
        logging.error("one")
        path.rename(path.with_suffix(".1"))
        handler.reopen()
        os.write(1, b"printed\\n")
        os.write(2, b"a traceback\\n")
    """
    path = tmp_path / "app.log"
    run(code, path)
    assert path.read_text() == "printed\na traceback\n"
    assert path.with_suffix(".1").read_text() == "one\n"


def test_lines_of_several_processes_never_mix(tmp_path: Path) -> None:
    code = """
        import logging, sys
        from pathlib import Path
        from lineman.process.log.log_file import LineHandler
        logging.getLogger().addHandler(LineHandler(Path(sys.argv[1])))
        for number in range(300):
            logging.error(sys.argv[2] * 9000)
    """
    path = tmp_path / "app.log"
    command = [sys.executable, "-c", textwrap.dedent(code), path]
    processes = [subprocess.Popen([*command, letter]) for letter in "abc"]
    assert [process.wait() for process in processes] == [0, 0, 0]
    lines = path.read_text().splitlines()
    assert len(lines) == 900
    assert set(lines) == {letter * 9000 for letter in "abc"}
