"""The functions for the client whose callback is running in this process."""

from __future__ import annotations

from lineman.errors import UsageError
from lineman.gateway.business.gateway_client import Client
from lineman.gateway.business.link_receiver import current
from lineman.gateway.push.api import Api
from lineman.links.records import MessageData
from lineman.protocols.websocket import close as closing


class CurrentClientApi(Api):
    """`Api`, and what it says of any client also for the one whose callback is running."""

    @property
    def current_client(self) -> Client | None:
        """The client whose callback is running; None outside of callbacks."""
        return current.get()

    def send_to_current_client(self, message: MessageData) -> None:
        """Sends to the client whose callback is running."""
        _client("send_to_current_client").send(message)

    def close_current_client(
        self, message: MessageData | None = None, code: int = closing.NORMAL, reason: str = ""
    ) -> None:
        """Closes the client whose callback is running."""
        _client("close_current_client").close(message, code, reason)

    def destroy_current_client(self) -> None:
        """Drops the client whose callback is running."""
        self.destroy_client(_client("destroy_current_client"))


def _client(name: str) -> Client:
    client = current.get()
    if client is None:
        raise UsageError(f"{name}() works in a client's callback only")
    return client
