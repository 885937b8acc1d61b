"""The functions for named timers, which outlive the process that sets them."""

from __future__ import annotations

import secrets
from typing import Any

from lineman.base.durations import check_seconds, name_of
from lineman.errors import RefusedError, UsageError
from lineman.gateway.cluster.timer_homes import LEAST
from lineman.gateway.wire import names
from lineman.gateway.wire.timer_args import encode_args
from lineman.gateway.wire.timer_messages import CancelTimer, SetTimer, TimerOrder

# The first characters of a key that a program has not given.
OWN_KEY = "timer-"


class TimerApi:
    """Named timers; a subclass sends the orders.

    A timer names a function of the program (`@gateway.timer`). The gateway processes keep it, and a
    business worker calls the function: at least once, over reloads and the end of a worker.
    """

    def _give_timer(self, order: TimerOrder) -> None:
        raise NotImplementedError

    def _check_timer(self, call: str, name: object, args: tuple[Any, ...]) -> str:
        """The name of the function.

        Raises:
            UsageError: there can be no such function.
        """
        if callable(name):
            raise UsageError(
                f"{call} takes the name of a function as text, because another process calls it: "
                f"write {name_of(name)!r}"
            )
        if not isinstance(name, str):
            raise UsageError(f"{call} takes the name of a function, got {name!r:.80}")
        return names.check_name("timer", name)

    def after(self, seconds: float, name: str, *args: Any, key: str | int | None = None) -> str:
        """Has a business worker call a function of the program once, `seconds` from now.

        Args:
            seconds: 0 or more.
            name: the function's name, see `Gateway.timer`.
            *args: its arguments: text, bytes, numbers, booleans, None, lists and dictionaries.
            key: the timer replaces the one that has the same key, on whatever machine it was set;
                None for a key of its own.

        Returns:
            The key, for `cancel_timer`.

        Raises:
            UsageError: an argument that cannot work.
            RefusedError: the gateway processes keep as many timers as they can.
        """
        wait = check_seconds("gateway.after(seconds, name, …)", seconds)
        return self._set_timer("gateway.after", wait, name, args, key, is_repeated=False)

    def every(self, seconds: float, name: str, *args: Any, key: str | int) -> str:
        """Has a business worker call a function of the program every so many seconds.

        The first call is due after `seconds`. A call is left out while the one before goes on.

        Args:
            seconds: 0.1 or more.
            name, *args: as for `after`.
            key: as for `after`; a repeated timer has to have one, by which it is replaced and
                cancelled.

        Returns:
            The key, for `cancel_timer`.

        Raises:
            UsageError, RefusedError: as for `after`.
        """
        wait = check_seconds("gateway.every(seconds, name, …)", seconds, LEAST)
        if key is None:
            raise UsageError(
                f'gateway.every({seconds:g}, {name!r:.80}) needs key=, such as key="room:7": '
                "otherwise each call adds one more timer, which nobody can cancel"
            )
        return self._set_timer("gateway.every", wait, name, args, key, is_repeated=True)

    def cancel_timer(self, key: str | int) -> None:
        """Cancels the timer with a key, on whatever machine it was set; does nothing without one.

        A call that is under way goes on.
        """
        self._give_timer(CancelTimer(names.check_name("key", key)))

    def _set_timer(
        self,
        call: str,
        seconds: float,
        name: object,
        args: tuple[Any, ...],
        key: str | int | None,
        *,
        is_repeated: bool,
    ) -> str:
        function = self._check_timer(call, name, args)
        encoded = encode_args(call, args)
        own = OWN_KEY + secrets.token_hex(12)
        chosen = own if key is None else names.check_name("key", key)
        self._give_timer(SetTimer(chosen, function, encoded, seconds, is_repeated))
        return chosen


def too_old(where: str) -> RefusedError:
    """The error where a gateway process keeps no timers."""
    return RefusedError(
        f"the timer was not set: {where} runs an older version of Lineman, which keeps none",
        "restart the gateway processes: a reload has replaced the business workers only",
    )


def too_many(where: str) -> RefusedError:
    """The error where a gateway process takes no more timers."""
    return RefusedError(
        f"the timer was not set: {where} keeps as many timers as it can",
        "give them keys, so that a new one replaces its predecessor, and cancel those that are no "
        "longer needed: gateway.cancel_timer(key)",
    )
