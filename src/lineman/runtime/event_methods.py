"""The part of `Worker` that sends and gets the events of a program."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lineman.base.callback_fit import fitted
from lineman.config.worker_description import WorkerDescription
from lineman.errors import UsageError
from lineman.runtime.running_worker import RunningWorker
from lineman.sharing import in_use

if TYPE_CHECKING:
    from typing import TypeVar

    from lineman.runtime.worker_events import WorkerEvents

    E = TypeVar("E", bound=Callable[[Any], Any] | Callable[[], Any])


class EventMethods(WorkerDescription):
    """A worker that publishes events, and gets those of the other processes."""

    runtime: RunningWorker

    def on_event(self, event: str) -> Callable[[E], E]:
        """Calls the decorated function for each event of this name, in every process.

        It gets the event's data, plain or `async def`: one event after the other, in the order in
        which a process published them. What it raises is logged and counted.

        Raises:
            UsageError: the name is no text of 1 to 256 bytes.
        """
        from lineman.sharing.event_messages import event_topic  # few programs need it

        event_topic(event)
        in_use.note()

        def take(function: E) -> E:
            if not callable(function):
                raise UsageError(f"on_event takes a function, got {type(function).__name__}")
            fits = fitted("on_event", function, ("data",))
            if self.runtime.service is None:
                self.event_functions.append((event, fits))
            else:
                self._events().add(event, fits)
            return function

        return take

    def publish(self, event: str, data: Any = None) -> bool:
        """Has every process of the program call its functions for this event, also this process.

        Args:
            event: its name, of 1 to 256 bytes.
            data: text, bytes, numbers, booleans, None, lists and dictionaries with text as keys, of
                1,000,000 bytes at most.

        Returns:
            Whether it is on its way to the other processes; an event that the broker cannot take
            now is lost for them, and counted.

        Raises:
            UsageError: the name or the data cannot be sent, or the program has no broker: set
                `Worker.broker`, or decorate a function with `on_event`, before the start.
        """
        return self._events().bus.publish(event, data)

    def _events(self) -> WorkerEvents:
        events = self.runtime.events
        if events is None:
            if self.runtime.service is not None:
                raise UsageError(
                    "the processes of this program have no broker: set Worker.broker = "
                    '"embedded" (or "redis://…") before Worker.run_all()'
                )
            raise UsageError(
                f"{self!r} does not run in this process; publish in on_worker_start or later"
            )
        return events
