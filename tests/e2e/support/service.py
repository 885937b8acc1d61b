"""A service script in a process of its own."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.program import Program

APPS = Path(__file__).parents[1] / "apps"

LOOPBACK = "ws://127.0.0.1:0"
TRUSTED: dict[str, Any] = {"trusted_proxies": ["127.0.0.1/32"]}


@dataclass(frozen=True)
class Service:
    """A running service.

    Args:
        program: its process.
        where: its upstream as a proxy names it, such as `127.0.0.1:8282`.
    """

    program: Program
    where: str

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return int(self.where.rpartition(":")[2])


@contextmanager
def service(
    script: Path = APPS / "behind_proxy.py", *, address: str = LOOPBACK, **options: Any
) -> Iterator[Service]:
    """The script, listening.

    Args:
        script: finds these in `SERVICE_ADDRESS` and, as JSON, in `SERVICE_OPTIONS`.
        address: where to listen; port 0 takes one that is free.
        options: for its `Worker`.
    """
    with tempfile.TemporaryDirectory() as run:  # several of one script run side by side
        env = {
            "SERVICE_ADDRESS": address,
            "SERVICE_OPTIONS": json.dumps(options),
            "RUNTIME_DIRECTORY": run,
        }
        program = Program(script.name, [sys.executable, script], env=env)
        yield from _running(program)


def _running(program: Program) -> Iterator[Service]:
    try:
        line = program.wait_for_line("listening on ")[0]
        found = re.search(r"listening on \w+(\+unix)?://(\S+)", line)
        assert found, line
        yield Service(program, f"unix:{found[2]}" if found[1] else found[2])
    finally:
        program.stop()
