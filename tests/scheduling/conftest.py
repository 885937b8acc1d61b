from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from lineman import Worker
from lineman.testing.serving import Serving


@pytest.fixture
def worker(no_traces: None, caplog: pytest.LogCaptureFixture) -> Worker:
    caplog.set_level("INFO", "lineman")
    return Worker(name="clockwork")


@pytest.fixture
def serving(worker: Worker, stack: ExitStack) -> Iterator[Serving]:
    """The worker, which runs in another thread; a task that is left behind fails the test."""
    serving = Serving(worker)
    stack.enter_context(serving)
    yield serving
    stack.close()
    assert serving.faults == []
