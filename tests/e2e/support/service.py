"""A service script in a process of its own."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.support.program import Program

APPS = Path(__file__).parents[1] / "apps"

TRUSTED: dict[str, Any] = {"trusted_proxies": ["127.0.0.1/32"]}


@dataclass(frozen=True)
class Service:
    """A running service.

    Args:
        program: its process.
        port: where it listens on 127.0.0.1.
    """

    program: Program
    port: int


@contextmanager
def service(
    script: Path = APPS / "behind_proxy.py", *, port: int = 0, **options: Any
) -> Iterator[Service]:
    """The script, listening.

    Args:
        script: finds the port and the options (as JSON) in `SERVICE_PORT` and `SERVICE_OPTIONS`.
        port: where to listen; 0 takes one that is free.
        options: for its `Worker`.
    """
    env = {"SERVICE_PORT": str(port), "SERVICE_OPTIONS": json.dumps(options)}
    program = Program(script.name, [sys.executable, script], env=env)
    try:
        line = program.wait_for_line("listening on ")[0]
        found = re.search(r"listening on \w+://127\.0\.0\.1:(\d+)", line)
        assert found, line
        yield Service(program, int(found[1]))
    finally:
        program.stop()
