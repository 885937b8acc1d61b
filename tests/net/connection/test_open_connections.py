from __future__ import annotations

from typing import Any

import pytest

from lineman.net.connection.open_connections import Connections


@pytest.fixture
def opened() -> dict[int, Any]:
    return {1: "one", 2: "two", 3: "three"}


def test_it_is_what_is_open_now(opened: dict[int, Any]) -> None:
    connections = Connections(opened)
    del opened[1]
    opened[4] = "four"
    assert dict(connections) == {2: "two", 3: "three", 4: "four"}
    assert (len(connections), 1 in connections, 4 in connections) == (3, False, True)
    assert (connections[2], connections.get(1), connections.get(1, 7)) == ("two", None, 7)
    with pytest.raises(KeyError):
        connections[1]


@pytest.mark.parametrize(
    "view", [lambda all_: all_, lambda all_: all_.values(), lambda all_: all_.items()]
)
def test_connections_may_come_and_go_while_somebody_goes_through_them(
    opened: dict[int, Any], view: Any
) -> None:
    seen = []
    for number, each in enumerate(view(Connections(opened))):
        seen.append(each)
        opened.pop(number, None)
        opened[100 + number] = "new"
    assert len(seen) == 3


def test_only_the_service_changes_them(opened: dict[int, Any]) -> None:
    connections: Any = Connections(opened)
    with pytest.raises(TypeError):
        connections[5] = "five"
    with pytest.raises(TypeError):
        del connections[1]


def test_who_is_asked_for_is_that_very_one(opened: dict[int, Any]) -> None:
    class Equal:
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    connections = Connections(opened)
    assert "one" in connections.values()
    assert Equal() not in connections.values()
