"""Sends one request of a command to a running master, and reads the reply."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import Any

from lineman.base.unixpath import short_path
from lineman.base.unixpeer import peer_uid, stranger
from lineman.errors import ConfigError, LinemanError, NotReachedError, RefusedError
from lineman.process.messages.lines import WireError, encode, harmless, join_reply
from lineman.process.rundir import claim
from lineman.process.rundir.rundir import control_path, holder

CHUNK = 256 * 1024


class NotRunning(LinemanError):
    """No program holds this pid file.

    Attributes:
        beside: a text about other running instances of the program.
    """

    def __init__(self, text: str, beside: str = "") -> None:
        super().__init__(text + beside)
        self.beside = beside


class NotAllowed(ConfigError):
    """A program may hold this pid file, but this user may not connect to it."""


def ask(
    pid_file: Path, request: dict[str, Any], timeout: float | None, *, is_roots: bool = False
) -> dict[str, Any]:
    """The master's reply.

    Args:
        pid_file: the program's pid file.
        request: the request with its `command`.
        timeout: seconds; None for no limit.
        is_roots: whether only root's answer counts.

    Raises:
        NotRunning: there is no such program.
        NotAllowed: it does not answer this user.
        NotReachedError: it does not answer, in time or at all.
        RefusedError: it refuses, and says why.
        ConfigError: another process listens there, or the answer cannot be read.
    """
    path = control_path(pid_file)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
        end.settimeout(timeout)
        try:
            uid = _connect(end, pid_file, is_roots)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                end.sendall(encode(request))  # a refusal comes at once
            reply = _read(end)
        except PermissionError:
            raise NotAllowed(
                f"it runs, but {path} belongs to another user ({_owner(path)})",
                "run the command as that user, or as root",
            ) from None
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            pid = holder(pid_file)
            if not pid:
                raise NotRunning(f"no running program holds {pid_file}") from None
            raise NotReachedError(
                f"process {pid} holds {pid_file}, but does not listen to commands",
                f"try again in a moment; if it stays so: kill {pid}",
            ) from None
        except TimeoutError:
            raise NotReachedError(
                f"its master (process {holder(pid_file)}) does not answer within {timeout:g} s",
                f"look at it: ps -fp {holder(pid_file)}; is it stopped (kill -CONT), or stuck?",
            ) from None
        except (ConnectionResetError, BrokenPipeError):
            reply = b""
    if not reply:
        raise NotReachedError(
            f"the master (user {uid}) closed the connection without an answer",
            "run the command as its user, or as root; or it has just ended: look at its log",
        )
    try:
        told = harmless(reply, join_reply(reply))
    except WireError as error:
        raise ConfigError(
            f"the answer of the master (user {uid}) cannot be read: {error}",
            "check that the command and the service have the same version of Lineman",
        ) from None
    if "error" in told:
        raise RefusedError(f"its master refuses the command: {told['error']}", "try it again")
    return told


def _connect(end: socket.socket, pid_file: Path, is_roots: bool) -> int:
    """Connects to the master, by its second address if its socket was removed; returns its user."""
    path = control_path(pid_file)
    try:
        with short_path(path) as short:
            end.connect(short)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        if not claim.connect(end, pid_file):
            raise
    else:
        found = stranger(end, path)
        if found or (is_roots and peer_uid(end) != 0):
            raise _not_believed(found or f"user {peer_uid(end)}", path)
    return peer_uid(end)


def _not_believed(user: str, path: Path) -> ConfigError:
    return ConfigError(
        f"{user} listens at {path}, and its answers are not believed",
        f"check who owns it: ls -ld {path.parent} {path}; start the program where only its user "
        "may write (--pid-file, or XDG_RUNTIME_DIR), and run its commands as that user or as root",
    )


def _read(end: socket.socket) -> bytes:
    parts: list[bytes] = []
    # A caller whose request was not read gets an answer, and then a reset.
    with contextlib.suppress(ConnectionResetError):
        while data := end.recv(CHUNK):
            parts.append(data)
    return b"".join(parts)


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except (OSError, KeyError):
        return "unknown"
