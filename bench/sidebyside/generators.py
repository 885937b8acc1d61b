"""The load generators: the engine of `lineman bench`, or `wsload` if `WSLOAD` names it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sidebyside.processes import HOST, Server, stop
from sidebyside.rows import Kind, Row
from sidebyside.samples import Sample

SLACK = 60.0  # seconds that a run may take beyond its planned duration


class LoadFailedError(Exception):
    """A run failed: a connection was refused, or a message was lost or wrong."""


@dataclass(frozen=True)
class Generator(ABC):
    """A load generator on a core of its own.

    Attributes:
        core: where it runs.
        warmup: seconds before each measurement.
    """

    core: int
    warmup: float

    @abstractmethod
    def command(self, row: Row, server: Server, seconds: float) -> list[str]:
        """The command line for a row."""

    @abstractmethod
    def read(self, values: dict[str, Any]) -> Sample:
        """The sample in its JSON output.

        Raises:
            LoadFailedError: something failed.
        """

    @property
    @abstractmethod
    def ready(self) -> str:
        """The start of the line that it prints once all idle connections are open."""

    def measure(self, row: Row, server: Server, seconds: float) -> Sample:
        """One run.

        Raises:
            LoadFailedError: something failed; the message says what.
        """
        with self._started(self.command(row, server, seconds)) as process:
            try:
                out, err = process.communicate(timeout=seconds + self.warmup + SLACK)
            except subprocess.TimeoutExpired:
                raise LoadFailedError("the load generator does not end") from None
        try:
            values = json.loads(out.splitlines()[-1])
        except (IndexError, ValueError):
            words = " ".join(err.decode(errors="replace").split())[-300:]
            raise LoadFailedError(words or f"exit status {process.returncode}") from None
        return self.read(values)

    @contextmanager
    def holding(self, row: Row, server: Server, seconds: float) -> Iterator[None]:
        """Idle connections, open while the block runs.

        Args:
            row: how many.
            server: the server that they connect to.
            seconds: the time after which they may close by themselves.

        Raises:
            LoadFailedError: they cannot be opened.
        """
        with self._started(self.command(row, server, seconds), is_merged=True) as process:
            assert process.stdout is not None
            said = []
            for line in process.stdout:
                said.append(line.decode(errors="replace").strip())
                if said[-1].startswith(self.ready):
                    break
            else:
                raise LoadFailedError(" ".join(said)[-300:] or "idle connections do not open")
            yield
            process.send_signal(signal.SIGINT)
            report = " ".join(process.stdout.read().decode(errors="replace").split())
            if process.wait(SLACK) not in (0, -signal.SIGINT):
                raise LoadFailedError(report[-300:])

    @contextmanager
    def _started(
        self, command: list[str], is_merged: bool = False
    ) -> Iterator[subprocess.Popen[bytes]]:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if is_merged else subprocess.PIPE,
            preexec_fn=lambda: os.sched_setaffinity(0, {self.core}),
        )
        try:
            yield process
        finally:
            stop(process)
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()


@dataclass(frozen=True)
class LinemanBench(Generator):
    """`lineman bench`, from the package that this program itself uses."""

    title = "`lineman bench`"
    ready = "idle"

    def command(self, row: Row, server: Server, seconds: float) -> list[str]:
        """See `Generator.command`."""
        url = f"{row.scheme}://{HOST}:{server.port}{row.path}"
        words = [sys.executable, "-m", "lineman", "bench", url, "--mode", row.kind.value]
        words += ["--connections", str(row.connections), "--duration", str(seconds)]
        if row.is_tls:
            words.append("--insecure")
        if row.is_memory:
            return words
        words += ["--size", str(row.size), "--depth", str(row.depth), "--json"]
        words += ["--warmup", str(self.warmup), "--pid", _list(server.pids)]
        words += ["--batch"] if row.is_batched else []
        return words + (["--spin"] if row.spins else [])

    def read(self, values: dict[str, Any]) -> Sample:
        """See `Generator.read`."""
        failures = dict(values["failures"])
        if values["unanswered"]:
            failures["unanswered"] = values["unanswered"]
        if failures:
            words = ", ".join(f"{count} × {kind}" for kind, count in failures.items())
            raise LoadFailedError(words)
        cost, latency = values["server_cpu_us_each"], values["latency_us"]
        if cost is None or latency is None:
            raise LoadFailedError("nothing was answered")
        return Sample(cost, values["per_second"], latency["p50"], latency["p99"])


@dataclass(frozen=True)
class Wsload(Generator):
    """`wsload`, a load generator in C.

    Attributes:
        program: its path.
    """

    program: str

    title = "`wsload`"
    ready = "READY"

    def command(self, row: Row, server: Server, seconds: float) -> list[str]:
        """See `Generator.command`."""
        mode = "handshake" if row.kind is Kind.CONNECT else row.kind.value
        url = f"{row.scheme}://{HOST}:{server.port}{row.path}"
        words = [self.program, "--url", url, "--mode", mode, "--conns", str(row.connections)]
        if row.is_memory:
            return [*words, "--hold", str(seconds)]
        words += ["--size", str(row.size), "--depth", str(row.depth), "--secs", str(seconds)]
        words += ["--warm", str(self.warmup), "--pids", _list(server.pids), "--json"]
        words += ["--batch"] if row.is_batched else []
        return words + (["--spin"] if row.spins else [])

    def read(self, values: dict[str, Any]) -> Sample:
        """See `Generator.read`."""
        if values["wrong"] or values["err"] or not values["rate"]:
            raise LoadFailedError(
                f"{values['err']} errors, {values['wrong']} wrong replies,"
                f" {values['rate']} a second"
            )
        return Sample(values["srv_us_msg"], values["rate"], values["p50"], values["p99"])


def for_row(generator: LinemanBench | Wsload, row: Row) -> LinemanBench | Wsload:
    """The generator, or our own where `wsload`, which knows websockets only, cannot do the row."""
    return LinemanBench(generator.core, generator.warmup) if row.is_stream else generator


def _list(pids: list[int]) -> str:
    return ",".join(map(str, pids))


def choose(core: int, warmup: float) -> LinemanBench | Wsload:
    """`wsload` if the environment variable WSLOAD names it, else our own."""
    program = os.environ.get("WSLOAD")
    return Wsload(core, warmup, program) if program else LinemanBench(core, warmup)


def wait(seconds: float) -> None:
    """Waits until memory and sockets no longer change."""
    time.sleep(seconds)
