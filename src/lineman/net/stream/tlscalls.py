"""OpenSSL called without Python between, which only C can.

Compiled modules find these functions in `tlscalls.h`, by `tlscalls.pxd`. In plain Python there are
none, and everything goes through `ssl`.
"""

from __future__ import annotations

from lineman.base.buffers import Memory

# What is called, in the order of the table in tlscalls.h.
FUNCTIONS = (
    "SSL_read_ex",
    "SSL_write_ex",
    "SSL_has_pending",
    "SSL_get_error",
    "SSL_ctrl",
    "ERR_clear_error",
    "ERR_peek_error",
    "SSL_do_handshake",
    "SSL_shutdown",
    "SSL_set_fd",
    "SSL_callback_ctrl",
    "SSL_set_shutdown",
)

ARE_IN_C = False
# What `handshake` says.
DONE, NO_ROOM, FAILED = 1, 2, 3


class TlsChannel:
    """A connection of OpenSSL, in C its `SSL *`."""


def is_ready() -> bool:
    """Whether `use` was called."""
    return False


def use(table: bytes) -> None:
    """Takes the addresses of `FUNCTIONS`; before that none of the functions below is called."""
    raise NotImplementedError


def connection(inner: object) -> TlsChannel:
    """That of a `_ssl._SSLSocket`, valid for as long as this lives; see `openssl.access`."""
    raise NotImplementedError


def attach(channel: TlsChannel, fd: int) -> bool:
    """Has it read and write a descriptor, read ahead, and end reads that last; whether it could."""
    raise NotImplementedError


def handshake(channel: TlsChannel) -> int:
    """Goes on with the handshake: DONE, NO_ROOM to write, 0 for nothing to read yet, FAILED."""
    raise NotImplementedError


def read(channel: TlsChannel, buffer: memoryview) -> int:
    """Decrypts one record into the buffer; its size.

    Returns:
        0 for the end of TLS, -1 for not now, -2 for an error, -3 for too many KeyUpdates.
    """
    raise NotImplementedError


def write(channel: TlsChannel, data: Memory, start: int, size: int) -> int:
    """Encrypts and sends at most one record; bytes taken, -1 for not now, -2 for an error."""
    raise NotImplementedError


def pending(channel: TlsChannel) -> bool:
    """Whether something was received that epoll does not tell of."""
    raise NotImplementedError


def end(channel: TlsChannel) -> None:
    """Sends close_notify."""
    raise NotImplementedError


def last_errno() -> int:
    """What `errno` was after the last `read` or `write` that has failed."""
    raise NotImplementedError
