"""A non-blocking socket in the poller: its beginning and its end.

`Receiver` is its reading half and `Output` its writing half; `Connection` gives the bytes their
meaning.
"""

from __future__ import annotations

from lineman.net import syscalls
from lineman.net.poller import READ, Poller
from lineman.net.receiver import Receiver
from lineman.net.tlsstream import TlsStream


class Transport(Receiver):
    """Bytes to and from one peer."""

    __slots__ = ()

    def _start(self, poller: Poller, fd: int, tls: TlsStream | None) -> None:
        """In place of `__init__`, as `_attach`."""
        self._begin_reading(poller, fd, tls)
        poller.add(fd, self, READ)

    # Ending.

    def end_writing(self) -> None:
        """Says the end of the stream (with TLS also there); what still comes is thrown away."""
        if self._tls is not None:
            self._tls.end()
            self._tls.release()
            self._tls = None  # having ended, it would fail at the peer's next record
        syscalls.finish_writing(self.fd)

    def abandon_tls(self) -> bool:
        """Drops TLS after it has failed, if there is any; what still comes is thrown away."""
        if self._tls is None:
            return False
        self._tls.release()
        self._tls = None
        self._drop_unsent()  # or it would leave in the clear
        return True

    def shut(self) -> None:
        """Closes the socket now; what is unsent is lost."""
        if self._is_dead:
            return
        if self._tls is not None:
            if not self._is_blocked:
                self._tls.end()
            self._tls.release()
        self._is_dead = self._is_broken = True
        self._error = None
        self._drop_unsent()
        self._drop_kept()
        self.poller.close_descriptor(self.fd)
