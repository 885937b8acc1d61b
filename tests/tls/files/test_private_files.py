from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lineman.errors import ConfigError
from lineman.tls.files import private_files as files

# A real limit of the kernel, in a process of its own: files may not grow past 1000 bytes.
FULL = """
import resource, sys
from pathlib import Path
from lineman.tls.files import private_files as files
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    files.write(Path(sys.argv[1]), b"new" * 1000, 0o600)
except OSError as error:
    sys.exit(error.errno)
"""


def test_a_file_is_put_in_place_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    files.write(path, b"one", 0o600)
    files.write(path, b"two", 0o600)
    assert path.read_bytes() == b"two"
    assert files.is_private(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["key.pem"]


def test_a_disk_that_is_full_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    files.write(path, b"old", 0o600)
    ended = subprocess.run([sys.executable, "-c", FULL, path], check=False)
    assert ended.returncode == errno.EFBIG
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["key.pem"]


def test_what_a_killed_process_left_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / ".key.pem.half").write_bytes(b"half")
    files.write(tmp_path / "key.pem", b"whole", 0o600)
    assert [entry.name for entry in tmp_path.iterdir()] == ["key.pem"]


def test_a_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    files.prepare_directory(tmp_path / "a" / "b", "read it")
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_a_directory_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o770)
    with pytest.raises(ConfigError, match=r"mode 0770\), and so read it; fix: chmod 700"):
        files.prepare_directory(tmp_path, "read it")


def test_a_file_in_its_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="not a directory"):
        files.prepare_directory(tmp_path / "file", "read it")


def test_a_lock_is_free_again_when_its_holder_is_gone(tmp_path: Path) -> None:
    held = files.try_lock(tmp_path / "lock")
    assert held is not None
    assert files.try_lock(tmp_path / "lock") is None
    os.close(held)
    with files.locked(tmp_path / "lock"):
        assert files.try_lock(tmp_path / "lock") is None
