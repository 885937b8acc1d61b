"""The methods of `Worker` for events, as a program sees them."""

from __future__ import annotations

from typing import Any

import pytest

from lineman import UsageError, Worker
from lineman.sharing import in_use


def test_a_decorated_function_stays_what_it_was_and_waits_for_the_start() -> None:
    worker = Worker(name="one")

    def changed(data: Any) -> None: ...

    assert worker.on_event("news")(changed) is changed
    assert [event for event, _ in worker.event_functions] == ["news"]
    assert in_use.is_used


def test_an_event_is_published_by_a_worker_that_runs() -> None:
    with pytest.raises(UsageError, match="does not run in this process"):
        Worker(name="one").publish("news")
    with pytest.raises(UsageError, match="does not run in this process"):
        Worker(name="one").broadcast("x", everywhere=True)
