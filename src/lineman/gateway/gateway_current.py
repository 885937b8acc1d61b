"""What a `Gateway` does for the client whose callback is running."""

from __future__ import annotations

from lineman.gateway.business.business_worker import Business
from lineman.gateway.business.gateway_client import Client


class GatewayCurrent:
    """Functions of a `Gateway` that work in the callbacks for clients."""

    def _working(self) -> Business:
        raise NotImplementedError

    @property
    def current_client(self) -> Client | None:
        """The client whose callback is running; None outside of callbacks."""
        return self._working().current_client

    def send_to_current_client(self, message: str | bytes) -> None:
        """Sends to the client whose callback is running."""
        self._working().send_to_current_client(message)

    def close_current_client(
        self, message: str | bytes | None = None, code: int = 1000, reason: str = ""
    ) -> None:
        """Closes the client whose callback is running."""
        self._working().close_current_client(message, code, reason)

    def destroy_current_client(self) -> None:
        """Drops the client whose callback is running, without a close frame."""
        self._working().destroy_current_client()
