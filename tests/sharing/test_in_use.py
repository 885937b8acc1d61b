"""A program's processes have a broker if it has a function for an event, or shared values."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lineman import Shared, Worker
from lineman.sharing import in_use


@pytest.mark.parametrize(
    "use", [lambda: Shared("x"), lambda: Worker(name="one").on_event("news")(print)]
)
def test_what_needs_a_broker_is_noted(
    monkeypatch: pytest.MonkeyPatch, use: Callable[[], object]
) -> None:
    monkeypatch.setattr(in_use, "is_used", False)
    Worker(name="one")
    assert not in_use.is_used
    assert not in_use.is_wanted(None)
    assert in_use.is_wanted("embedded")
    use()
    assert in_use.is_used
    assert in_use.is_wanted(None)
