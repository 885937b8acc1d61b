"""Descriptors that forked children of this process must not keep open: sockets with a peer at the
other end.

A `ProcessPoolExecutor` forks, and its processes hold all descriptors that were open then. A client
whose connection is closed here would not notice, and a port would stay taken after the service's
end.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Iterable
from typing import Protocol


class DescriptorHolder(Protocol):
    """Whatever has descriptors that belong to this process alone."""

    def descriptors(self) -> Iterable[int]:
        """Those that are open."""


_holders: weakref.WeakSet[DescriptorHolder] = weakref.WeakSet()


def keep_from_children(holder: DescriptorHolder) -> None:
    """Closes the descriptors of an object in every process that is forked from now on."""
    _holders.add(holder)


def _let_go() -> None:
    # The numbers stay taken: objects that still know them may close them once more.
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for holder in list(_holders):
        for each in holder.descriptors():
            with contextlib.suppress(OSError):
                os.dup2(null, each, inheritable=False)
    os.close(null)


os.register_at_fork(after_in_child=_let_go)
