"""`make bench ARGS="--only floods"`: the delay of one client's messages while others flood.

Each kind of flood comes from 1, 8 and 100 connections, for some seconds, against one process of
Lineman with its default options and a callback that takes 2 µs. Beside it one client sends a small
message again and again, and measures how long the echo takes.
"""

from __future__ import annotations

import argparse
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from flooding.kinds import KINDS, UPDATES, Kind
from sidebyside import machine
from sidebyside.processes import HOST, Server, serving

from lineman import development_certificate
from lineman.testing.client import RawClient

HERE = Path(__file__).parent
COUNTS = (1, 8, 100)
PAUSE = 0.0005
WANTED_TURN, WANTED_ECHO = 0.020, 0.050


@dataclass(frozen=True, slots=True)
class Felt:
    """The delays of one client, in seconds.

    Attributes:
        median, late: of its echoes, `late` is their 99.9th percentile.
        turn: the longest turn of the server's event loop.
        count: how many echoes there were.
    """

    median: float
    late: float
    turn: float
    count: int

    def cell(self) -> str:
        """As a cell of the table, in milliseconds."""
        return f"{1e3 * self.median:.2f} / {1e3 * self.late:.1f} / {1e3 * self.turn:.1f}"

    @property
    def is_as_wanted(self) -> bool:
        """Whether both bounds are held."""
        return self.late <= WANTED_ECHO and self.turn <= WANTED_TURN


class Floods:
    """One run.

    Args:
        seconds: of each flood.
        directory: for the certificate.
    """

    def __init__(self, seconds: float, directory: Path) -> None:
        self._seconds = seconds
        self._pair = development_certificate(directory, ["localhost"])
        self._core, self._load_core = machine.cores()
        os.sched_setaffinity(0, {self._load_core})

    def measure(self, kind: Kind | None, count: int, is_tls: bool) -> Felt:
        """Floods a new server; with None for the kind, no client floods it."""
        words = [sys.executable, str(HERE / "servers" / "flooded_server.py"), "{port}"]
        if is_tls:
            words += [str(self._pair.cert), str(self._pair.key)]
        with serving("lineman", words, self._core) as server:
            tls = ssl.create_default_context(cafile=self._pair.ca) if is_tls else None
            with RawClient(server.port, tls=tls).open() as client:
                client.send("echo")
                client.receive()
                self._turns(server, tls)
                flooder = None if kind is None else self._flood(kind, count, server, is_tls)
                try:
                    times = self._echo(client)
                finally:
                    if flooder is not None:
                        flooder.terminate()
                        flooder.wait()
                turn = self._turns(server, tls)
        if flooder is not None and flooder.returncode != -signal.SIGTERM:
            raise SystemExit(f"bench: the flooder of {kind} has ended: {flooder.returncode}")
        times.sort()
        late = times[min(len(times) - 1, int(0.999 * len(times)))]
        return Felt(times[len(times) // 2], late, turn, len(times))

    def _flood(
        self, kind: Kind, count: int, server: Server, is_tls: bool
    ) -> subprocess.Popen[bytes]:
        script = str(HERE / "flooding" / "flooder.py")
        words = [sys.executable, script, kind.title, str(count), str(server.port), "3600"]
        started = subprocess.Popen([*words, str(self._pair.ca)] if is_tls else words)
        time.sleep(0.7 + 0.02 * count)  # it reads Python's library, and connects
        return started

    def _echo(self, client: RawClient) -> list[float]:
        times = []
        end = time.perf_counter() + self._seconds
        while (begun := time.perf_counter()) < end:
            client.send("echo")
            client.receive()
            times.append(time.perf_counter() - begun)
            time.sleep(PAUSE)
        return times

    @staticmethod
    def _turns(server: Server, tls: ssl.SSLContext | None) -> float:
        with RawClient(server.port, tls=tls) as client:
            client.send_bytes(
                f"GET /turns HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
            )
            return float(client.receive_reply().text)


def plan(is_short: bool) -> list[tuple[str, Kind | None, bool]]:
    """The measurements: the name of the row, the kind of flood, and whether TLS is used."""
    rows: list[tuple[str, Kind | None, bool]] = [("nobody floods", None, False)]
    rows += [(kind.title, kind, False) for kind in (KINDS[:2] if is_short else KINDS)]
    rows += [("nobody floods, `wss`", None, True), (f"{UPDATES.title}, `wss`", UPDATES, True)]
    if not is_short:
        chosen = ("compressed", "empty messages", "handshakes")
        rows += [
            (f"{kind.title}, `wss`", kind, True) for kind in KINDS if kind.title.startswith(chosen)
        ]
    return rows


def main(arguments: list[str]) -> int:
    """Prints the table; 1 where a bound is not held."""
    parser = argparse.ArgumentParser(prog='make bench ARGS="--only floods"')
    parser.add_argument("--seconds", type=float, help="of each flood (default: 4)")
    parser.add_argument("--short", action="store_true", help="whether it works, in some seconds")
    options = parser.parse_args(arguments)
    seconds = options.seconds or (0.5 if options.short else 4.0)
    counts = (1, 8) if options.short else COUNTS
    print("Echo of another client, p50 / p99.9, and longest turn of the event loop, in ms\n")
    print("| flood | " + " | ".join(f"from {count}" for count in counts) + " |")
    print("|---|" + "---:|" * len(counts), flush=True)
    facts = ", ".join([*machine.describe(), *machine.versions(sys.executable, [])])
    missed = []
    with tempfile.TemporaryDirectory() as directory:
        floods = Floods(seconds, Path(directory))
        for name, kind, is_tls in plan(options.short):
            cells = []
            for count in counts if kind is not None else counts[:1]:
                felt = floods.measure(kind, count, is_tls)
                cells.append(felt.cell())
                if not felt.is_as_wanted:
                    missed.append(f"{name} from {count}: {felt.cell()}")
            cells += [""] * (len(counts) - len(cells))
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    print(f"\n{seconds:g} s each; {facts}")
    for line in missed:
        print(f"more than {1e3 * WANTED_ECHO:g} ms or {1e3 * WANTED_TURN:g} ms: {line}")
    return 1 if missed and not options.short else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
