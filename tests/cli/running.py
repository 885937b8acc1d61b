"""The worker of `apps/service.py`, which the commands are tried on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kit.program import Program

SERVICE = Path(__file__).parent / "apps" / "service.py"


@dataclass(frozen=True)
class Service:
    url: str
    program: Program

    @property
    def pid(self) -> int:
        return self.program.process.pid


@contextmanager
def running(scheme: str, *files: Path) -> Iterator[Service]:
    words = [sys.executable, SERVICE, f"{scheme}://127.0.0.1:0", *files]
    program = Program("service.py", words)
    try:
        line = program.wait_for_line("listening on ")[0]
        port = line.rsplit(":", 1)[1].strip()
        yield Service(f"{scheme}://localhost:{port}", program)
    finally:
        program.stop()
