"""What an application's websocket uses in place of a connection that this process has."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from lineman.errors import ConnectionLost, UsageError
from lineman.gateway.applications.send_window import SendWindow
from lineman.gateway.business.client_keeper import ask_room
from lineman.gateway.business.gateway_client import Client
from lineman.protocols.http.responses import Response
from lineman.protocols.websocket import close as closing
from lineman.protocols.websocket.handshake import offered_subprotocols

# Bytes of an answer that refuses a handshake.
MAX_DENIAL = 64 * 1024

SUBPROTOCOL = "lineman.subprotocol"


@dataclass(frozen=True, slots=True)
class AppDecision:
    """What an application has decided about a client.

    Attributes:
        status: of the answer that refuses it; 0 to take it.
        answer: the answer that refuses it, as it goes on the line.
        headers: further headers of the 101.
        subprotocol: the chosen one; empty for none.
        why: why it is refused, for the log.
    """

    status: int = 0
    answer: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    subprotocol: str = ""
    why: str = ""


class KeptConnection:
    """The connection of a client that a gateway process holds, and the stage of its handshake.

    It has what `WebsocketExchange` uses of a `Connection` and of `AppRequests`.

    Args:
        client: the client.
        is_resumed: whether an earlier worker has opened the websocket.

    Attributes:
        decided: what the application has decided, once it has.
        moves: whether the application knows that another worker goes on with the client.
        is_open: whether something may be sent.
        server: where the client has come in.
    """

    fd = -1

    def __init__(self, client: Client, *, is_resumed: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._client = client
        self._is_resumed = is_resumed
        self._early: list[str | bytes] | None = None if is_resumed else []
        self._window = SendWindow(self._ask_room)
        self._denial = bytearray()
        self._status = 0
        self.server: tuple[str, int] | None = client.server
        self.decided: asyncio.Future[AppDecision] = self._loop.create_future()
        self.moves = False
        self.is_open = True
        self.close_code = 0
        self.close_reason = ""
        self.peer = (client.remote_ip, client.remote_port)

    # The handshake.

    def accept_websocket(self, subprotocol: str | None, headers: list[tuple[str, str]]) -> bool:
        """Opens the websocket, or goes on with it; False where the client has gone."""
        if not self.is_open or self.decided.done():
            return False
        chosen = subprotocol or ""
        if self._is_resumed:
            before = self._client.session.get(SUBPROTOCOL, "")
            if chosen != before:
                self.fail(f"it chose the subprotocol {chosen!r}, and the client speaks {before!r}")
                return False
        elif chosen and chosen not in self._offered():
            raise UsageError(
                f"the application chose the subprotocol {chosen!r}, which the client did not "
                f"offer: {', '.join(self._offered()) or 'it offered none'}"
            )
        self.decided.set_result(AppDecision(subprotocol=chosen, headers=tuple(headers)))
        return True

    def _offered(self) -> list[str]:
        request = self._client.request
        return [] if request is None else offered_subprotocols(request)

    def deny_websocket(self, response: Response) -> None:
        """Refuses the handshake with a whole answer."""
        answer = response.encode(keep_alive=False)
        self._decide(AppDecision(response.status, answer, why="it refused the websocket"))

    def deny_in_pieces(self, status: int, data: bytes) -> None:
        """Takes a part of an answer that refuses the handshake."""
        self._status = status or self._status
        self._denial += data
        if len(self._denial) > MAX_DENIAL:
            raise UsageError(
                f"the answer that refuses a websocket has more than {MAX_DENIAL} bytes; send less"
            )

    def end_denial(self) -> None:
        """That answer is whole."""
        why = f"it refused the websocket with {self._status}"
        self._decide(AppDecision(self._status, bytes(self._denial), why=why))

    def fail(self, why: str, status: int = 500) -> None:
        """Refuses the client, since the application has not decided."""
        self._decide(AppDecision(status, why=why))

    def fail_answer(self, has_begun: bool) -> None:
        """The application has ended without a decision."""
        self.fail("it failed before it accepted it")

    def _decide(self, decision: AppDecision) -> None:
        self.is_open = False
        if not self.decided.done():
            self.decided.set_result(decision)

    # The open websocket.

    @property
    def is_over(self) -> bool:
        """Whether the client has gone."""
        return not self.is_open

    @property
    def unsent(self) -> int:
        """See `SendWindow`."""
        return self._window.unsent

    def send(self, message: str | bytes) -> bool:
        """Sends a message; one before the websocket is open waits; False if it cannot be sent."""
        if not self.is_open:
            return False
        if self._early is not None:
            self._early.append(message)
        else:
            self._client.send(message)
        self._window.note_sent(len(message))
        return True

    def note_open(self) -> None:
        """The websocket is open: what was sent before leaves."""
        early, self._early = self._early, None
        for message in early or ():
            self._client.send(message)
        if self.unsent:
            ask_room(self._client)

    def _ask_room(self) -> None:
        if self._early is None:  # else when it is open
            ask_room(self._client)

    async def drain(self) -> None:
        """Returns when what was sent has left.

        Raises:
            ConnectionLost: the client has gone.
        """
        await self._window.wait()
        if not self.is_open:
            raise ConnectionLost(self.close_code, self.close_reason)

    def give_room(self) -> None:
        """What was sent has left."""
        self._window.give_room()

    def close(self, message: None, code: int, reason: str) -> None:
        """Closes the websocket, unless another worker goes on with it."""
        if self.is_open and not self.moves:
            self.note_end(code, reason)
            self._client.close(None, code, reason)

    def note_end(self, code: int, reason: str) -> None:
        """The client has gone, or gets nothing more from here."""
        if self.is_open:
            self.is_open = False
            self.close_code, self.close_reason = code or closing.ABNORMAL, reason
        self._decide(AppDecision(503, why="the client has gone"))
        self.give_room()

    def stop_sending(self, code: int) -> None:
        """Has `send` raise from now on: the application may not know otherwise that it leaves."""
        self.moves = True
        self.is_open = False
        self.close_code, self.close_reason = code, "the service is restarting"
        self.give_room()

    def pause(self, why: int) -> None:
        """Never needed: an application gets a message when it asks for one."""

    def resume(self, why: int) -> None:
        """See `pause`."""
