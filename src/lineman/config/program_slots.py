"""Callbacks of the whole program: `Worker.on_master_stop = f` and `@Worker.on_master_stop`."""

from __future__ import annotations

from lineman.base.callback_fit import fitted
from lineman.errors import UsageError
from lineman.net.connection.callbacks import Callback


class ProgramSlot:
    """One callback of the program, which is called without arguments.

    Attributes:
        callback: the function that is called; None if there is none.
    """

    def __init__(self) -> None:
        self._name = ""
        self.callback: Callback | None = None

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __call__(self, function: Callback) -> Callback:
        """Sets the function; returns it, so that the slot works as a decorator."""
        self.set(function)
        return function

    def set(self, function: object) -> None:
        """Sets the function; None removes it.

        Raises:
            UsageError: it is not callable, or requires arguments.
        """
        if function is not None and not callable(function):
            raise UsageError(f"{self._name} takes a function, got {type(function).__name__}")
        self.callback = None if function is None else fitted(self._name, function, ())

    def __bool__(self) -> bool:
        return self.callback is not None

    def __repr__(self) -> str:
        return f"<slot {self._name}: {self.callback!r}>"
