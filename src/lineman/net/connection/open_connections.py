"""The open connections of a service, as the program sees them."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from typing import Any

from lineman.net.connection.connection import Connection


class Connections(Mapping[int, "Connection"]):
    """Open connections by their id, always as they are now; only the service changes them.

    What is iterated over is what was open when the loop began: connections may open, close and be
    destroyed in it. Everything else costs what it costs with a `dict`.

    Args:
        opened: the service's own dictionary.
    """

    __slots__ = ("_opened",)

    def __init__(self, opened: dict[int, Connection]) -> None:
        self._opened = opened

    def __repr__(self) -> str:
        return repr(self._opened)

    def __getitem__(self, number: int) -> Connection:
        return self._opened[number]

    def __contains__(self, number: object) -> bool:
        return number in self._opened

    def __len__(self) -> int:
        return len(self._opened)

    def __iter__(self) -> Iterator[int]:
        return iter(list(self._opened))

    def get(self, number: int, default: Any = None) -> Any:
        """The connection with this id, or the default."""
        return self._opened.get(number, default)

    def values(self) -> ValuesView[Connection]:
        """The connections."""
        return _Values(self)

    def items(self) -> ItemsView[int, Connection]:
        """Pairs of id and connection."""
        return _Items(self)


class _Values(ValuesView["Connection"]):
    __slots__ = ()
    _mapping: Connections

    def __contains__(self, value: object) -> bool:
        return any(each is value for each in self)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._mapping._opened.values()))


class _Items(ItemsView[int, "Connection"]):
    __slots__ = ()
    _mapping: Connections

    def __iter__(self) -> Iterator[tuple[int, Connection]]:
        return iter(list(self._mapping._opened.items()))
