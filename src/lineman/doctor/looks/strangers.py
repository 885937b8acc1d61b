"""Finds the process that listens at a program's address, if it is not the program itself."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path

from lineman.base.address import Address
from lineman.base.unixpeer import peer_pid
from lineman.errors import ConfigError
from lineman.net.listening import portholder
from lineman.net.listening.portholder import PortHolder
from lineman.process.rundir import claim
from lineman.process.rundir.masters import belongs_to, how_to_stop, script_of
from lineman.process.rundir.owner import Owner, acting_as
from lineman.process.rundir.rundir import find_pid_file, holder, name_of

# systemd opens ports for services that it starts at the first connection.
_SYSTEMD = PortHolder(1, "systemd")


def masters_of(script: Path) -> list[int]:
    """The processes of all users that run a program, as far as this user can see them."""
    name = name_of(str(script))
    try:
        own = holder(find_pid_file(name))
    except ConfigError:
        own = 0
    found = (own, *(each.pid for each in claim.runners(name)))
    return [pid for pid in found if pid > 0]


def stranger_at(
    address: Address, script: Path, masters: Sequence[int], owner: Owner | None
) -> tuple[str, str]:
    """The process that listens at an address, and the command that ends it; both empty if it is or
    may be the program.

    Args:
        address: the address with a listener.
        script: the program's file.
        masters: the result of `masters_of`.
        owner: the user with whose rights a unix socket is checked.
    """
    transport, shows = ("udp", "ss -lunp") if address.protocol == "udp" else ("tcp", "ss -ltnp")
    if address.path:
        found = _at_path(address.path, owner)
    else:
        found = portholder.holders(address.port, transport)
    if not found:
        if masters:
            return "", ""
        look = f"ss -lxp 'src = {address.path}'" if address.path else ""
        look = look or f"{shows} 'sport = :{address.port}'"
        return "another process", f"end the one that `{look}`, as root, shows"
    if _SYSTEMD in found or any(_is_of(each.pid, script, masters) for each in found):
        return "", ""
    first = found[0]
    return f"{first.name} (process {first.pid})", f"stop it: {how_to_stop(first.pid)}"


def _is_of(pid: int, script: Path, masters: Sequence[int]) -> bool:
    if any(belongs_to(pid, master) for master in masters):
        return True
    runs = script_of(pid)  # one with another name, because of its own arguments on the command line
    return runs is not None and os.path.realpath(runs) == os.path.realpath(script)


def _at_path(path: str, owner: Owner | None) -> list[PortHolder]:
    with acting_as(owner), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
        end.setblocking(False)
        try:
            end.connect(path)
        except OSError:
            return []
        pid = peer_pid(end)
    return [portholder.named(pid)] if pid else []
