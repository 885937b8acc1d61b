"""Forms that clients send: their fields, and files that go to disk past a size.

`multipart` splits the body. A form is refused as soon as it is clear that it is none, and so is one
with more parts, or with more text in its fields, than a form has.

Source: RFC 7578 (multipart/form-data); https://url.spec.whatwg.org/#application/x-www-form-urlencoded
"""

from __future__ import annotations

import os
import re
from typing import IO, Any, cast
from urllib.parse import parse_qsl

from lineman.errors import HttpError, UsageError

MULTIPART = "multipart/form-data"
URLENCODED = "application/x-www-form-urlencoded"

MAX_PARTS = 1000
"""More fields and files than this are a 413."""
MAX_TEXT = 2 * 1024 * 1024
"""Bytes that all fields of a form may have together; past it 413."""
TO_DISK = 64 * 1024
"""Bytes of a file that stay in memory; larger ones go to a file in the temporary directory."""

_PIECE = 64 * 1024


class UploadedFile:
    """A file of a form. It is gone when nobody holds it any more, unless it is saved.

    Attributes:
        name: of the field.
        filename: the last part of the name that the client gives it; empty where there is none.
            Two clients may give the same.
        content_type: what the client says that it is, which may be wrong.
        size: bytes.
    """

    __slots__ = ("_file", "content_type", "filename", "name", "size")

    def __init__(self, name: str, filename: str, content_type: str) -> None:
        self.name = name
        self.filename = _base_name(filename)
        self.content_type = content_type
        self.size = 0
        import tempfile  # most programs do not need it

        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=TO_DISK)  # noqa: SIM115

    def read(self, size: int = -1) -> bytes:
        """The next bytes; empty at the end."""
        return self._file.read(size)

    def seek(self, offset: int) -> None:
        """Goes on reading at this byte."""
        self._file.seek(offset)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the whole file to a path that the program chooses; a large one takes a while.

        In a coroutine write `await asyncio.to_thread(file.save, path)`.

        Raises:
            UsageError: the path is a directory.
            OSError: it cannot be written.
        """
        if os.path.isdir(path):
            raise UsageError(
                f"{os.fspath(path)!r} is a directory; give a name that the program makes, not the "
                "client's"
            )
        import shutil  # most programs do not need it

        self._file.seek(0)
        with open(path, "wb") as target:
            shutil.copyfileobj(self._file, target, 1024 * 1024)

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self.size += len(data)

    def __del__(self) -> None:
        self._file.close()

    def __repr__(self) -> str:
        return f"<UploadedFile {self.filename!r} {self.size} bytes>"


class Form:
    """The fields and files of one form, in the order sent.

    Attributes:
        fields: every name with its values.
        files: every name with its files.
    """

    __slots__ = ("fields", "files")

    def __init__(self) -> None:
        self.fields: dict[str, list[str]] = {}
        self.files: dict[str, list[UploadedFile]] = {}


class FormBody:
    """The body of a form as it comes; its files are written down at once.

    Args:
        content_type: the header.

    Raises:
        HttpError: the header names no boundary.
    """

    __slots__ = ("_count", "_form", "_parser", "_part", "_text", "_text_size")

    def __init__(self, content_type: str) -> None:
        # Most programs do not need it.
        from multipart import PushMultipartParser, parse_options_header

        _, options = parse_options_header(content_type)
        try:
            # `strict` would refuse a line end behind the last boundary that comes by itself.
            self._parser: Any = PushMultipartParser(
                options.get("boundary", ""), max_segment_count=MAX_PARTS
            )
        except ValueError as error:
            raise HttpError(400, f"the form names no boundary that it can have: {error}") from None
        self._form = Form()
        self._part: Any = None  # an `UploadedFile`, or the name of a field
        self._text: list[bytes] = []
        self._text_size = 0
        self._count = 0

    def __len__(self) -> int:
        """Bytes that have come."""
        return self._count

    def __sizeof__(self) -> int:
        """Bytes of memory, about: those of fields."""
        return 1024 + self._text_size

    def extend(self, data: bytes) -> None:
        """Takes some bytes.

        Raises:
            HttpError: this is no form, it is too large, or there is no room for its files.
        """
        self._count += len(data)
        try:
            for event in self._parser.parse(bytes(data)):
                self._take(event)
        except OSError as error:
            raise HttpError(
                507, f"there is no room for the files of the form: {error.strerror}"
            ) from error
        except ValueError as error:  # every error of `multipart` is one
            raise _refusal(error) from None

    def _take(self, event: Any) -> None:
        if isinstance(event, (bytes, bytearray)):
            if isinstance(self._part, UploadedFile):
                self._part._write(bytes(event))
                return
            self._text_size += len(event)
            if self._text_size > MAX_TEXT:
                raise HttpError(413, f"the fields of the form have more than {MAX_TEXT} bytes")
            self._text.append(bytes(event))
        elif event is None:
            self._end_part()
        elif not event.name:
            raise HttpError(400, "the form cannot be read: a part of it has no name")
        elif event.filename is None:
            self._part = event.name
        else:
            kind = event.content_type or "application/octet-stream"
            self._part = UploadedFile(event.name, event.filename, kind)

    def _end_part(self) -> None:
        part, self._part = self._part, None
        if isinstance(part, UploadedFile):
            part.seek(0)
            self._form.files.setdefault(part.name, []).append(part)
            return
        text = b"".join(self._text).decode("utf-8", "replace")
        self._text = []
        self._form.fields.setdefault(part, []).append(text)

    def finish(self) -> Form:
        """The form, now that its body is whole.

        Raises:
            HttpError: its last part is missing.
        """
        try:
            self._parser.close()
        except ValueError as error:
            raise _refusal(error) from None
        return self._form


def read_form(content_type: str | None, body: bytes) -> Form:
    """The form in a whole body; an empty one where the body is none.

    Raises:
        HttpError: it is broken, or too large for a form.
    """
    kind = (content_type or "").partition(";")[0].strip(" \t").lower()
    if kind == MULTIPART:
        reader = FormBody(cast(str, content_type))
        for start in range(0, len(body), _PIECE):
            reader.extend(body[start : start + _PIECE])
        return reader.finish()
    form = Form()
    if kind != URLENCODED:
        return form
    if len(body) > MAX_TEXT:
        raise HttpError(413, f"the form has more than {MAX_TEXT} bytes; send {MULTIPART}")
    try:
        pairs = parse_qsl(
            body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_PARTS
        )
    except ValueError:
        raise HttpError(413, f"the form has more than {MAX_PARTS} fields") from None
    for name, value in pairs:
        form.fields.setdefault(name, []).append(value)
    return form


def is_multipart(content_type: str | None) -> bool:
    """Whether a form with files follows."""
    return content_type is not None and content_type[:19].lower() == MULTIPART


def _refusal(error: ValueError) -> HttpError:
    if isinstance(error, HttpError):
        return error
    status = 413 if type(error).__name__ == "ParserLimitReached" else 400
    return HttpError(status, f"the form cannot be read: {error}")


def _base_name(filename: str) -> str:
    """The last part of a path, on whatever system the client runs; empty for `..` and `.`."""
    name = re.split(r"[/\\]", filename)[-1].replace("\0", "")
    return "" if name in (".", "..") else name
