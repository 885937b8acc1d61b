"""Memory that is free goes back to the machine; each case in a process of its own.

What other tests have left in this one would decide how much is free, and where.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from lineman.process.child import usage
from lineman.runtime.memory import INTERVAL, WORTH, MemoryKeeper, mallinfo

SIZE = 100_000  # below what malloc takes from the kernel block by block
COUNT = 10 * WORTH // SIZE


def holes() -> None:
    """What is free between blocks in use goes back."""
    keeper = MemoryKeeper()
    before = usage.rss()
    taken = [b"x" * SIZE for _ in range(COUNT)]
    taken = taken[::20]
    grown = usage.rss() - before
    assert grown > 4 * WORTH, f"malloc itself gave it back: this shows nothing ({grown})"
    assert keeper.on_deadline(100.0) == 100.0 + INTERVAL
    assert usage.rss() - before < grown / 2
    assert len(taken) == COUNT // 20 + 1


def middle() -> None:
    """A look in the middle of a burst does not hide its end."""
    keeper = MemoryKeeper()
    before = usage.rss()
    taken = [b"x" * SIZE for _ in range(COUNT)]
    keeper.on_deadline(0.0)
    taken = taken[::20]
    keeper.on_deadline(INTERVAL)
    assert usage.rss() - before < 3 * WORTH
    assert len(taken) == COUNT // 20 + 1


def between() -> None:
    """A burst that begins and ends between two looks is seen as well."""
    keeper = MemoryKeeper()
    before = usage.rss()
    for _ in range(2):
        taken = [b"x" * SIZE for _ in range(COUNT)]
        taken = taken[::20]
        keeper.on_deadline(0.0)
        assert usage.rss() - before < 3 * WORTH
    assert len(taken) == COUNT // 20 + 1


def quiet() -> None:
    """A process that has not changed is left alone."""
    taken = [b"x" * SIZE for _ in range(COUNT)]
    taken = taken[::20]
    keeper = MemoryKeeper()
    before = usage.rss()
    assert mallinfo().fordblks > 4 * WORTH
    keeper.on_deadline(0.0)
    assert abs(usage.rss() - before) < WORTH
    assert len(taken) == COUNT // 20 + 1


@pytest.mark.parametrize("case", [holes, middle, between, quiet], ids=lambda case: case.__name__)
def test_memory_that_is_free_goes_back(case: object) -> None:
    name = getattr(case, "__name__", "")
    command = [sys.executable, __file__, name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    {"holes": holes, "middle": middle, "between": between, "quiet": quiet}[sys.argv[1]]()
