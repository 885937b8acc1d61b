"""A session that speaks a protocol of the program's own: `input`, `decode` and `encode`.

The program's object is asked with `bytes` that begin where the next package does. It is shown few
bytes first, and more of them only if it asks for more by 0, so a read with many packages is not
copied for each of them. Where a package comes in many small parts, asking after each of them would
take quadratic time. So each byte that arrives pays for `SHARE` bytes of questions, the first
`FREE` bytes of them are free, and what is not paid for is asked at the next tick of the clock.
"""

from __future__ import annotations

from typing import Any

from lineman.base import buffers
from lineman.base.buffers import Memory
from lineman.errors import ProtocolError, UsageError
from lineman.protocols.codecs.byte_stream import StreamSession
from lineman.protocols.events import LATER, NO_MESSAGE
from lineman.protocols.websocket.close import INTERNAL_ERROR, PROTOCOL_ERROR

# Bytes that `input` is shown first, and how many times more after each answer of 0.
FIRST = 1024
MORE = 8
# Bytes that `input` may be shown again for each byte that has arrived, and for each package.
SHARE = 16
FREE = 1024 * 1024
_FIRST, _MORE, _SHARE, _FREE = FIRST, MORE, SHARE, FREE  # as C numbers


class CodecSession(StreamSession):
    """One end of a connection whose packages the program's object finds, decodes and encodes.

    Args:
        limits: sizes and times; `max_message_size` is for a package with its framing.
        codec: has `input`, `decode` and `encode`.
        is_shared: whether all connections have this object, so that a message is encoded once.
    """

    __slots__ = (
        "_codec",
        "_credit",
        "_is_cut",
        "_is_due",
        "_is_shared",
        "_need",
        "_seen",
        "_waits",
    )

    def __init__(self, limits: Any, codec: Any, is_shared: bool = False) -> None:
        StreamSession.__init__(self, limits)
        self._codec = codec
        self._is_shared = is_shared
        self._need = 0  # bytes of the package; 0 while `input` has not said it
        self._seen = 0  # bytes of the package for which it has answered 0
        self._credit = FREE  # bytes that `input` may be shown
        self._waits = False  # for the clock, since there is no credit
        self._is_due = False  # the clock has come: `input` is asked without credit
        self._is_cut = False  # packages were taken from the front of what has begun

    @property
    def codec(self) -> Any:
        """The program's object."""
        return self._codec

    # What comes.

    def next(self, data: memoryview) -> Any:
        """See `Session`."""
        size = len(data)
        self.has_more = False
        if self._is_over:
            return None
        self.has_more = True  # as code of the program sees it that is called from here
        event = self._take(buffers.start_of(data), size)
        if self._is_over:
            self._begun = None
            self.has_more = False
        elif event is None or event is LATER:
            self.has_more = False
            if self._is_cut and self._begun is not None:
                self._begun = bytearray(self._begun)  # it is another message: a new object
            self._is_cut = False
        else:
            self.has_more = self._begun is not None or self._position < size
        if not self.has_more:
            self._position = 0
        return event

    def _take(self, data: Memory, size: int) -> Any:
        start = self._position
        begun = self._begun
        if begun is None:
            return self._package(data, start, size - start) if start < size else None
        if start < size:
            buffers.append(begun, data, start, size - start)
            self._position = size
            self._credit += (size - start) * _SHARE
        if self._need == 0 and self._credit < len(begun) and not self._is_due:
            if self._waits:
                return None
            self._waits = True
            return LATER
        self._waits = self._is_due = False
        return self._package(buffers.room_of(begun), 0, len(begun))

    def _package(self, data: Memory, start: int, available: int) -> Any:
        """The message of the package that begins here; None where it is not whole, which is kept.

        Args:
            data: what was read, or what has begun.
            start: where the package begins in it.
            available: bytes that there are from there on.
        """
        if self._need == 0:
            error = self._ask(data, start, available)
            if error is not None:
                return error
        count = self._need
        begun = self._begun
        if count == 0 or count > available:
            if begun is None:
                begun = self._begun = bytearray()
                buffers.append(begun, data, start, available)
                self._position = start + available
            return None
        package = buffers.bytes_of(data, start, count)
        self._need = self._seen = 0
        self._credit = _FREE
        if begun is None:
            self._position = start + count
        elif count == available:
            self._begun = None
        else:
            del begun[:count]
            self._is_cut = True
        return self._decode(package)

    def _ask(self, data: Memory, start: int, available: int) -> ProtocolError | None:
        """Asks for the size of the package; returns an error if it has none."""
        most = self._most
        shown = min(available, max(_FIRST, self._seen * _MORE), most)
        while True:
            self._credit -= shown
            try:
                answer = self._codec.input(buffers.bytes_of(data, start, shown))
            except BaseException as error:
                return self._failed("input", error)
            if not isinstance(answer, int) or answer is True or answer is False:
                return self._fault("input", f"returned {answer!r:.60}, which is no int")
            if answer < 0:
                reason = f"{self._name}.input() refuses the bytes: it returned {answer}"
                return self._fail(PROTOCOL_ERROR, reason)
            if answer > most or (answer == 0 and available > most == shown):
                return self._too_big(max(answer, available))
            if answer:
                self._need = answer
                return None
            self._seen = shown
            if shown in (available, most):
                return None
            shown = min(available, shown * _MORE, most)

    def _decode(self, package: bytes) -> Any:
        try:
            message = self._codec.decode(package)
        except BaseException as error:
            return self._failed("decode", error)
        return NO_MESSAGE if message is None else message

    def _failed(self, method: str, error: BaseException) -> ProtocolError:
        """Ends it: a method of the program raised, for the peer's fault or for its own."""
        if isinstance(error, ProtocolError) and type(error.code) is int:
            self._is_over = True
            return error
        return self._fault(method, f"raised {type(error).__name__}: {error}", error)

    def _fault(self, method: str, what: str, cause: BaseException | None = None) -> ProtocolError:
        made = self._fail(INTERNAL_ERROR, f"{self._name}.{method}() {what}")
        made.__cause__ = cause
        return made

    @property
    def _name(self) -> str:
        return type(self._codec).__name__

    def ask_now(self) -> bool:
        """See `Session`."""
        is_due = self._waits
        if is_due:
            self._waits = False
            self._is_due = True
        return is_due

    # What goes.

    def encode_into(self, message: Any, room: Any, size: int) -> int:
        """See `Session`: only `pieces` can."""
        return -1

    def encode_memory(self, is_text: bool, data: Memory, count: int, room: Any, size: int) -> int:
        """See `Session`: only `pieces` can."""
        return -1

    def pieces(self, message: Any) -> tuple[bytes, bytes, bytes]:
        """See `Session`."""
        try:
            encoded = self._codec.encode(message)
        except UsageError:
            raise
        except Exception as error:
            what = f"raised {type(error).__name__}: {error}"
            raise UsageError(f"{self._name}.encode() {what}; nothing is sent") from error
        if isinstance(encoded, (bytearray, memoryview)):
            encoded = bytes(encoded)
        if not isinstance(encoded, bytes):
            raise UsageError(
                f"{self._name}.encode() returned {encoded!r:.60}; it must return bytes"
            )
        return b"", encoded, b""

    def share_key(self) -> object:
        """See `Session`."""
        return self._codec if self._is_shared else None
