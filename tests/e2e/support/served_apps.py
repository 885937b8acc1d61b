"""Applications of others, served by Lineman or uvicorn."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.program import PortTaken, Program, free_ports

CASES = Path(__file__).parents[1] / "apps" / "others"
READY = {"lineman": "ready: ", "uvicorn": "Uvicorn running"}


@contextmanager
def served(server: str, case: str, directory: Path, *words: str) -> Iterator[int]:
    """A server with an application; the port."""
    # Starlette writes the methods of `Allow` in the order of a set.
    env = {"CASE_KEY": secrets.token_hex(8), "PYTHONHASHSEED": "0"}
    for attempt in range(5):
        (port,) = free_ports(1)
        command = [f"{case}:app", "--app-dir", str(CASES), "--port", str(port), *words]
        if server == "lineman":
            command = ["-m", "lineman", "serve", *command, "--pid-file", str(directory / "app.pid")]
        else:
            command = ["-m", "uvicorn", *command]
        program = Program(server, [sys.executable, *command], env=env, cwd=directory)
        try:
            program.wait_for_line(READY[server])
            yield port
            return
        except PortTaken:
            if attempt == 4:
                raise
        finally:
            program.stop()
