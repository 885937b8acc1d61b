"""An example as a program: a copy of it whose port is one that is free."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from kit.program import Program, free_ports
from kit.waiting import DEADLINE

EXAMPLES = Path(__file__).parents[2] / "examples"
ADDRESS = r"(0\.0\.0\.0|127\.0\.0\.1):8282"


class Example:
    """The program `examples/NAME`, which runs; a reload does not change its port.

    Args:
        name: of the file.
        directory: where the copy lies, and where it runs.
        **env: further variables of its environment.

    Attributes:
        port: where it listens, on 127.0.0.1.
        program: the process that runs.
    """

    def __init__(self, name: str, directory: Path, **env: str) -> None:
        (self.port,) = free_ports(1)
        text = (EXAMPLES / name).read_text(encoding="utf-8")
        text, count = re.subn(ADDRESS, f"127.0.0.1:{self.port}", text)
        assert count  # it listens there, and its first lines may say how to reach it
        self._script = directory / name
        self._script.write_text(text, "utf-8")
        self._directory = directory
        self.program = Program(name, [sys.executable, self._script], env=env, cwd=directory)

    @property
    def address(self) -> str:
        """The URL of its websockets."""
        return f"ws://127.0.0.1:{self.port}"

    def wait(self) -> None:
        """Returns as soon as all its processes serve."""
        self.program.wait_for_line("ready:")

    def reload(self) -> None:
        """Has new processes serve in place of the old ones."""
        command = [sys.executable, self._script, "reload"]
        where = self._directory
        subprocess.run(command, cwd=where, check=True, capture_output=True, timeout=DEADLINE)

    def stop(self) -> None:
        """Ends it; it must end well, and no callback may have raised."""
        assert self.program.stop() == 0, self.program.output
        assert "Traceback" not in self.program.output, self.program.output
