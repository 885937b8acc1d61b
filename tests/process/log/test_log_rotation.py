"""The limit of the log's size: files are renamed, and no line is lost."""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kit.app import MakeApp, port_in
from kit.waiting import wait_until
from lineman.errors import ConfigError
from lineman.process.log.log_file import LineHandler
from lineman.process.log.log_rotation import LogRotation
from lineman.process.log.log_setup import LogOptions
from lineman.process.rundir import paths
from lineman.testing.client import RawClient


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


def sizes(log: Path) -> dict[str, int]:
    return {each.name: each.stat().st_size for each in log.parent.iterdir()}


def test_a_file_below_the_limit_stays(log: Path) -> None:
    log.write_bytes(b"x" * 99)
    assert not LogRotation(log, 100, 1).look()
    assert sizes(log) == {"app.log": 99}


def test_a_missing_file_is_no_fault(log: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert not LogRotation(log, 100, 1).look()
    assert not caplog.records


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (0, {"app.log": 0}),
        (1, {"app.log": 0, "app.log.1": 104}),
        (3, {"app.log": 0, "app.log.1": 104, "app.log.2": 103, "app.log.3": 102}),
    ],
)
def test_the_newest_files_stay(log: Path, keep: int, left: dict[str, int]) -> None:
    rotation = LogRotation(log, 100, keep)
    for size in range(100, 105):
        log.write_bytes(b"x" * size)
        assert rotation.look()
    assert sizes(log) == left


def test_the_new_file_has_the_mode_of_the_old_one(log: Path) -> None:
    log.write_bytes(b"x" * 100)
    log.chmod(0o640)
    assert LogRotation(log, 100, 1).look()
    assert log.stat().st_mode & 0o7777 == 0o640


def test_what_a_killed_master_has_left_is_no_obstacle(log: Path) -> None:
    log.write_bytes(b"x" * 100)
    log.with_name("app.log.new").write_bytes(b"rest")
    assert LogRotation(log, 100, 1).look()
    assert sizes(log) == {"app.log": 0, "app.log.1": 100}


def test_a_pipe_stays(log: Path) -> None:
    os.mkfifo(log)
    assert not LogRotation(log, 0, 1).look()
    assert log.is_fifo()


def test_a_link_stays_and_its_file_is_renamed(log: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir()
    (target / "real.log").write_bytes(b"x" * 100)
    log.symlink_to(target / "real.log")

    rotation = LogRotation(log, 100, 1)
    if os.geteuid() == 0:  # root follows a link only where no other user can have made it
        rotation = LogRotation(target / "real.log", 100, 1)
    assert rotation.look()
    assert log.is_symlink()
    assert (target / "real.log.1").stat().st_size == 100
    assert log.stat().st_size == 0


def test_a_file_system_without_hard_links_will_do(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*args: object, **kwargs: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", no_links)
    log.write_bytes(b"x" * 100)
    assert LogRotation(log, 100, 1).look()
    assert sizes(log) == {"app.log": 0, "app.log.1": 100}


def test_a_full_disk_is_told_once_and_the_log_goes_on(
    log: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.write_bytes(b"x" * 100)
    rotation = LogRotation(log, 100, 1)
    real = os.open

    def full(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & os.O_EXCL:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, flags, mode, dir_fd=dir_fd)

    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(os, "open", full)
        assert not rotation.look()
        assert not rotation.look()
    (record,) = caplog.records
    assert record.message.endswith("cannot be renamed: no space left on device")
    assert sizes(log) == {"app.log": 100}
    assert rotation.look()


def test_writers_miss_no_line(log: Path) -> None:
    written = [0, 0]
    has_rotated = threading.Event()

    @contextmanager
    def writing() -> Iterator[None]:
        writers = [LineHandler(log, look_every=0.001) for _ in range(2)]

        def write(writer: LineHandler, name: int) -> None:
            while not has_rotated.is_set():
                writer.emit(logging.makeLogRecord({"msg": f"{name} {written[name]}"}))
                written[name] += 1

        threads = [
            threading.Thread(target=write, args=(writer, name))
            for name, writer in enumerate(writers)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            has_rotated.set()
            for thread in threads:
                thread.join()
            for writer in writers:
                writer.close()

    rotation = LogRotation(log, 2000, 1000)
    with writing():
        wait_until(lambda: rotation.look() and log.with_name("app.log.3").exists(), "it rotates")
    lines = [line for each in log.parent.iterdir() for line in each.read_text().splitlines()]
    wanted = [f"{name} {number}" for name in range(2) for number in range(written[name])]
    assert sorted(lines) == sorted(wanted)


@pytest.mark.parametrize("given", [0, 4095, -1, "10M", 1.5, True, 2**60])
def test_a_size_that_cannot_work_is_refused(given: object) -> None:
    with pytest.raises(ConfigError, match=r"log_max_size is .*10 \* 1024 \* 1024"):
        LogOptions.read(None, "text", "INFO", given)


@pytest.mark.parametrize("given", [-1, 1001, "2", None, True])
def test_a_number_of_files_that_cannot_work_is_refused(given: object) -> None:
    with pytest.raises(ConfigError, match="log_keep is "):
        LogOptions.read(None, "text", "INFO", 4096, given)


def test_the_folder_is_the_one_that_the_path_leads_to(log: Path) -> None:
    log.write_text("")
    with paths.folder_opener()(log) as (folder, name):
        assert name == "app.log"
        assert os.stat(name, dir_fd=folder).st_ino == log.stat().st_ino


PROGRAM = """
    import logging
    from lineman import Worker

    Worker.log_file = "{log}"
    Worker.log_max_size = 4096
    Worker.log_keep = 100
    worker = Worker("ws://127.0.0.1:0", count=2, {more})

    @worker.on_message
    def write(connection, message):
        for number in range(200):
            logging.getLogger("app").warning("%s %d", message, number)
        connection.send("written")

    Worker.run_all()
"""


def test_a_service_limits_its_log(make_app: MakeApp, log: Path) -> None:
    app = make_app(PROGRAM.format(log=log, more=""))
    assert app.run("start", "-d").returncode == 0
    port = port_in(log.read_text())
    rounds = 0

    def write() -> bool:  # what is written just after a renaming goes to the old file
        nonlocal rounds
        with RawClient(port) as client:
            client.open().send(f"round {rounds}")
            client.receive()
        rounds += 1
        time.sleep(0.1)
        return log.with_name("app.log.2").exists()

    wait_until(write, "the log is renamed twice")
    app.stop()
    text = "".join(each.read_text() for each in log.parent.glob("app.log*"))
    assert all(
        f"round {count} {number}\n" in text for count in range(rounds) for number in range(200)
    )
    assert "missing" not in text
