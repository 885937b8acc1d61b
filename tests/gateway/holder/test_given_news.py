"""What users and groups have done is not lost with a worker, or it is counted and named."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

import pytest

from kit.gateway import System
from lineman.base.loglimit import LogLimit
from lineman.gateway.business.business_worker import Business
from lineman.gateway.holder.dispatch import MAX_DEATHS, Dispatch
from lineman.gateway.holder.given_news import GivenNews
from lineman.gateway.holder.routing_options import RoutingOptions
from lineman.gateway.wire.messages import HistoryGap, NewsDone, UserEvent
from lineman.gateway.wire.versions import NEWS_DONE_SINCE
from lineman.links.framing import Message
from lineman.links.link import Link


class Worker:
    """In place of a link."""

    peer = "77"

    def __init__(self) -> None:
        self.has: list[Message] = []

    def post(self, message: Message) -> None:
        self.has.append(message)


class Workers:
    """In place of what chooses workers: the first one gets all."""

    def __init__(self, *links: Worker) -> None:
        self.links = list(links)
        self.dropped = 0

    def worker_for(self, name: str) -> Any:
        return self.links[0] if self.links else None


def given_by(workers: Workers, *, redeliver: bool, version: int = NEWS_DONE_SINCE) -> GivenNews:
    log = LogLimit(logging.getLogger("lineman"))
    return GivenNews(cast(Dispatch, workers), lambda link: version, redeliver, log)


def end(given: GivenNews, workers: Workers) -> None:
    link = workers.links.pop(0)
    given.leave(cast(Link, link))


def test_what_a_worker_had_not_handled_is_counted_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    worker = Worker()
    workers = Workers(worker)
    given = given_by(workers, redeliver=False)
    given.on_user("anna", True)
    given.on_user("bert", False)
    given.on_history_gap("room", "e1", "e2")
    assert worker.has == [
        UserEvent("anna", True, 1), UserEvent("bert", False, 2), HistoryGap("room", "e1", "e2", 3)
    ]  # fmt: skip
    given.on_done(cast(Link, worker), NewsDone(1))
    given.on_done(cast(Link, worker), NewsDone(1))
    end(given, workers)
    assert workers.dropped == 2
    assert "process 77 has ended with it: on_uid_offline('bert'), on_history_gap('room')" in (
        caplog.text
    )
    assert "anna" not in caplog.text


def test_with_redeliver_another_worker_gets_it_in_the_same_order() -> None:
    first, second = Worker(), Worker()
    workers = Workers(first, second)
    given = given_by(workers, redeliver=True)
    given.on_user("anna", True)
    given.on_user("anna", False)
    end(given, workers)
    assert second.has == [UserEvent("anna", True, 3), UserEvent("anna", False, 4)]
    given.on_done(cast(Link, second), NewsDone(4))
    end(given, workers)
    assert workers.dropped == 1, "there is no worker any more"


def test_news_with_which_workers_die_do_not_kill_all() -> None:
    workers = Workers(*(Worker() for _ in range(MAX_DEATHS + 1)))
    given = given_by(workers, redeliver=True)
    given.on_user("anna", True)
    for _ in range(MAX_DEATHS):
        end(given, workers)
    assert workers.dropped == 1
    assert workers.links[0].has == []


def test_a_worker_of_a_version_before_says_nothing_and_nothing_is_kept_for_it() -> None:
    worker = Worker()
    workers = Workers(worker)
    given = given_by(workers, redeliver=True, version=NEWS_DONE_SINCE - 1)
    given.on_user("anna", True)
    assert worker.has == [UserEvent("anna", True)]
    end(given, workers)
    assert workers.dropped == 0


def test_at_the_end_of_the_process_nothing_is_missed() -> None:
    workers = Workers(Worker())
    given = given_by(workers, redeliver=False)
    given.on_user("anna", True)
    given.stop()
    end(given, workers)
    assert workers.dropped == 0


def die(business: Business) -> None:
    """Ends all links as the kernel does when a process is killed."""
    business._dialler.stop()
    for link in list(business._receivers):
        link.fail("killed")


@pytest.mark.parametrize("redeliver", [False, True])
def test_a_user_who_came_while_the_worker_died_is_told_to_another_one_or_counted(
    system: System, redeliver: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def never(uid: str) -> None:
        await asyncio.sleep(1000)

    told: list[str] = []
    options = RoutingOptions(tells_users=True)
    node = system.add_node("on_message", "on_uid_online", routing=options, redeliver=redeliver)
    dying = system.add_business(
        on_message=lambda client, message: client.bind(message), on_uid_online=never
    )
    client = system.connect()
    client.send("anna")
    system.wait_until(lambda: dying._running.names, "the worker has it")
    system.add_business(on_uid_online=told.append)
    system.call(die, dying)
    system.wait_until(lambda: node.dispatch.workers == 1, "the gateway process has noticed")
    if redeliver:
        system.wait_until(lambda: told, "another one is told")
    assert node.dispatch.dropped == (0 if redeliver else 1)
    assert ("on_uid_online('anna')" in caplog.text) is not redeliver
    for task in list(dying._running.names):
        system.call(task.cancel)
