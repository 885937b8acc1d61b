"""A worker as a program describes it: its options and callbacks, without the code that runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from lineman.config.callback_slots import Slot
from lineman.config.declared import Declared
from lineman.config.options import WorkerOptions
from lineman.net.connection.callbacks import Callbacks
from lineman.net.connection.limits import Limits
from lineman.protocols.interface import Session
from lineman.scheduling.job_spec import JobSpec

if TYPE_CHECKING:
    from lineman.config import callback_types as types
    from lineman.net.connection.connection import Connection

# The remedy where a feature works with one process only.
USE_GATEWAY = (
    "use Gateway, where a push reaches every client in any process; or count=1; code that concerns "
    "no clients may run in a separate worker, made before Worker.run_all()"
)


class WorkerDescription(WorkerOptions, Declared):
    """All that a process must know about a worker to run it."""

    on_websocket_connect: Slot[types.ForHandshake, types.OfHandshake] = Slot()
    on_connect: Slot[types.ForConnection, types.OfConnection] = Slot()
    on_message: Slot[types.ForMessage, types.OfMessage] = Slot()
    on_close: Slot[types.ForClose, types.OfClose] = Slot()
    on_error: Slot[types.ForError, types.OfError] = Slot()
    on_buffer_full: Slot[types.ForConnection, types.OfConnection] = Slot()
    on_buffer_drain: Slot[types.ForConnection, types.OfConnection] = Slot()
    on_request: Slot[types.ForRequest, types.OfRequest] = Slot()

    broker: ClassVar[str | None] = None  # of the whole program, as `service_name`
    service_name: ClassVar[str] = "lineman"
    secret: ClassVar[str | Sequence[str] | None] = None  # signs what goes over the broker
    uses_events: bool = True  # False: it does without the program's broker
    takes_clients: bool = True
    takes_settings: bool = True  # False: its options come from the service that it is a part of
    claim: str = ""  # what no other worker of the program may be as well
    push_remedy: str = USE_GATEWAY  # the remedy in messages if it has several processes

    callbacks: Callbacks
    id: int
    data: Any
    # Figures by name, for `status` and the metrics, of a part that is built upon this worker.
    facts: Callable[[], Mapping[str, float]] | None
    # The problems of that part, as texts.
    troubles: Callable[[], Sequence[str]] | None
    # The user of a connection's client and the number of its groups, as that part knows them.
    _identity: Callable[[Connection], tuple[str, int]] | None = None
    links_directory: str  # for sockets between this program's processes
    jobs: list[JobSpec]  # those that were given before the start
    event_functions: list[tuple[str, Callable[[Any], object]]]  # with the events that they get
    # Makes the session of a new connection; None for websockets, with HTTP before them.
    _session_factory: Callable[[Limits], Session] | None = None

    def __init__(self, address: str | Sequence[str], context: Mapping[str, Any] | None) -> None:
        self.callbacks = Callbacks()
        self.address = address
        self.context = context
        self.id = 0
        self.data = {}
        self.facts = None
        self.troubles = None
        self.links_directory = ""
        self.jobs = []
        self.event_functions = []

    def _has_callback(self, name: str) -> bool:
        """Whether the program has set this callback."""
        return getattr(self.callbacks, name) is not None
