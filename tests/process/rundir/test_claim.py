"""Abstract names that stand for a running program where its directory is cleaned."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from lineman.process.rundir import claim
from lineman.process.rundir.claim import MAX_NAME, ClaimedError


def test_a_pid_file_is_claimed_once_and_free_again_when_its_socket_is_closed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "app.pid"
    assert claim.master_of(path) == 0
    assert claim.holder_of(path) is None
    taken = claim.take(path)
    assert taken is not None
    assert claim.master_of(path) == os.getpid()
    assert claim.holder_of(path) == claim.Runner(os.geteuid(), os.getpid(), path)
    with pytest.raises(ClaimedError) as refused:
        claim.take(path)
    assert refused.value.pid == os.getpid()
    with socket.socket(socket.AF_UNIX) as end:
        assert claim.connect(end, path)
    taken.close()
    with socket.socket(socket.AF_UNIX) as end:
        assert not claim.connect(end, path)


def test_long_paths_are_told_apart_though_no_name_can_hold_them(tmp_path: Path) -> None:
    names = {claim._name(tmp_path / ("x" * 200) / f"{number}.pid") for number in range(2)}
    assert len(names) == 2
    assert max(map(len, names)) <= MAX_NAME + 1


def test_a_running_program_is_found_by_its_name_with_its_pid_file() -> None:
    program, other = f"chat-{os.getpid():08x}", f"chat-{os.getpid() + 1:08x}"
    pid_file, elsewhere = Path(f"/run/x/{program}.pid"), Path("/run/y/my.pid")
    ends = [claim.announce(program, pid_file), claim.announce(other, elsewhere)]
    assert claim.announce(program, pid_file) is None  # it has the name already
    assert claim.runners(program) == [claim.Runner(os.geteuid(), os.getpid(), pid_file)]
    (namesake,) = [each for each in claim.namesakes(program) if each.pid == os.getpid()]
    assert namesake.pid_file == elsewhere
    for end in ends:
        assert end is not None
        end.close()
    assert claim.runners(program) == []


def test_root_and_this_user_are_believed_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    believed = [claim.Runner(uid, 1, None).is_believed for uid in (0, 1000, 1001)]
    assert believed == [True, True, False]
