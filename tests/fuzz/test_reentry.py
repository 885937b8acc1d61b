"""The state machine of callbacks, for a moment: `make fuzz` lets it go on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from fuzz import reentry


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[reentry.Ground]:
    made = reentry.Ground(tmp_path_factory.mktemp("s"))
    yield made
    made.loop.close()


@pytest.mark.parametrize("is_tls", [False, True], ids=["ws", "wss"])
def test_whatever_callbacks_do_each_client_reads_what_its_connection_took(
    ground: reentry.Ground, is_tls: bool
) -> None:
    profile = settings(
        max_examples=50,
        stateful_step_count=25,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    reentry.prove(ground, is_tls, profile)
