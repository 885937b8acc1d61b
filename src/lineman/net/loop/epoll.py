"""One epoll, and the batch of what is ready in it.

This is the plain-Python way; compiled modules find the same functions in `epoll.h`, by `epoll.pxd`.
"""

from __future__ import annotations

import select

# In C its descriptor.
Epoll = select.epoll
# What is ready: descriptors, and the events of each. In C an array.
Batch = list[tuple[int, int]]


def handle(epoll: select.epoll) -> Epoll:
    """What the functions here call it by, for as long as it is not closed."""
    return epoll


def add(epoll: Epoll, fd: int, events: int) -> None:
    """Watches a descriptor.

    Raises:
        OSError: it cannot be watched, or is already.
    """
    epoll.register(fd, events)


def modify(epoll: Epoll, fd: int, events: int) -> None:
    """Changes what a descriptor is watched for."""
    epoll.modify(fd, events)


def remove(epoll: Epoll, fd: int) -> None:
    """Stops watching a descriptor."""
    epoll.unregister(fd)


def new_batch(size: int) -> Batch:
    """Room for so many that are ready."""
    return []


def poll(epoll: Epoll, batch: Batch, size: int) -> int:
    """Fills the batch with what is ready now, at most `size`; how many that are."""
    batch[:] = epoll.poll(0, size)
    return len(batch)


def fd_of(batch: Batch, index: int) -> int:
    """The descriptor of one that is ready."""
    return batch[index][0]


def events_of(batch: Batch, index: int) -> int:
    """What it is ready for."""
    return batch[index][1]
