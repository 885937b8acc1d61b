"""What every test shares: the folder of the tests is importable (`from e2e.support...`)."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

# Kept bytecode spares each of the many programs that tests start the compiling of a hundred
# modules, which is a third of its start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.fixture(autouse=True, scope="session")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Programs of these tests are found here, and not among those of the machine."""
    directory = tmp_path_factory.mktemp("run")
    os.environ["RUNTIME_DIRECTORY"] = str(directory)
    os.environ["LOGS_DIRECTORY"] = str(tmp_path_factory.mktemp("logs"))
    yield directory
    del os.environ["RUNTIME_DIRECTORY"], os.environ["LOGS_DIRECTORY"]
