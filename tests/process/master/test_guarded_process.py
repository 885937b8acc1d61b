"""A process that other processes of the same user cannot read."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lineman.process.master.guarded_process import HARMLESS, guarded
from lineman.process.rundir.owner import Owner

NOBODY = pwd.getpwnam("nobody")
OWNER = Owner(NOBODY.pw_uid, NOBODY.pw_gid, (NOBODY.pw_gid,), "nobody", NOBODY.pw_dir)


@contextmanager
def process(become: Callable[[], None] | None) -> Iterator[int]:
    """A process of nobody's; its pid."""
    own = {"preexec_fn": become} if become else {"user": OWNER.uid, "group": OWNER.gid}
    started = subprocess.Popen(["sleep", "60"], extra_groups=None if become else [], **own)  # type: ignore[call-overload]
    try:
        yield started.pid
    finally:
        started.kill()
        started.wait()


def can_look_into(pid: int) -> bool:
    """Whether another process of nobody's sees the descriptors of this one."""
    looking = ["readlink", f"/proc/{pid}/fd/0"]
    return subprocess.run(looking, user=OWNER.uid, group=OWNER.gid, extra_groups=[],
                          capture_output=True, check=False).returncode == 0  # fmt: skip


def capabilities(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        told = dict(line.rstrip("\n").split(":\t", 1) for line in file)
    assert told["CapEff"] == told["CapPrm"] == told["CapAmb"]
    return int(told["CapPrm"], 16)


def test_its_users_other_processes_are_kept_out() -> None:
    become = guarded(OWNER)
    assert become is not None
    with process(become) as pid:
        assert os.stat(f"/proc/{pid}").st_uid == NOBODY.pw_uid
        assert capabilities(pid) in {1 << each for each in HARMLESS}
        assert not can_look_into(pid)
    with process(None) as pid:
        assert capabilities(pid) == 0
        assert can_look_into(pid)  # so it is the guard that keeps them out


@pytest.mark.parametrize("capability", HARMLESS)
def test_each_of_the_capabilities_does_it(capability: int) -> None:
    with process(guarded(OWNER, (capability,))) as pid:
        assert capabilities(pid) == 1 << capability
        assert not can_look_into(pid)


def test_where_there_is_none_to_give_it_goes_without() -> None:
    assert guarded(OWNER, (63,)) is None
