"""What a `Gateway` does later: jobs, tasks and named timers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar, overload

from lineman.base.durations import check_function, name_of
from lineman.errors import UsageError
from lineman.gateway.business.timer_calls import check_known
from lineman.gateway.push.timer_api import TimerApi
from lineman.gateway.wire import names
from lineman.scheduling.job_spec import check_call

if TYPE_CHECKING:
    from datetime import tzinfo

    from lineman.worker import J, T, Worker

F = TypeVar("F", bound=Callable[..., Any])


class GatewayTime(TimerApi):
    """The functions of a `Gateway` for time and tasks; they run in its `workers` processes."""

    _serving: Worker
    _timer_functions: dict[str, Callable[..., Any]]

    @overload
    def timer(self, function: F) -> F: ...

    @overload
    def timer(self, function: str) -> Callable[[F], F]: ...

    def timer(self, function: Any) -> Any:
        """Lets named timers call the decorated function; plain or `async def`.

        `@gateway.timer` gives it the function's own name, `@gateway.timer("name")` another. A timer
        that was set keeps the name: change the function over a reload, but not its name.

        Raises:
            UsageError: another function has this name already, or it is no function.
        """
        if isinstance(function, str):
            return lambda decorated: self._add_timer(names.check_name("timer", function), decorated)
        check_function("@gateway.timer", function)
        return self._add_timer(name_of(function), function)

    def _add_timer(self, name: str, function: F) -> F:
        check_function("@gateway.timer", function)
        if self._timer_functions.get(name, function) is not function:
            raise UsageError(
                f"@gateway.timer: two functions are called {name!r}; give one of them another "
                'name: @gateway.timer("name")'
            )
        self._timer_functions[name] = function
        return function

    def _check_timer(self, call: str, name: object, args: tuple[Any, ...]) -> str:
        found = super()._check_timer(call, name, args)
        check_known(call, found, self._timer_functions)
        check_call(call, self._timer_functions[found], args)
        return found

    @overload
    def every(
        self,
        seconds: float,
        *,
        process: int | None = None,
        overlap: bool = False,
        finish: bool = False,
    ) -> Callable[[J], J]: ...

    @overload
    def every(self, seconds: float, name: str, *args: Any, key: str | int) -> str: ...

    def every(
        self,
        seconds: float,
        name: str | None = None,
        *args: Any,
        key: Any = None,
        process: int | None = None,
        overlap: bool = False,
        finish: bool = False,
    ) -> Any:
        """Runs the decorated function every so many seconds in the `workers` processes.

        The arguments and errors are those of `Worker.every`. With a name it sets a named timer
        instead, which the gateway processes keep, as `AsyncGatewayClient.every` does.
        """
        if name is None:
            if key is not None:
                raise UsageError(
                    f"gateway.every({seconds!r:.40}, key=…) is a job, which has no key; a named "
                    'timer has a name: gateway.every(60, "name", key="room:7")'
                )
            return self._serving.every(seconds, process=process, overlap=overlap, finish=finish)
        if process is not None or overlap or finish:
            raise UsageError(
                f"gateway.every(…, {name!r:.40}) is a named timer: process, overlap and finish are "
                "for jobs, @gateway.every(seconds)"
            )
        return super().every(seconds, name, *args, key=key)

    def cron(
        self,
        line: str,
        *,
        tz: str | tzinfo | None = None,
        process: int | None = None,
        overlap: bool = False,
        finish: bool = False,
    ) -> Callable[[J], J]:
        """Runs the decorated function in the `workers` processes when a line of cron says so.

        The arguments and errors are those of `Worker.cron`.
        """
        return self._serving.cron(line, tz=tz, process=process, overlap=overlap, finish=finish)

    def spawn(self, coroutine: Coroutine[Any, Any, T], finish: bool = False) -> asyncio.Task[T]:
        """Runs a coroutine as a task of this `workers` process; as `Worker.spawn`."""
        return self._serving.spawn(coroutine, finish)
