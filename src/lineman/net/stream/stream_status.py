"""What a stream says about itself; in a module that is not compiled, so that Python sees them."""

from __future__ import annotations

# What `Stream.receive` returns where no bytes came.
ENDED = 0  # the peer sends no more
AGAIN = -1  # nothing is there now
LOST = -2  # the connection is broken, see `Stream.take_error`
PLAIN = -3  # the peer does not speak TLS; what is written from now on leaves in the clear
SECURED = -4  # TLS's handshake is done
TRUNCATED = -5  # the peer sends no more, and has not ended TLS: something may be missing

# What `Stream.flush` returns.
QUIET = 0  # nothing new
BLOCKED = 1  # bytes wait, because the kernel takes no more
UNBLOCKED = 2  # all that waited has left
BROKE = 3  # the connection is broken, see `Stream.take_error`

# Why a socket is not read, as bits.
PAUSED_BY_USER, PAUSED_BY_INBOX, PAUSED_BY_HANDSHAKE, PAUSED_BY_GOODBYE = 1, 2, 4, 8
PAUSED_BY_END = 16  # the peer sends no more: epoll would tell of it without end
