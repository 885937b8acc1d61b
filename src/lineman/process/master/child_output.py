"""Passes on the output of a program's processes; the master never waits for a reader.

So a `print()` of the program is never blocked by a full pipe or a full disk, and only the master
has the descriptors of the launcher. The last output of a child, for example of a crash, is read
after its end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from lineman.base import stdio
from lineman.process.log import log_setup
from lineman.process.log.outlet import Writer
from lineman.process.master.reactor import Reactor

CHUNK = 64 * 1024
# Reads in a row: enough for a full pipe, and a limit for a process that keeps writing.
READS = 32
# Bytes of a line; a longer line is passed on in parts.
MAX_LINE = 64 * 1024


class Outputs:
    """Standard output and error of all children.

    Args:
        reactor: the master's event loop.
    """

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._pumps: set[_Pump] = set()
        self._is_one = _leads_to(stdio.STDOUT) == _leads_to(stdio.STDERR)

    @contextmanager
    def opened(self) -> Iterator[tuple[int, int]]:
        """Descriptors for a new child's standard output and error, until it has them.

        If both lead to the same place here, they are one pipe, so that the order of lines is kept.
        """
        with ExitStack() as stack:
            error = self._pipe(stdio.STDERR)
            stack.callback(os.close, error)
            output = error
            if not self._is_one:
                output = self._pipe(stdio.STDOUT)
                stack.callback(os.close, output)
            yield output, error

    def _pipe(self, number: int) -> int:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        is_terminal = os.isatty(number)
        self._pumps.add(
            _Pump(self._reactor, reader, log_setup.outlet(number), is_terminal, self._pumps)
        )
        return writer

    def drain(self) -> None:
        """Passes on all that has been written so far."""
        for pump in list(self._pumps):
            for _ in range(READS):
                if not pump.read():
                    break

    def end(self) -> None:
        """Passes on the rest, and closes the pipes."""
        self.drain()
        for pump in list(self._pumps):
            pump.close()
        log_setup.flush()


class _Pump:
    """Passes on the output of one pipe, in whole lines."""

    def __init__(
        self,
        reactor: Reactor,
        descriptor: int,
        outlet: Writer,
        is_terminal: bool,
        pumps: set[_Pump],
    ) -> None:
        self._reactor = reactor
        self._descriptor = descriptor
        self._outlet = outlet
        self._is_terminal = is_terminal  # a prompt must be shown although its line does not end
        self._pumps = pumps
        self._rest = b""
        reactor.watch(descriptor, self._on_ready)

    def _on_ready(self, events: int) -> None:
        self.read()

    def read(self) -> bool:
        """Reads from the pipe; returns whether there may be more."""
        try:
            data = os.read(self._descriptor, CHUNK)
        except OSError:
            return False
        if not data:
            self.close()
            return False
        end = len(data) if self._is_terminal else data.rfind(b"\n") + 1
        if end:
            self._pass_on(self._rest + data[:end])
            self._rest = data[end:]
        else:
            self._rest += data
            if len(self._rest) > MAX_LINE:
                self._pass_on(self._rest + b"\n")
                self._rest = b""
        return True

    def _pass_on(self, data: bytes) -> None:
        log_setup.look()
        self._outlet.write(data)

    def close(self) -> None:
        """Closes the pipe; an incomplete line is passed on as a line."""
        if self in self._pumps:
            self._pumps.discard(self)
            if self._rest:
                self._pass_on(self._rest + b"\n")
            self._reactor.forget(self._descriptor)
            os.close(self._descriptor)


def _leads_to(descriptor: int) -> tuple[int, int] | None:
    with suppress(OSError):
        found = os.fstat(descriptor)
        return found.st_dev, found.st_ino
    return None
