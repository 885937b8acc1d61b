from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.support import System


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with System(tmp_path) as system:
        yield system
