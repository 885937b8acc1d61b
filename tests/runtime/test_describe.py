"""A program's workers, as the master that will run them gets to know them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lineman import ConfigError, Worker
from lineman.process.master.description import Description, PlaceAddress
from lineman.runtime.describe import MAX_TITLE, METRICS, describe

pytestmark = pytest.mark.usefixtures("no_traces")

WS = "ws://127.0.0.1:8282"


def described(*workers: Worker, **settings: Any) -> Description:
    return describe(workers, settings)


def test_workers_with_the_same_address_are_told_apart_by_their_order() -> None:
    jobs = [Worker(), Worker(), Worker(WS)]
    assert [(each.address, each.twin) for each in described(*jobs).places] == [
        ("", 0), ("", 1), (WS, 0),
    ]  # fmt: skip


def test_a_place_says_where_its_processes_listen_and_how_they_run(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    tcp = Worker(WS, count=3, name="chat", user="www-data", drain_seconds=2, backlog=9)
    unix = Worker(f"ws+unix://{path}", socket_mode=0o666, reloadable=False)
    jobs, chat = described(tcp, unix).places[::-1]
    assert (chat.title, chat.addresses) == ("chat", (PlaceAddress(WS, "ws", "127.0.0.1", 8282),))
    assert (chat.count, chat.user, chat.backlog, chat.rules.drain_seconds) == (3, "www-data", 9, 2)
    assert (jobs.addresses[0].path, jobs.socket_mode) == (str(path), 0o666)
    assert not jobs.is_reloadable
    assert chat.listens
    assert not described(Worker()).places[0].listens


def test_a_place_has_every_address_and_is_known_by_the_first() -> None:
    (place,) = described(Worker([WS, "text://127.0.0.1:7000"])).places
    assert (place.address, place.twin, place.title) == (WS, 0, f"{WS}, text://127.0.0.1:7000")
    assert [each.text for each in place.addresses] == [WS, "text://127.0.0.1:7000"]


@pytest.mark.parametrize(
    ("options", "title"),
    [
        ({"name": "a\x1b[2J\nb"}, "a [2J b"),
        ({"name": "x" * 500}, "x" * MAX_TITLE + "…"),
        ({}, WS),
    ],
)
def test_a_title_is_one_line_that_may_be_shown(options: Mapping[str, Any], title: str) -> None:
    assert described(Worker(WS, **options)).places[0].title == title


def test_metrics_run_in_a_process_of_their_own_with_the_workers_user_and_longest_times() -> None:
    one = Worker(WS, drain_seconds=3, stop_timeout=8)
    two = Worker("ws://127.0.0.1:8283", user="www-data", drain_seconds=4)
    *_, place = described(one, two, metrics="127.0.0.1:9100").places
    assert (place.title, place.count, place.addresses[0].port) == (METRICS, 1, 9100)
    assert (place.user, place.takes_clients) == ("www-data", False)
    assert (place.rules.drain_seconds, place.rules.stop_timeout) == (4, 8)
    assert place.module


@pytest.mark.parametrize("wrong", ["9100", "127.0.0.1", "http://127.0.0.1:9100", "", 9100])
def test_an_address_for_metrics_that_is_none_is_refused(wrong: object) -> None:
    with pytest.raises(ConfigError, match=rf"metrics is {wrong!r}; fix: give an address"):
        described(Worker(WS), metrics=wrong)
