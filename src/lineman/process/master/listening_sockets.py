"""The listening sockets of every seat. They outlive the processes that accept from them.

So do the store of a seat, where its process leaves sockets that it has opened itself, and its time
sheet, by which its processes agree which of them runs the jobs.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from lineman.errors import AddressInUseError, ConfigError
from lineman.process.child import socket_store
from lineman.process.master.description import Place, PlaceAddress
from lineman.process.master.model import Key
from lineman.process.rundir.masters import belongs_to

# Binds: the worker, the address with the port to use, whether it is the first one of its port.
Bind = Callable[[Place, PlaceAddress, bool], socket.socket]
# Where a socket is, as `PlaceAddress.where` says it.
Where: TypeAlias = tuple[str, str, int, str]


class Sockets:
    """Opens, keeps and closes the sockets of seats.

    Args:
        bind: makes a listening socket for an address of a place; the flag says whether it is the
            program's first socket there, so that a foreign one is refused.
        inherited: sockets that systemd has opened already.
    """

    def __init__(self, bind: Bind, inherited: Iterable[socket.socket] = ()) -> None:
        self._bind = bind
        self._inherited = list(inherited)
        self._open: dict[Key, dict[Where, socket.socket]] = {}
        self._stores: dict[Key, tuple[socket.socket, socket.socket]] = {}
        self._sheets: dict[Key, int] = {}

    def for_child(self, key: Key, place: Place) -> tuple[dict[str, int], tuple[int, ...]]:
        """The descriptors that a process of a seat inherits.

        Returns:
            The descriptors of its listening sockets, by the addresses as the program writes them;
            and those of its store, empty if several processes have its place.
        """
        opened = self._open.get(key, {})
        listeners = {
            each.text: opened[each.where].fileno()
            for each in place.addresses
            if each.where in opened
        }
        if place.count == 1 and not place.module and key not in self._stores:
            self._stores[key] = socket_store.pair()
        ends = self._stores.get(key, ()) if place.count == 1 else ()
        return listeners, tuple(end.fileno() for end in ends)

    def time_sheet(self, key: Key, place: Place) -> int:
        """The descriptor of a seat's time sheet; -1 for a process of Lineman, which has no jobs."""
        if place.module:
            return -1
        if key not in self._sheets:
            self._sheets[key] = os.memfd_create("time sheet")
        return self._sheets[key]

    def open(self, places: Iterable[Place]) -> None:
        """Opens the missing sockets for these places; all or none.

        Raises:
            ConfigError: a port cannot be opened; then nothing has changed.
        """
        new: list[tuple[Key, Where]] = []
        wanted = list(places)
        try:
            for place in wanted:
                for address in place.addresses:
                    for key in place.seats():
                        opened = self._open.setdefault(key, {})
                        if address.where not in opened:
                            opened[address.where] = self._make(place, address, key)
                            new.append((key, address.where))
        except BaseException as error:
            for key, where in new:
                self._open[key].pop(where).close()
            if isinstance(error, AddressInUseError) and belongs_to(error.holder, os.getpid()):
                raise _is_our_own(error, address, wanted) from None
            raise

    def complete(self, key: Key, place: Place) -> None:
        """Opens the sockets of one seat again that `keep` has closed.

        Raises:
            ConfigError: a port cannot be opened.
        """
        opened = self._open.setdefault(key, {})
        for address in place.addresses:
            if address.where not in opened:
                opened[address.where] = self._make(place, address, key)

    def _make(self, place: Place, address: PlaceAddress, key: Key) -> socket.socket:
        for each in self._inherited:
            if _is_for(each, address):
                return each.dup()  # systemd's own socket serves every slot
        shared = [
            opened[address.where]
            for other, opened in self._open.items()
            if other[:2] == key[:2] and address.where in opened
        ]
        if shared and address.path:
            return shared[0].dup()  # a unix socket has one file: its processes share the socket
        if shared:
            address = replace(address, port=shared[0].getsockname()[1])
        return self._bind(place, address, not shared)

    def narrow(self, places: Iterable[Place]) -> None:
        """Closes the sockets of addresses that a worker no longer has, once it is reloaded."""
        for place in places:
            wanted = {each.where for each in place.addresses}
            for key in place.seats():
                opened = self._open.get(key, {})
                for where in opened.keys() - wanted:
                    opened.pop(where).close()

    def keep(self, used: Mapping[Key, Collection[Where]]) -> None:
        """Closes the sockets of seats that none of their processes has.

        Args:
            used: the sockets that the processes have, by seat; all others of these are closed.
        """
        for key, wanted in used.items():
            opened = self._open.get(key, {})
            for where in opened.keys() - set(wanted):
                opened.pop(where).close()

    def refuse_strangers(self, places: Iterable[Place]) -> None:
        """Refuses sockets of systemd on which no worker listens.

        Raises:
            ConfigError: there is such a socket.
        """
        for each in self._inherited:
            if not any(_is_for(each, address) for place in places for address in place.addresses):
                host, port = each.getsockname()[:2]
                is_udp = each.type is socket.SOCK_DGRAM
                option = "ListenDatagram" if is_udp else "ListenStream"
                raise ConfigError(
                    f"systemd passed a socket on {host}:{port}, where no worker listens",
                    f"write the same address in {option}= of the .socket unit and in Worker(…)",
                )

    def check_files(self) -> None:
        """Checks that the file of each unix socket still exists.

        Raises:
            ConfigError: a file is gone. It cannot be created again: processes hold the old socket.
        """
        for opened in [each for some in self._open.values() for each in some.values()]:
            path = opened.getsockname()
            if opened.family is socket.AF_UNIX and not os.path.lexists(path):
                raise ConfigError(
                    f"the socket {path} is gone, and no client can connect to it any more",
                    "restart the program, and put the socket where no program removes old files: "
                    "in /run",
                )

    def close(self, key: Key) -> None:
        """Closes the sockets of a seat that is gone."""
        if (sheet := self._sheets.pop(key, None)) is not None:
            os.close(sheet)
        for each in (*self._open.pop(key, {}).values(), *self._stores.pop(key, ())):
            each.close()

    def close_all(self) -> None:
        """Closes every socket."""
        for key in {*self._open, *self._stores, *self._sheets}:
            self.close(key)


def _is_our_own(
    error: AddressInUseError, address: PlaceAddress, wanted: Sequence[Place]
) -> ConfigError:
    """The error for an address that this program itself uses, in this or another worker."""
    where = (address.path, address.port, _kind(address))
    same = [
        place.title if len(place.addresses) == 1 else f"{place.title} ({each.text})"
        for place in wanted
        for each in place.addresses
        if (each.path, each.port, _kind(each)) == where
    ]
    if len(same) > 1:
        what = "path" if address.path else "port"
        return ConfigError(
            f"cannot listen on {address.text}: {' and '.join(same)}, which are of this program, "
            f"have the same {what}",
            "give each Worker a different address",
        )
    return ConfigError(
        f"{error.seen}, which belongs to this program",
        "restart the program once (`restart` in place of `reload`), or listen elsewhere",
    )


def _kind(address: PlaceAddress) -> socket.SocketKind:
    return socket.SOCK_DGRAM if address.scheme == "udp" else socket.SOCK_STREAM


def _is_for(opened: socket.socket, address: PlaceAddress) -> bool:
    if opened.family not in (socket.AF_INET, socket.AF_INET6) or opened.type is not _kind(address):
        return False
    host, port = opened.getsockname()[:2]
    everywhere = {"0.0.0.0", "::"}
    same = host == address.host or (host in everywhere and address.host in everywhere)
    return same and port == address.port
