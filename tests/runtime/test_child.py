"""A process that serves one worker: which one, and what is said of a start that failed."""

from __future__ import annotations

import pytest

from lineman import ConfigError, Worker
from lineman.config.worker_description import WorkerDescription
from lineman.runtime.child import _find, _in_words, _innermost

WS = "ws://127.0.0.1:8282"

pytestmark = pytest.mark.usefixtures("no_traces")


def test_the_worker_is_found_by_its_address_and_its_place_among_twins() -> None:
    workers = [Worker(address).runtime for address in ("", WS, "")]
    assert _find(workers, "", 1) is workers[2]
    assert _find(workers, WS, 0) is workers[1]
    for address, twin in ((WS, 1), ("ws://127.0.0.1:9", 0)):  # the program has changed meanwhile
        assert _find(workers, address, twin) is None


def test_the_error_itself_is_told_and_not_the_group_around_it() -> None:
    error = ValueError("no database")
    assert _innermost(ExceptionGroup("a", [ExceptionGroup("b", [error])])) is error
    several = ExceptionGroup("a", [error, OSError()])
    assert _innermost(several) is several


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConfigError("no port", "give one"), "no port; fix: give one"),
        (ValueError("no database"), "ValueError: no database"),
        (OSError(2, "No such file"), "FileNotFoundError: [Errno 2] No such file"),
    ],
)
def test_why_a_worker_does_not_start_is_told_in_words(error: Exception, words: str) -> None:
    worker: WorkerDescription = Worker(WS)
    assert _in_words(error, worker) == words
