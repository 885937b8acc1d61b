"""Files that only root may read, kept in memory for children that are not root."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lineman.process import keyfiles
from lineman.process.keyfiles import LOOK, KeyFiles
from lineman.process.owner import Owner

OWNER = Owner(65534, 65534, (65534,), "nobody", "/")


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> KeyFiles:
    """One for which no file can be read by the user; the rest is as it is."""
    monkeypatch.setattr(KeyFiles, "_is_needed", lambda self, path, owner: True)
    return KeyFiles()


def test_the_copy_is_in_memory_and_follows_the_file(kept: KeyFiles, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("first and long")
    descriptor = kept.for_child([str(path)], OWNER)[str(path)]
    where = Path(f"/dev/fd/{descriptor}")
    assert where.read_text() == "first and long"
    assert os.readlink(where).startswith("/memfd:")
    assert os.fstat(descriptor).st_mode & 0o777 == 0o444
    path.with_suffix(".new").write_text("second")
    path.with_suffix(".new").replace(path)
    assert kept.refresh(100.0)
    assert where.read_text() == "second"
    path.unlink()
    assert not kept.refresh(101.0)  # not yet
    assert not kept.refresh(100.0 + LOOK)
    assert where.read_text() == "second"


def test_nothing_is_kept_for_whoever_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("open")
    assert KeyFiles().for_child([str(path)], None) == {}
    root = Owner(0, 0, (0,), "root", "/root")
    assert KeyFiles().for_child([str(path)], root) == {}
    assert KeyFiles().next_look() is None
    assert keyfiles.LOOK > 0
