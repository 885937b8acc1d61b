"""Finds masters and their pid files in /proc, while processes start and end."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

from lineman.process.rundir.procfs import pid_file_of


def test_the_pid_file_of_a_busy_master_is_found(tmp_path: Path) -> None:
    is_over = threading.Event()

    def open_and_close() -> None:
        while not is_over.is_set():
            for descriptor in [os.dup(0) for _ in range(20)]:
                os.close(descriptor)

    pid_file = tmp_path / "chat.pid"
    pid_file.write_text(f"{os.getpid()}\n")
    busy = threading.Thread(target=open_and_close)
    with socket.socket(socket.AF_UNIX) as control:
        control.bind(str(tmp_path / "chat.sock"))
        control.listen()
        busy.start()
        try:
            assert [pid_file_of(os.getpid()) for _ in range(200)] == [str(pid_file)] * 200
        finally:
            is_over.set()
            busy.join()
