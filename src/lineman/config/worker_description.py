"""A worker as a program describes it: its options, its callbacks, and no machinery."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lineman.config.callback_slots import Slot
from lineman.config.declared import Declared
from lineman.config.options import WorkerOptions
from lineman.net.connection.callbacks import Callbacks
from lineman.net.connection.limits import Limits
from lineman.protocols.interface import Session

if TYPE_CHECKING:
    from lineman.config import callback_types as types

# What to do where several processes cannot have what one process has.
USE_GATEWAY = (
    "use Gateway, where a push reaches every client, whichever process has it; or count=1; what "
    "concerns no clients there may be a worker of its own, made before Worker.run_all()"
)


class WorkerDescription(WorkerOptions, Declared):
    """What a process has to know of a worker in order to run it."""

    on_websocket_connect: Slot[types.ForHandshake, types.OfHandshake] = Slot()
    on_connect: Slot[types.ForConnection, types.OfConnection] = Slot()
    on_message: Slot[types.ForMessage, types.OfMessage] = Slot()
    on_close: Slot[types.ForClose, types.OfClose] = Slot()
    on_error: Slot[types.ForError, types.OfError] = Slot()
    on_buffer_full: Slot[types.ForConnection, types.OfConnection] = Slot()
    on_buffer_drain: Slot[types.ForConnection, types.OfConnection] = Slot()
    on_request: Slot[types.ForRequest, types.OfRequest] = Slot()

    takes_clients: bool = True
    push_remedy: str = USE_GATEWAY  # what helps where its processes are several

    callbacks: Callbacks
    id: int
    data: Any
    # Figures for `status` and the metrics of whatever is built upon this worker, by name.
    facts: Callable[[], Mapping[str, float]] | None
    # What keeps that from working as it should, in words.
    troubles: Callable[[], Sequence[str]] | None
    links_directory: str  # for sockets between this program's processes
    # Makes the session of a new connection; None for websockets, with HTTP before them.
    _session_factory: Callable[[Limits], Session] | None = None

    def __init__(self, address: str, context: Mapping[str, Any] | None) -> None:
        self.callbacks = Callbacks()
        self.address = address
        self.context = context
        self.id = 0
        self.data = {}
        self.facts = None
        self.troubles = None
        self.links_directory = ""
