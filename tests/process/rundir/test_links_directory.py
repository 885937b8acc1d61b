"""The directory of a program's own sockets: other users cannot read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineman.errors import ConfigError
from lineman.process.rundir.links_directory import Links
from lineman.process.rundir.rundir import links_directory


def test_it_is_made_made_anew_where_it_was_removed_and_taken_away(tmp_path: Path) -> None:
    path = links_directory(tmp_path / "app.pid")
    links = Links(tmp_path / "app.pid")
    assert links.restore() is None  # nobody has asked for it yet
    links.make(None)
    assert links.path == str(path)
    assert path.stat().st_mode & 0o777 == 0o700
    assert links.restore() is None
    path.rmdir()
    assert links.restore() == path
    (path / "left.sock").touch()
    links.remove()
    assert path.exists(), "what is left in it may be of the program's next start"
    (path / "left.sock").unlink()
    links.remove()
    assert not path.exists()


def test_one_that_others_may_look_into_is_refused_and_no_link_is_followed(tmp_path: Path) -> None:
    path = links_directory(tmp_path / "app.pid")
    path.mkdir(mode=0o755)
    with pytest.raises(ConfigError, match=r"must be a directory of mode 0700; .*fix: rm -r"):
        Links(tmp_path / "app.pid").make(None)
    path.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match=r"cannot make .* for the program's own sockets"):
        Links(tmp_path / "app.pid").make(None)
