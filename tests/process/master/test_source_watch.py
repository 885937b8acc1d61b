from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from kit.waiting import until
from lineman.process.master import source_watch
from lineman.process.master.source_watch import program_files, stamps, watch_files


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a module that this process has loaded, long ago."""
    path = tmp_path / "rooms.py"
    path.write_text("size = 1\n")
    os.utime(path, (1e9, 1e9))
    loaded = ModuleType("rooms")
    loaded.__file__ = str(path)
    monkeypatch.setitem(sys.modules, "rooms", loaded)
    return path


def test_what_is_loaded_is_the_programs_and_what_is_installed_is_not(module: Path) -> None:
    files = program_files()
    assert str(module) in files
    assert os.path.abspath(asyncio.__file__) not in files
    assert os.path.abspath(source_watch.__file__) not in files
    assert os.path.abspath(pytest.__file__) not in files


def test_a_file_that_is_gone_has_no_time(module: Path) -> None:
    assert stamps([str(module)]) == {str(module): 1e9}
    module.unlink()
    assert stamps([str(module)]) == {str(module): 0.0}


def test_a_change_is_told_once_when_nothing_more_changes(module: Path) -> None:
    async def watch() -> list[str]:
        told: list[str] = []
        task = asyncio.get_running_loop().create_task(watch_files(told.append))
        await asyncio.sleep(0)
        module.write_text("size = 2\n")
        await until(lambda: told)
        await asyncio.sleep(3 * source_watch.LOOK)  # nothing more is said of it
        task.cancel()
        return told

    assert asyncio.run(watch()) == [str(module)]
