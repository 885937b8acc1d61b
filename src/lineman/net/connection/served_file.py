"""A file as the answer to a request: found, opened, and as much of it as the client asked for."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from lineman.errors import LinemanError, UsageError
from lineman.protocols.http.file_ranges import FileFacts, type_of, what_to_send
from lineman.protocols.http.http_messages import Request
from lineman.protocols.http.responses import Response

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


@dataclass(frozen=True, slots=True)
class ServedFile:
    """What is sent of a file.

    Attributes:
        response: status and headers.
        fd: the open file; -1 where `body` is sent in its place.
        start: the first byte that is sent.
        count: bytes that are sent.
        body: the whole body, where it is not the file.
    """

    response: Response
    fd: int
    start: int
    count: int
    body: bytes = b""

    def read(self, offset: int, count: int) -> bytes:
        """Some bytes of the file.

        Raises:
            LinemanError: it ends here.
        """
        data = os.pread(self.fd, count, offset)
        if not data:
            raise self.cut(offset)
        return data

    def cut(self, offset: int) -> LinemanError:
        """What is wrong with a file that ends before what was announced of it."""
        return LinemanError(
            f"the file has become shorter while it was sent: it ends at byte {offset} of "
            f"{self.start + self.count}; write new files beside old ones, and rename them"
        )


@contextlib.contextmanager
def open_for(response: Response, request: Request) -> Iterator[ServedFile]:
    """The file of a response, open; or the answer that says that there is none.

    Raises:
        OSError: it cannot be opened, though it is there.
    """
    path = _find(response)
    fd = -1 if path is None else _open(path)
    try:
        facts = None if fd < 0 else os.fstat(fd)
        if path is None or facts is None or not stat.S_ISREG(facts.st_mode):
            body = b"Not Found\n"
            missing = Response(body, status=404)
            yield ServedFile(missing, -1, 0, len(body), body)
            return
        wanted = what_to_send(request, FileFacts(facts.st_size, facts.st_mtime_ns))
        headers = [*response.headers, *wanted.headers]
        if not response.has_type and wanted.has_content:
            headers.insert(0, ("Content-Type", type_of(path)))
        answer = Response(b"", status=wanted.status, headers=headers)
        yield ServedFile(answer, fd if wanted.count else -1, wanted.start, wanted.count)
    finally:
        if fd >= 0:
            os.close(fd)


def _find(response: Response) -> str | None:
    """The path of the file; None where it cannot be one inside of its `root`."""
    assert response.file is not None
    path = os.fspath(response.file)
    if "\0" in path:
        return None
    if response.root is None:
        if ".." in path.split("/"):
            raise UsageError(
                f"the file of a response is {path!r}: with .. in it a client might choose any file "
                "of the machine; give root=… for paths that clients choose, else the path without "
                "it, as Path.resolve() has it"
            )
        return path
    root = os.path.realpath(os.fspath(response.root))
    found = os.path.realpath(os.path.join(root, path.lstrip("/")))
    return found if found.startswith(root.rstrip("/") + "/") else None


def _open(path: str) -> int:
    try:
        return os.open(path, _FLAGS)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return -1
    except OSError as error:
        if error.strerror == os.strerror(36):  # a name that is too long
            return -1
        raise
