"""What `ps` shows for a process, with the extra `titles` and without."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("before", "shown"),
    [("", "lineman: chat #0"), ("sys.modules['setproctitle'] = None", "-c")],
    ids=["installed", "not installed"],
)
def test_a_process_is_named_where_the_extra_is_there_and_runs_in_any_case(
    before: str, shown: str
) -> None:
    text = f"""
import sys
{before}
from lineman.process.child.process_title import set_title
set_title("chat #0")
print(open("/proc/self/cmdline").read().replace("\\0", " "))
"""
    command = [sys.executable, "-c", text]
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)
    assert shown in done.stdout
    assert done.stdout.startswith("lineman: ") is not bool(before)
