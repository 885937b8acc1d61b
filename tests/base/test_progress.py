from __future__ import annotations

from collections.abc import Iterator

import pytest

from lineman.base import progress


@pytest.fixture(autouse=True)
def nobody_listens() -> Iterator[None]:
    yield
    progress.listen(None)


def test_every_note_is_heard_until_nobody_listens_any_more() -> None:
    heard: list[int] = []
    progress.listen(lambda: heard.append(len(heard)))
    progress.note()
    progress.note()
    progress.listen(None)
    progress.note()
    assert heard == [0, 1]
