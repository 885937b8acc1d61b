"""Callbacks that no client has caused: users that come and go, and gaps in histories."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from lineman.base import progress
from lineman.gateway.business.running_callbacks import RunningCallbacks
from lineman.gateway.wire.messages import HistoryGap, NewsDone, UserEvent
from lineman.links.link import Link


class NewsCallbacks:
    """Runs these callbacks of one business worker.

    Args:
        callbacks: the program's functions by name; absent or None where it has none.
        running: the tasks of those that are `async def`.
        note_error: called with an exception of one, unless the worker has ended.
    """

    def __init__(
        self,
        callbacks: Mapping[str, Callable[..., Any] | None],
        running: RunningCallbacks,
        note_error: Callable[[BaseException], object],
    ) -> None:
        self._callbacks = callbacks
        self._running = running
        self._note_error = note_error
        self.has_ended = False

    def take(self, link: Link, news: UserEvent | HistoryGap) -> None:
        """Calls a callback with what has happened; the gateway process learns when it has ended."""
        name, *about = _call_of(news)
        callback = self._callbacks.get(name)
        result = None
        try:
            if callback is not None:
                result = callback(*about)
        except BaseException as error:
            self._note_error(error)
        if inspect.iscoroutine(result):
            self._running.start(name, self._await(result, link, news.number))
        else:
            _tell_done(link, news.number)

    async def _await(self, coroutine: Coroutine[Any, Any, Any], link: Link, number: int) -> None:
        try:
            await coroutine
        except BaseException as error:
            if self.has_ended:
                return  # it was cut off, and the gateway process finds out by the end of the link
            self._note_error(error)
        _tell_done(link, number)
        progress.note()


def _call_of(news: UserEvent | HistoryGap) -> tuple[str, ...]:
    """The name of the callback, and what it gets."""
    if isinstance(news, HistoryGap):
        return ("on_history_gap", news.group, news.old_epoch, news.new_epoch)
    return ("on_uid_online" if news.is_online else "on_uid_offline", news.uid)


def _tell_done(link: Link, number: int) -> None:
    if number and link.is_up:
        link.post(NewsDone(number))
