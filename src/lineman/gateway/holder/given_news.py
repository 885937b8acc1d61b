"""News about users and groups on their way to business workers, until these have handled them.

No client waits for them, and nobody would notice that they are lost with a worker that is killed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from lineman.base.loglimit import LogLimit
from lineman.gateway.holder.dispatch import MAX_DEATHS, Dispatch
from lineman.gateway.wire.messages import HistoryGap, NewsDone, UserEvent
from lineman.gateway.wire.versions import NEWS_DONE_SINCE, TIMERS_SINCE
from lineman.links.link import Link

# Names in one line of the log.
SHOWN = 5

News = UserEvent | HistoryGap


class _Given(NamedTuple):
    news: News
    deaths: int  # of workers that had it


class GivenNews:
    """The news that business workers have, and have not handled.

    Args:
        dispatch: chooses the workers, and counts what is lost.
        version_of: the version of the wire that a link uses; 0 for none.
        redeliver: whether another worker gets what one had not handled when it ended.
        log: names what is lost.
    """

    def __init__(
        self, dispatch: Dispatch, version_of: Callable[[Link], int], redeliver: bool, log: LogLimit
    ) -> None:
        self._dispatch = dispatch
        self._version_of = version_of
        self._redeliver = redeliver
        self._log = log
        self._given: dict[Link, dict[int, _Given]] = {}
        self._number = 0
        self._is_over = False

    def on_user(self, uid: str, is_online: bool) -> None:
        """A user has come online, or gone offline."""
        self._give(UserEvent(uid, is_online))

    def on_history_gap(self, group: str, old_epoch: str, new_epoch: str) -> None:
        """Members of a group may have missed messages."""
        self._give(HistoryGap(group, old_epoch, new_epoch))

    def _give(self, news: News, deaths: int = 0) -> None:
        link = self._dispatch.worker_for(_name(news))
        version = 0 if link is None else self._version_of(link)
        if link is None or (isinstance(news, HistoryGap) and version < TIMERS_SINCE):
            self._lose([news], "there is no worker that understands it")
            return
        news.number = 0
        if version >= NEWS_DONE_SINCE:
            self._number += 1
            news.number = self._number
            self._given.setdefault(link, {})[news.number] = _Given(news, deaths)
        link.post(news)

    def on_done(self, link: Link, done: NewsDone) -> None:
        """A worker has handled one."""
        self._given.get(link, {}).pop(done.number, None)

    def leave(self, link: Link) -> None:
        """A worker is gone, with what it had not handled."""
        lost = []
        for news, deaths in self._given.pop(link, {}).values():
            if self._is_over:
                continue
            if self._redeliver and deaths + 1 < MAX_DEATHS:
                self._give(news, deaths + 1)
            else:
                lost.append(news)
        if lost:
            self._lose(lost, f"process {link.peer} has ended with it")

    def stop(self) -> None:
        """This process ends, and its workers with it."""
        self._is_over = True

    def _lose(self, lost: list[News], why: str) -> None:
        self._dispatch.dropped += len(lost)
        shown = ", ".join(map(_shown, lost[:SHOWN]))
        more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
        text = "%d calls may not have been made, since %s: %s%s"
        kind = "news that were lost with a worker"
        self._log.log(logging.WARNING, kind, text, len(lost), why, shown, more)


def _name(news: News) -> str:
    return news.uid if isinstance(news, UserEvent) else news.group


def _shown(news: News) -> str:
    if isinstance(news, HistoryGap):
        return f"on_history_gap({news.group!r:.60})"
    return f"on_uid_{'online' if news.is_online else 'offline'}({news.uid!r:.60})"
