"""Settings for every test; code that two packages of tests need is in `kit`."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Tests start many programs. With kept bytecode none of them compiles a hundred modules, which takes
# a third of its start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

pytest_plugins = ["kit.fixtures"]
pytest.register_assert_rewrite("kit")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: two processes for each core, since tests wait for programs half of the time."""
    return 2 * len(os.sched_getaffinity(0))


@pytest.fixture(autouse=True, scope="session")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Programs of these tests are found here, and not among those of the machine."""
    directory = tmp_path_factory.mktemp("run")
    os.environ["RUNTIME_DIRECTORY"] = str(directory)
    os.environ["LOGS_DIRECTORY"] = str(tmp_path_factory.mktemp("logs"))
    yield directory
    del os.environ["RUNTIME_DIRECTORY"], os.environ["LOGS_DIRECTORY"]
