"""Which process has a port, as far as this one may know."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
# What a socket that receives is in, in the tables of /proc/net: TCP_LISTEN; for UDP, TCP_CLOSE.
_STATES = {"tcp": "0A", "udp": "07"}


@dataclass(frozen=True, slots=True)
class PortHolder:
    """A process that listens."""

    pid: int
    name: str


def find(port: int, proc: Path = PROC, transport: str = "tcp") -> PortHolder | None:
    """The first process that listens on this port; None where it cannot be seen.

    Args:
        port: its number.
        proc: where the kernel's data is.
        transport: `tcp` or `udp`; each has ports of its own.

    Source: proc_net_tcp(5), proc_net_udp(5), proc_pid_fd(5)
    """
    return next(_holders(port, proc, transport), None)


def holders(port: int, transport: str = "tcp") -> list[PortHolder]:
    """Every process that listens on this port, as far as can be seen: a child may share it."""
    return [*_holders(port, PROC, transport)]


def is_taken(port: int, transport: str = "tcp") -> bool:
    """Whether any process listens on this port, also one that cannot be seen."""
    return any(True for _ in _inodes(port, PROC, transport))


def named(pid: int) -> PortHolder:
    """A process, with its name."""
    return PortHolder(pid, _name(PROC / str(pid)))


def _holders(port: int, proc: Path, transport: str) -> Iterator[PortHolder]:
    wanted = {f"socket:[{inode}]" for inode in _inodes(port, proc, transport)}
    if not wanted:
        return
    for folder in sorted(proc.glob("[0-9]*"), key=lambda each: int(each.name)):
        if any(link in wanted for link in _links(folder / "fd")):
            yield PortHolder(int(folder.name), _name(folder))


def _inodes(port: int, proc: Path, transport: str) -> Iterable[str]:
    for table in (transport, f"{transport}6"):
        try:
            lines = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            is_receiving = fields[3] == _STATES[transport]
            if is_receiving and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _links(folder: Path) -> Iterable[str]:
    try:
        names = os.listdir(folder)
    except OSError:  # it has ended, or is another user's
        return
    for name in names:
        try:
            yield os.readlink(folder / name)
        except OSError:
            continue


def _name(folder: Path) -> str:
    try:
        return (folder / "comm").read_text().strip()
    except OSError:
        return "a process"
