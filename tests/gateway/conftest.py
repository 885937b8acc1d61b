from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.support import System
from lineman.brokers.embedded import Hub


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with System(tmp_path) as system:
        yield system


@pytest.fixture
def hub(system: System) -> Iterator[str]:
    path = str(system.directory / "hub.sock")
    system.hub = Hub()
    system.run(system.hub.start(path))
    yield path
    system.run(system.hub.stop())
