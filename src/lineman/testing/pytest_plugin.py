"""Fixtures for pytest, which finds them where Lineman is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

# Lineman is imported by the tests that use a fixture, and costs the others nothing.
if TYPE_CHECKING:
    from lineman.gateway.gateway import Gateway
    from lineman.testing.certificates import TestCA
    from lineman.testing.serving import Serve, Serving
    from lineman.worker import Worker


@pytest.fixture
def lineman_service() -> Iterator[Serve]:
    """Serves a Worker or a Gateway beside the test, until the test ends.

    A test that succeeds fails at its end if a task or a callback of the service has failed in a way
    that asyncio reported.
    """
    from lineman.testing.movable_clock import MovableClock
    from lineman.testing.serving import Serving

    started: list[Serving] = []
    with ExitStack() as stack:

        def serve(service: Worker | Gateway) -> Serving:
            serving = stack.enter_context(Serving(service, clock=MovableClock()))
            started.append(serving)
            return serving

        yield serve
    faults = [fault for serving in started for fault in serving.faults]
    assert not faults, f"the service has failed: {'; '.join(faults)}"


@pytest.fixture(scope="session")
def lineman_authority(tmp_path_factory: pytest.TempPathFactory) -> TestCA:
    """A certificate authority for tests of `wss`: `lineman_authority.issue("localhost")`."""
    from lineman.testing.certificates import TestCA

    return TestCA(tmp_path_factory.mktemp("lineman-authority"))
