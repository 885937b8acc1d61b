"""What a business worker keeps for each client that it serves, such as a running application."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from lineman.gateway.business.gateway_client import Client
from lineman.gateway.wire.messages import AskRoom, LetGo
from lineman.links.framing import Message
from lineman.links.link import Link

# Clients in one message; there may be a hundred thousand.
LET_GO_AT_ONCE = 10_000


class ClientKeeper(Protocol):
    """Keeps something for each client for as long as this worker serves it."""

    def lose(self, client: Client) -> None:
        """Another worker serves the client, or it has left without an `on_close`."""

    def take(self, link: Link, clients: Mapping[int, Client], message: Message) -> None:
        """Takes a message of a gateway process that is for a keeper.

        Args:
            link: to the gateway process.
            clients: its clients by their numbers.
            message: the message.
        """

    def leave_link(self, link: Link) -> None:
        """A gateway process is gone."""

    async def leave(self, seconds: float) -> None:
        """The worker retires: lets its clients go (`Business.let_go`), or waits for their ends.

        Args:
            seconds: how long this may take.
        """


def ask_room(client: Client) -> None:
    """Asks the client's gateway process for a `HasRoom`."""
    client.link.post(AskRoom(client.number))


def post_let_go(clients: Iterable[Client]) -> None:
    """Tells the gateway processes that other workers serve these clients from now on."""
    by_link: dict[Link, list[int]] = {}
    for client in clients:
        by_link.setdefault(client.link, []).append(client.number)
    for link, numbers in by_link.items():
        link.flush()  # acknowledgements would leave after the message that needs them
        for start in range(0, len(numbers), LET_GO_AT_ONCE):
            link.post(LetGo(tuple(numbers[start : start + LET_GO_AT_ONCE])))
