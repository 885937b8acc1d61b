"""The master: small and blocking. It owns the listening sockets, starts children, and waits.

A child is a fresh interpreter that runs the same command with its role in the environment. The
sockets stay open in the master, so that no connection waiting to be accepted is lost while a
child is replaced.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from lineman.process.role import VARIABLE, Role

logger = logging.getLogger("lineman")

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
# A child that ends sooner after its start than this has failed quickly.
QUICK = 5.0
MAX_QUICK_FAILURES = 5
STOP_TIMEOUT = 10.0


@dataclass(slots=True)
class Child:
    """One slot: its socket and the process that serves it now.

    Attributes:
        worker: index of the worker.
        slot: index among the worker's processes.
        listener: the slot's own listening socket; it outlives every process.
        title: how the log calls it.
    """

    worker: int
    slot: int
    listener: socket.socket
    title: str
    process: subprocess.Popen[bytes] | None = None
    ready: int = -1
    started_at: float = 0.0
    restart_at: float = 0.0
    failures: int = 0
    is_ready: bool = field(default=False)


class Master:
    """Keeps one process in each slot until it is told to stop.

    Args:
        children: the slots; the master closes their sockets in the end.
        tickets: descriptor that every child inherits: the secret of TLS session tickets.
    """

    def __init__(self, children: Sequence[Child], tickets: int) -> None:
        self._tickets = tickets
        self._children = list(children)
        self._lifeline, self._lifeline_end = os.pipe()
        self._stops_at = 0.0
        self._status = 0
        self._said_ready = False

    def run(self) -> int:
        """Runs until told to stop; the exit status of the program."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        for child in self._children:
            self._start(child)
        while True:
            self._take_signal(signal.sigtimedwait(SIGNALS, self._patience()))
            self._read_readiness()
            self._reap()
            if self._stops_at:
                if not any(child.process for child in self._children):
                    return self._end()
                if time.monotonic() >= self._stops_at:
                    self._send(signal.SIGKILL)
            else:
                self._restart_due()

    def _patience(self) -> float:
        now = time.monotonic()
        moments = [child.restart_at - now for child in self._children if child.restart_at]
        if self._stops_at:
            moments.append(self._stops_at - now)
        if not all(child.is_ready for child in self._children):
            moments.append(0.02)
        return max(0.0, min(moments, default=60.0))

    def _start(self, child: Child) -> None:
        reader, writer = os.pipe()
        listener = child.listener.fileno()
        role = Role(child.worker, child.slot, listener, writer, self._lifeline, self._tickets)
        child.process = subprocess.Popen(
            [sys.executable, *sys.orig_argv[1:]],
            env={**os.environ, VARIABLE: role.encode()},
            pass_fds=(listener, writer, self._lifeline, self._tickets),
        )
        os.close(writer)
        child.ready = reader
        child.is_ready = False
        child.started_at = time.monotonic()
        child.restart_at = 0.0

    def _read_readiness(self) -> None:
        waiting = {child.ready: child for child in self._children if child.ready >= 0}
        for descriptor in select.select(list(waiting), [], [], 0)[0]:
            child = waiting[descriptor]
            child.is_ready = os.read(descriptor, 1) == b"1"
            os.close(descriptor)
            child.ready = -1
        if not self._said_ready and all(child.is_ready for child in self._children):
            self._said_ready = True
            logger.info("ready: %d processes", len(self._children))

    def _reap(self) -> None:
        for child in self._children:
            if child.process is None or child.process.poll() is None:
                continue
            status = child.process.returncode
            pid = child.process.pid
            child.process = None
            child.is_ready = False
            if not self._stops_at:
                self._plan_restart(child, pid, status)

    def _plan_restart(self, child: Child, pid: int, status: int) -> None:
        now = time.monotonic()
        is_quick = now - child.started_at < QUICK
        child.failures = child.failures + 1 if is_quick else 0
        cause = f"signal {-status}" if status < 0 else f"exit status {status}"
        if child.failures >= MAX_QUICK_FAILURES or (status and not self._said_ready):
            logger.error("%s (process %d) does not start: %s; stopping", child.title, pid, cause)
            self._status = 1
            self._stop()
            return
        child.restart_at = now + (0.1 * 2**child.failures if is_quick else 0.0)
        logger.error("%s (process %d) ended: %s; it is restarted", child.title, pid, cause)

    def _restart_due(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if child.process is None and child.restart_at and now >= child.restart_at:
                self._start(child)

    def _take_signal(self, info: signal.struct_siginfo | None) -> None:
        if info is None or info.si_signo == signal.SIGCHLD:
            return
        if self._stops_at:  # told twice
            self._send(signal.SIGKILL)
        else:
            logger.info("stopping")
            self._stop()

    def _stop(self) -> None:
        self._stops_at = time.monotonic() + STOP_TIMEOUT
        self._send(signal.SIGTERM)

    def _send(self, number: signal.Signals) -> None:
        for child in self._children:
            if child.process is not None:
                child.process.send_signal(number)

    def _end(self) -> int:
        for child in self._children:
            child.listener.close()
        os.close(self._lifeline)
        os.close(self._lifeline_end)
        logger.info("stopped")
        return self._status
