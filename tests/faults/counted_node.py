"""One machine of a service whose messages are counted."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from faults import builds
from faults.cable import Cable
from faults.namespaces import Namespace
from kit.program import Program, free_ports
from lineman.gateway.wire import versions

APP = Path(__file__).parent / "app.py"
COUNTED = (
    "gateway_missed_messages",
    "gateway_unreached_messages",
    "gateway_unconfirmed_messages",
    "gateway_unconfirmed_orders",
    "gateway_dropped_events",
    "gateway_broker_replayed_messages",
    "gateway_broker_late_messages",
)


class CountedNode:
    """One machine: its processes, its wire to the broker, and all that it has printed.

    Attributes:
        wire: can be cut; None if there is no broker, or it cannot be.
    """

    def __init__(
        self, number: int, kind: str, directory: Path, wire: Cable | Namespace | None
    ) -> None:
        self.number = number
        self.port = free_ports(1)[0]
        self.wire = wire
        self.host = wire.host if isinstance(wire, Namespace) else "127.0.0.1"
        self._build = directory / f"build{number}"
        self._newest = 0
        self.use(None)
        self.directory = directory / f"n{number}"
        self.directory.mkdir(mode=0o700)
        self.earlier = ""
        self._kind = kind
        self._shift = 0.0
        self.broker_url = ""
        self.program: Program | None = None
        self.words = [sys.executable, str(APP), str(self.port)]

    def use(self, source: Path | None) -> None:
        """The build that the next start or reload takes; None for this one."""
        self._build.write_text(str(source or ""))
        self._newest = versions.own.newest - 1 if source == builds.HERE else 0

    def environment(self) -> dict[str, str]:
        found = {"XDG_RUNTIME_DIR": str(self.directory), "RUNTIME_DIRECTORY": str(self.directory)}
        found |= {"LISTEN": self.host, "BUILD": str(self._build), "NEWEST": str(self._newest)}
        if self._kind != "embedded":
            found["BROKER"] = self.broker_url
        return {**found, "CLOCK_SHIFT": str(self._shift)}

    def start(self, shift: float = 0.0) -> None:
        self._shift = shift
        before = self.wire.words if isinstance(self.wire, Namespace) else []
        words = [*before, *self.words, "start"]
        self.program = Program("node", words, env=self.environment())

    async def ready(self) -> None:
        assert self.program is not None
        await asyncio.to_thread(self.program.wait_for_line, "ready:")

    def stop(self) -> None:
        if self.program is not None:
            self.program.stop()
            self.earlier += self.program.output + "\n"
            self.program = None

    @property
    def output(self) -> str:
        return self.earlier + ("" if self.program is None else self.program.output)

    async def command(self, *words: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *self.words,
            *words,
            env={**os.environ, **self.environment()},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return output.decode()

    async def children(self) -> list[dict[str, Any]]:
        text = await self.command("status", "--json")
        return list(json.loads(text[text.index("{") :])["children"])

    async def pids(self, worker: str) -> list[int]:
        return [each["pid"] for each in await self.children() if each["worker"] == worker]

    async def figures(self) -> dict[int, Counter[str]]:
        """What each process has counted, by its pid."""
        found = {}
        for child in await self.children():
            facts = (child.get("report") or {}).get("facts") or {}
            found[child["pid"]] = Counter({name: int(facts.get(name, 0)) for name in COUNTED})
        return found

    def kill(self) -> None:
        """All processes of the machine die at once."""
        assert self.program is not None
        master = self.program.process.pid
        pids = [master]
        for pid in pids:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                pids += map(int, children.read_text().split())
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.stop()
