"""Opening files by path as root: other users cannot redirect the path."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from lineman.process.rundir import paths
from lineman.process.rundir.owner import Owner, acting_as
from lineman.process.rundir.paths import UnsafePathError, is_roots_alone, open_file, opener

NOBODY = pwd.getpwnam("nobody")
OWNER = Owner(NOBODY.pw_uid, NOBODY.pw_gid, (NOBODY.pw_gid,), "nobody", NOBODY.pw_dir)


@pytest.fixture
def secret(open_folder: Path) -> Path:
    """A file that only root may read or write."""
    path = open_folder / "secret"
    path.write_text("secret")
    path.chmod(0o600)
    return path


def content(path: Path) -> bytes:
    with os.fdopen(open_file(path, os.O_RDONLY), "rb") as file:
        return file.read()


def test_roots_own_links_are_followed(open_folder: Path, secret: Path) -> None:
    live = open_folder / "live"
    live.mkdir()
    (live / "absolute").symlink_to(secret)
    (live / "relative").symlink_to("../live/./absolute")
    (open_folder / "way").symlink_to("live")
    assert content(open_folder / "way" / "relative") == b"secret"


def test_a_link_in_a_directory_of_another_user_is_not_followed(secret: Path, theirs: Path) -> None:
    (theirs / "link").symlink_to(secret)
    (theirs / "way").symlink_to(secret.parent)
    for path in (theirs / "link", theirs / "way" / "secret"):
        with pytest.raises(UnsafePathError, match="is a link that other users may have made"):
            open_file(path, os.O_RDONLY)
    (theirs / "own").write_text("own")
    assert content(theirs / "own") == b"own"


def test_nor_where_a_link_of_roots_leads_there(secret: Path, theirs: Path) -> None:
    (theirs / "link").symlink_to(secret)
    (secret.parent / "log").symlink_to(theirs / "link")
    with pytest.raises(UnsafePathError):
        open_file(secret.parent / "log", os.O_WRONLY | os.O_APPEND)


def test_nor_in_one_of_roots_that_lies_in_theirs(secret: Path, theirs: Path) -> None:
    inner = theirs / "inner"
    inner.mkdir()
    (inner / "link").symlink_to(secret)
    with pytest.raises(UnsafePathError):
        open_file(inner / "link", os.O_RDONLY)


@pytest.mark.parametrize("mode", [0o1777, 0o777, 0o775])
def test_nor_where_others_may_write(open_folder: Path, secret: Path, mode: int) -> None:
    shared = open_folder / "shared"
    shared.mkdir()
    shared.chmod(mode)
    (shared / "link").symlink_to(secret)
    with pytest.raises(UnsafePathError):
        open_file(shared / "link", os.O_RDONLY)


def test_a_second_name_of_a_file_is_refused_there(secret: Path, theirs: Path) -> None:
    os.link(secret, theirs / "mine")
    with pytest.raises(UnsafePathError, match="it has two names"):
        open_file(theirs / "mine", os.O_WRONLY | os.O_APPEND)
    os.link(secret, secret.parent / "again")
    assert content(secret.parent / "again") == b"secret"


def test_a_circle_of_links_ends(open_folder: Path) -> None:
    (open_folder / "a").symlink_to("b")
    (open_folder / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        open_file(open_folder / "a", os.O_RDONLY)


def test_what_is_not_there_is_said_or_made(open_folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_file(open_folder / "none" / "file", os.O_RDONLY)
    (open_folder / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        open_file(open_folder / "file" / "file", os.O_RDONLY)
    os.close(open_file(open_folder / "new", os.O_WRONLY | os.O_CREAT, 0o640))
    assert (open_folder / "new").stat().st_mode & 0o777 == 0o640


def test_standard_output_is_found_by_its_name() -> None:
    reader, writer = os.pipe()
    try:
        opened = open_file(f"/proc/self/fd/{writer}", os.O_WRONLY | os.O_APPEND)
        os.write(opened, b"hi")
        os.close(opened)
        assert os.read(reader, 10) == b"hi"
    finally:
        os.close(reader)
        os.close(writer)


def test_who_can_swap_a_directory(open_folder: Path, theirs: Path) -> None:
    (theirs / "inner").mkdir()
    (theirs / "way").symlink_to(open_folder)
    assert is_roots_alone(open_folder)  # in /tmp, whose sticky bit keeps it where it is
    assert is_roots_alone(theirs)
    assert not is_roots_alone(theirs / "inner")
    assert not is_roots_alone(theirs / "way")


def test_somebody_elses_rights_are_theirs_and_end(secret: Path, theirs: Path) -> None:
    before = (os.geteuid(), os.getegid(), os.getgroups())
    open_theirs = opener(OWNER)
    with pytest.raises(PermissionError):
        open_theirs(secret, os.O_RDONLY, 0)
    os.close(open_theirs(theirs / "new", os.O_WRONLY | os.O_CREAT, 0o640))
    assert (theirs / "new").stat().st_uid == NOBODY.pw_uid
    assert (os.geteuid(), os.getegid(), os.getgroups()) == before
    assert paths.opener(None) is open_file


def test_rights_come_back_where_they_could_not_even_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    before = (os.geteuid(), os.getegid(), os.getgroups())

    def refuse(gid: int) -> None:
        monkeypatch.undo()
        raise PermissionError

    monkeypatch.setattr(os, "setegid", refuse)
    with pytest.raises(PermissionError), acting_as(OWNER):
        pass
    assert (os.geteuid(), os.getegid(), os.getgroups()) == before
