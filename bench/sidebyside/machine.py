"""The machine on which the figures were measured, and the versions of the programs."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

VERSIONS = """
import importlib.metadata, sys
for name in sys.argv[1:]:
    try:
        print(name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        pass
"""


def describe() -> list[str]:
    """Processor, cores, memory and kernel, each as a phrase."""
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return [
        _field(Path("/proc/cpuinfo"), "model name") or platform.machine(),
        f"{cores} core" + ("s" if cores != 1 else ""),
        f"{memory:.0f} GiB",
        f"{platform.system()} {platform.release()}",
    ]


def _field(path: Path, name: str) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == name:
            return " ".join(value.split())
    return ""


def versions(python: str, packages: list[str]) -> list[str]:
    """`lineman --version` of an interpreter, and the packages that it has, with their versions."""
    own = _output([python, "-m", "lineman", "--version"])
    others = _output([python, "-c", VERSIONS, *packages])
    return [*own, *others]


def _output(command: list[str]) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()


def memory_kib(pid: int) -> int:
    """The resident memory of a process, in KiB."""
    return int(_field(Path(f"/proc/{pid}/status"), "VmRSS").split()[0])


def forget_peak(pid: int) -> None:
    """Resets the kernel's record of a process' peak memory (proc(5), `clear_refs`)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def peak_memory_kib(pid: int) -> int:
    """The peak of a process' resident memory since `forget_peak`, in KiB."""
    return int(_field(Path(f"/proc/{pid}/status"), "VmHWM").split()[0])


def cpu_seconds(pids: list[int]) -> float:
    """The CPU time that processes have used, in user and kernel."""
    ticks = 0
    for pid in pids:
        _, _, fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")
        ticks += sum(map(int, fields.split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def cores() -> tuple[int, int]:
    """The core for the server and the core for the load; the same where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[min(1, len(usable) - 1)]
