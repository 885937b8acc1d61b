"""What a process holds: counted, since resident memory wanders with the allocator's moods.

The load comes from processes of its own (`lineman bench`, `kit.visitors`), so that all that is
counted is the service's.
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
    """What the process holds.

    Attributes:
        blocks: of Python's own allocator, which has all that is no larger than 512 bytes.
        size: bytes of all that comes from malloc: larger objects, and what OpenSSL and zlib have.
    """

    blocks: int
    size: int

    def above(self, other: Held) -> Held:
        """The difference."""
        return Held(self.blocks - other.blocks, self.size - other.size)


def held() -> Held:
    """What this process holds, garbage aside."""
    for _ in range(3):
        gc.collect()
    info = mallinfo()
    return Held(sys.getallocatedblocks(), info.uordblks + info.hblkhd)


def growth(work: Callable[[int], int], look: Callable[[], Held], count: int) -> tuple[Held, int]:
    """What is held more after some work, once two halves of it have filled every cache.

    Args:
        work: does it at least so many times, and says how many times it was.
        look: finds out what is held when nothing is at work.
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
    """Fails where every fourth time left an object, or each one 50 bytes.

    By itself a process goes up and down by some blocks; and by some KiB where clients come at the
    same time, since malloc keeps for each thread some of what it got back, and counts that.
    """
    assert left.blocks < count // 4, f"{left} after {count}"
    assert left.size < count * 50, f"{left} after {count}"


def bench(url: str, mode: str, count: int, *words: str) -> int:
    """Puts load on a service from another process, at least so much; how much it was."""
    done = 0
    while done < count:
        command = [sys.executable, "-m", "lineman", "bench", url, "--mode", mode, "--json"]
        command += ["--insecure", "--duration", "0.7", *words]
        done += int(json.loads(_output(command))["count"])
    return done


def visit(port: int, is_tls: bool, kind: str, count: int) -> int:
    """Has another process come and go in one of the ways of `kit.visitors`; the count."""
    scheme = "wss" if is_tls else "ws"
    _output([sys.executable, str(VISITORS), scheme, str(port), kind, str(count)])
    return count


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout} {done.stderr}"
    return done.stdout
