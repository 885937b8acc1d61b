"""Counts the memory blocks of a process, since its resident memory varies with the allocator.

The load comes from other processes (`lineman bench`, `kit.visitors`), so that only the service is
counted.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lineman.runtime.memory import mallinfo

VISITORS = Path(__file__).parent / "visitors.py"
DEADLINE = 120.0


@dataclass(frozen=True, slots=True)
class Held:
    """The memory of the process.

    Attributes:
        blocks: of Python's own allocator, which holds objects of at most 512 bytes.
        size: bytes from malloc: larger objects, and the memory of OpenSSL and zlib.
    """

    blocks: int
    size: int

    def above(self, other: Held) -> Held:
        """The difference."""
        return Held(self.blocks - other.blocks, self.size - other.size)


def held() -> Held:
    """The memory of this process without garbage."""
    for _ in range(3):
        gc.collect()
    info = mallinfo()
    return Held(sys.getallocatedblocks(), info.uordblks + info.hblkhd)


def growth(work: Callable[[int], int], look: Callable[[], Held], count: int) -> tuple[Held, int]:
    """How much more memory is held after some work; two halves of it fill every cache before.

    Args:
        work: does the work at least this many times, and returns how many times it was.
        look: returns the memory when the service is idle.
        count: how many times.

    Returns:
        The difference, and how many times the work was done for it.
    """
    work(count // 2)
    look()
    work(count // 2)
    before = look()
    done = work(count)
    return look().above(before), done


def assert_nothing_is_left(left: Held, count: int) -> None:
    """Fails if every fourth time left an object, or each time left 50 bytes.

    Without a leak the count changes by a few blocks. It changes by a few KiB if clients come at the
    same time, since malloc keeps some freed memory for each thread, and counts it.
    """
    assert left.blocks < count // 4, f"{left} after {count}"
    assert left.size < count * 50, f"{left} after {count}"


def bench(url: str, mode: str, count: int, *words: str) -> int:
    """Puts at least this load on a service from another process; returns how much it was."""
    done = 0
    while done < count:
        command = [sys.executable, "-m", "lineman", "bench", url, "--mode", mode, "--json"]
        command += ["--insecure", "--duration", "0.7", *words]
        done += int(json.loads(_output(command))["count"])
    return done


def visit(port: int, is_tls: bool, kind: str, count: int) -> int:
    """Runs clients of `kit.visitors` of one kind in another process; returns the count."""
    scheme = "wss" if is_tls else "ws"
    _output([sys.executable, str(VISITORS), scheme, str(port), kind, str(count)])
    return count


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout} {done.stderr}"
    return done.stdout
