from __future__ import annotations

import os
from pathlib import Path

import pytest

from lineman.tls.files.file_watch import Change, FileWatch


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "server.pem"
    path.write_text("old")
    return path


def test_nothing_has_happened_to_files_that_nobody_touches(file: Path) -> None:
    watch = FileWatch([file, file.with_name("gone")])
    assert [watch.look() for _ in range(3)] == [Change.NONE] * 3


def test_a_change_is_new_and_then_rests_until_it_is_settled(file: Path) -> None:
    watch = FileWatch([file])
    file.write_text("newer")
    assert [watch.look() for _ in range(3)] == [Change.NEW, Change.RESTED, Change.RESTED]
    watch.settle()
    assert watch.look() is Change.NONE


def test_while_it_goes_on_changing_it_does_not_rest(file: Path) -> None:
    watch = FileWatch([file])
    for count in range(4, 8):
        file.write_text("x" * count)
        assert watch.look() is Change.NEW
    assert watch.look() is Change.RESTED


def test_a_file_renamed_into_place_is_a_change_though_it_has_the_same_size_and_time(
    file: Path,
) -> None:
    watch = FileWatch([file])
    other = file.with_name("half")
    other.write_text("odd")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)
    assert watch.look() is Change.NEW


def test_a_link_is_followed_also_above_the_file(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "server.pem").write_text(name)
    live = tmp_path / "live"
    live.symlink_to("first")
    watch = FileWatch([live / "server.pem"])
    swapped = tmp_path / "swapped"
    swapped.symlink_to("second")
    swapped.replace(live)
    assert watch.look() is Change.NEW


def test_a_file_that_vanishes_and_returns_is_a_change_each_time(file: Path) -> None:
    watch = FileWatch([file])
    file.unlink()
    assert [watch.look(), watch.look()] == [Change.NEW, Change.RESTED]
    watch.settle()
    file.write_text("back")
    assert watch.look() is Change.NEW


def test_a_new_mode_is_a_change(file: Path) -> None:
    watch = FileWatch([file])
    file.chmod(0o400)
    assert watch.look() is Change.NEW


def test_a_relative_path_stays_where_it_was(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    watch = FileWatch(["server.pem"])
    monkeypatch.chdir("/")
    assert watch.look() is Change.NONE
