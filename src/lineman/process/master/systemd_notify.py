"""Messages to systemd by sd_notify(3), and the sockets that systemd passes."""

from __future__ import annotations

import contextlib
import os
import socket
import time

FIRST_DESCRIPTOR = 3  # SD_LISTEN_FDS_START of sd_listen_fds(3)


class Notifier:
    """Reports the state of the service to systemd, if there is systemd.

    Attributes:
        watchdog: seconds between signs of life; None if systemd wants none.
    """

    def __init__(self) -> None:
        self._address = os.environ.pop("NOTIFY_SOCKET", "")
        interval = os.environ.pop("WATCHDOG_USEC", "")
        owner = os.environ.pop("WATCHDOG_PID", "")
        wanted = interval.isdigit() and owner in ("", str(os.getpid()))
        self.watchdog = int(interval) / 2_000_000 if wanted and self._address else None

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        where = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.setblocking(False)
            with contextlib.suppress(OSError):  # systemd's own timeout handles this
                end.sendto("\n".join(lines).encode(), where)

    def ready(self, text: str) -> None:
        """Reports that the service is ready, or that a reload is over."""
        self._send("READY=1", f"STATUS={text}", f"MAINPID={os.getpid()}")

    def reloading(self) -> None:
        """Reports that a reload begins; `ready` ends it."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}", "STATUS=reloading")

    def stopping(self) -> None:
        """Reports that the service is stopping."""
        self._send("STOPPING=1", "STATUS=stopping")

    def alive(self) -> None:
        """Sends a sign of life."""
        self._send("WATCHDOG=1")


def take_sockets() -> list[socket.socket]:
    """The listening sockets that systemd has passed; a second call finds none."""
    count = os.environ.pop("LISTEN_FDS", "")
    owner = os.environ.pop("LISTEN_PID", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if not count.isdigit() or owner != str(os.getpid()):
        return []
    sockets = []
    for descriptor in range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + int(count)):
        os.set_inheritable(descriptor, False)
        taken = socket.socket(fileno=descriptor)
        taken.setblocking(False)
        sockets.append(taken)
    return sockets
