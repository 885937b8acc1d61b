"""Services get what the settings of this process' program say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lineman import Gateway, Worker
from lineman.config import applied_settings
from lineman.errors import ConfigError


@pytest.fixture(autouse=True)
def forgotten(no_traces: None) -> Iterator[None]:
    applied_settings.forget()
    yield
    applied_settings.forget()


def test_a_worker_gets_them_after_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEMAN_COUNT", "3")
    worker = Worker("ws://127.0.0.1:0", name="chat")
    worker.count = 2
    applied = applied_settings.apply_to_worker(worker)
    assert applied is not None
    assert (worker.count, applied.found["count"].source) == (3, "LINEMAN_COUNT")


def test_the_workers_of_a_gateway_get_only_what_the_gateway_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "COUNT": "3",
        "GATEWAYS": "2",
        "WORKERS": "4",
        "PING_INTERVAL": "9",
    }.items():
        monkeypatch.setenv(f"LINEMAN_{name}", value)
    before = len(Worker.all_workers)
    Gateway("ws://127.0.0.1:0", name="rooms", workers=1)
    made = Worker.all_workers[before:]
    assert all(applied_settings.apply_to_worker(each) is None for each in made)
    assert {each.name: each.count for each in made} == {
        "rooms": 2, "rooms business": 4, "rooms hub": 1,
    }  # fmt: skip
    assert made[0].ping_interval == 9


def test_a_gateway_with_a_wrong_setting_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEMAN_ROOMS__WORKERS", "none")
    with pytest.raises(ConfigError, match="LINEMAN_ROOMS__WORKERS: workers is 'none'"):
        Gateway("ws://127.0.0.1:0", name="rooms")
