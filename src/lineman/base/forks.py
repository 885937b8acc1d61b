"""Closes sockets in forked children of this process, which must not keep them open.

A `ProcessPoolExecutor` forks, and its processes inherit all open descriptors. Then a client whose
connection is closed here would not notice it, and a port would stay in use after the service's end.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Iterable
from typing import Protocol


class DescriptorHolder(Protocol):
    """An object with descriptors that belong to this process alone."""

    def descriptors(self) -> Iterable[int]:
        """The open descriptors."""


_holders: weakref.WeakSet[DescriptorHolder] = weakref.WeakSet()


def keep_from_children(holder: DescriptorHolder) -> None:
    """Closes the descriptors of an object in every process that is forked from now on."""
    _holders.add(holder)


def _let_go() -> None:
    # The numbers stay in use, because objects that know them may close them again.
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for holder in list(_holders):
        for each in holder.descriptors():
            with contextlib.suppress(OSError):
                os.dup2(null, each, inheritable=False)
    os.close(null)


os.register_at_fork(after_in_child=_let_go)
