from __future__ import annotations

from pathlib import Path

import pytest

from lineman.errors import ConfigError
from lineman.process.master.upkeep import EVERY, Upkeep


def test_it_looks_from_time_to_time_and_says_what_was_made_anew(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gone = [Path("/run/a.pid")]
    looks: list[int] = []

    def part() -> Path | None:
        looks.append(1)
        return gone.pop() if gone else None

    upkeep = Upkeep([part])
    for now in (100.0, 100.1, 100.0 + EVERY - 0.01, 100.0 + EVERY):
        upkeep.look(now)
    assert len(looks) == 2
    assert [record.getMessage() for record in caplog.records] == [
        "/run/a.pid was removed and is created again; see which program removes it"
    ]


def test_what_cannot_be_made_anew_is_told_once_and_again_after_it_could(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made: list[Path] = []
    faults: list[Exception | None] = [
        *(OSError("no space left"), OSError("no space left")),
        *(ConfigError("taken", "free it"), None, OSError("no space left")),
    ]

    def broken() -> Path | None:
        fault = faults.pop(0)
        if fault is not None:
            raise fault
        return None

    def whole() -> Path | None:
        made.append(Path("x"))
        return None

    upkeep = Upkeep([broken, whole])
    for turn in range(5):
        upkeep.look(turn * EVERY)
    assert len(made) == 5, "what fails does not hinder the rest"
    words = "a removed file cannot be created again: "
    assert [record.getMessage() for record in caplog.records] == [
        f"{words}no space left",
        f"{words}taken; fix: free it",
        f"{words}no space left",
    ]
