"""Pid files: found by the script's path, and held by one process at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lineman.errors import ConfigError
from lineman.process.rundir import rundir
from lineman.process.rundir.rundir import (
    PidFile,
    control_path,
    default_pid_file,
    find_pid_file,
    holder,
    links_directory,
    name_of,
)


def test_every_way_of_writing_a_path_is_the_same_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "my app.py"
    script.touch()
    (tmp_path / "link.py").symlink_to(script)
    monkeypatch.chdir(tmp_path)
    names = {name_of(str(script)), name_of("my app.py"), name_of("./link.py")}
    assert len(names) == 1
    assert names.pop().startswith("my-app-")
    assert name_of("my app.py") != name_of("other/my app.py")
    assert name_of("my app.py") != name_of("my app.py", ["--port", "9000"])


@pytest.mark.parametrize(
    ("variables", "uid", "expected"),
    [
        ({"RUNTIME_DIRECTORY": "/run/lineman/chat:/run/other"}, 33, "/run/lineman/chat"),
        ({}, 0, "/run/lineman"),
        ({"XDG_RUNTIME_DIR": "/run/user/1000"}, 0, "/run/lineman"),
        ({"XDG_RUNTIME_DIR": "/run/user/1000"}, 1000, "/run/user/1000/lineman"),
        ({}, 1000, "/tmp/lineman-1000"),
    ],
)
def test_where_pid_files_are(
    variables: dict[str, str], uid: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert default_pid_file("chat") == Path(expected, "chat.pid")


def test_commands_look_below_the_systems_directory_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rundir, "SYSTEM", tmp_path)
    (tmp_path / "chat").mkdir()
    own = default_pid_file("app")
    assert find_pid_file("app") == own
    (tmp_path / "chat" / "app.pid").touch()
    assert find_pid_file("app") == tmp_path / "chat" / "app.pid"


def test_a_pid_file_is_held_by_one_and_freed_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "run" / "chat.pid"
    held = PidFile.take(path, "x-12345678")
    assert path.read_text() == f"{os.getpid()}\n"
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert holder(path) == os.getpid()
    with pytest.raises(ConfigError, match=f"it runs already: process {os.getpid()}"):
        PidFile.take(path, "x-12345678")
    held.release()
    assert not path.exists()
    assert holder(path) == 0
    PidFile.take(path, "x-12345678").release()


def test_no_two_pid_files_have_the_same_things_beside_them() -> None:
    files = [Path("/run/x", name) for name in ("chat.pid", "chat.1", "chat.2", "chat.pid.1")]
    for beside in (control_path, links_directory):
        assert len({beside(file) for file in files}) == len(files)
    assert control_path(files[0]) == Path("/run/x/chat.sock")
    assert links_directory(files[0]) == Path("/run/x/chat.d")


def test_a_stale_file_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "chat.pid"
    path.write_text("1\n")
    assert holder(path) == 0
    held = PidFile.take(path, "x-12345678")
    assert path.read_text() == f"{os.getpid()}\n"
    held.release()


def test_a_directory_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(ConfigError, match=r"may be written to by other users \(mode 777\)"):
        PidFile.take(tmp_path / "chat.pid", "x-12345678")


def test_what_is_no_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(ConfigError, match="cannot make"):
        PidFile.take(tmp_path / "file" / "chat.pid", "x-12345678")
    with pytest.raises(ConfigError, match="is no directory"):
        PidFile.take(tmp_path / "link" / "chat.pid", "x-12345678")


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("keep me")
    (tmp_path / "chat.pid").symlink_to(victim)
    with pytest.raises(ConfigError, match="cannot write the pid file"):
        PidFile.take(tmp_path / "chat.pid", "x-12345678")
    assert victim.read_text() == "keep me"


def test_a_pipe_of_the_name_of_a_pid_file_holds_up_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "chat.pid")
    text = (
        "import os, socket, sys; from pathlib import Path; "
        "from lineman.process.rundir import procfs, rundir; "
        "path = Path(sys.argv[1]); end = socket.socket(socket.AF_UNIX); "
        "end.bind(str(path.with_suffix('.sock'))); "
        "print(rundir.holder(path), procfs.pid_file_of(os.getpid()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", text, "chat.pid"], cwd=tmp_path,
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("0 None\n", "")
    with pytest.raises(ConfigError, match="is there already"):
        PidFile.take(tmp_path / "chat.pid", "x-12345678")
