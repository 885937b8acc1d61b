"""Callbacks as slots: `worker.on_message = f` and `@worker.on_message` do the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast, overload

from lineman.base.callback_fit import fitted
from lineman.errors import UsageError
from lineman.net.connection.callbacks import OF_CONNECTION, Callback

Given = TypeVar("Given", bound=Callback)
# For type checkers: the type of a slot that is read, and of the functions that may be set.
B = TypeVar("B", bound="BoundSlot")
F = TypeVar("F")

# The names of each callback's arguments.
Arguments = Mapping[str, tuple[str, ...]]

_NOTHING = object()


class BoundSlot:
    """One slot of one worker: it is a decorator, and knows the function that was set."""

    __slots__ = ("_arguments", "_callbacks", "_name")

    def __init__(self, callbacks: object, name: str, arguments: Arguments) -> None:
        self._callbacks = callbacks
        self._name = name
        self._arguments = arguments

    @property
    def callback(self) -> Callback | None:
        """The function that is called; None if there is none."""
        found: Callback | None = getattr(self._callbacks, self._name)
        return found

    if TYPE_CHECKING:

        def __call__(self, function: Given) -> Given: ...  # noqa: D102

    else:

        def __call__(self, function=_NOTHING):
            """Sets the function; returns it, so that the slot works as a decorator.

            Raises:
                UsageError: as for `set_callback`; or no function is given.
            """
            if function is _NOTHING:
                name = self._name
                raise UsageError(f"{name}() has no function; write it without (): @….{name}")
            set_callback(self._callbacks, self._name, function, self._arguments)
            return function

    def __bool__(self) -> bool:
        return self.callback is not None

    def __repr__(self) -> str:
        return f"<slot {self._name}: {self.callback!r}>"


class Slot(Generic[B, F]):
    """A callback attribute of a class whose instances have `callbacks`.

    Args:
        arguments: the arguments of each callback of the class; None for those of a `Worker`.
    """

    # The types for checkers are in `callback_types`.

    def __init__(self, arguments: Arguments | None = None) -> None:
        self._arguments = ARGUMENTS if arguments is None else arguments

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Any, owner: type) -> B: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        return BoundSlot(instance.callbacks, self._name, self._arguments)

    def __set__(self, instance: Any, function: F | None) -> None:
        set_callback(instance.callbacks, self._name, cast(Any, function), self._arguments)

    def __delete__(self, instance: Any) -> None:
        set_callback(instance.callbacks, self._name, None, self._arguments)


ARGUMENTS = {
    "on_worker_start": ("worker",),
    "on_worker_stop": ("worker",),
    "on_worker_reload": ("worker",),
    "on_worker_exit": ("worker", "status", "pid"),
    "on_websocket_connect": ("connection", "request"),
    "on_connect": ("connection",),
    **OF_CONNECTION,
    "on_request": ("request",),
}


def set_callback(
    callbacks: object, name: str, function: Callback | None, arguments: Arguments
) -> None:
    """Sets a callback; it may leave out the last arguments.

    Raises:
        UsageError: it is not callable, or requires more arguments than there are.
    """
    fits = None if function is None else fitted(name, function, arguments[name])
    setattr(callbacks, name, fits)
