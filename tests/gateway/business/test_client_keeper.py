"""What a business worker says about the clients that it keeps something for."""

from __future__ import annotations

from typing import Any

from lineman.gateway.business import client_keeper
from lineman.gateway.wire.messages import AskRoom, LetGo


class Posted:
    def __init__(self) -> None:
        self.done: list[Any] = []

    def post(self, message: Any) -> None:
        self.done.append(message)

    def flush(self) -> None:
        self.done.append("flushed")


class Known:
    def __init__(self, link: Posted, number: int) -> None:
        self.link, self.number = link, number


def test_clients_are_let_go_by_their_links_after_what_was_acknowledged(monkeypatch: Any) -> None:
    monkeypatch.setattr(client_keeper, "LET_GO_AT_ONCE", 2)
    one, two = Posted(), Posted()
    clients: Any = [Known(one, 1), Known(two, 1), Known(one, 2), Known(one, 3)]
    client_keeper.post_let_go(clients)
    assert one.done == ["flushed", LetGo((1, 2)), LetGo((3,))]
    assert two.done == ["flushed", LetGo((1,))]
    client_keeper.ask_room(clients[1])
    assert two.done[-1] == AskRoom(1)
