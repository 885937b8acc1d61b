"""The orders that carry out what the plan has decided."""

from __future__ import annotations

import pytest

from lineman.process.master.child_orders import order_of
from lineman.process.master.model import (
    Drain,
    EndedProcess,
    Order,
    StopNow,
    TellEnded,
    TellReloaded,
)


@pytest.mark.parametrize(
    ("action", "name", "arguments"),
    [
        (StopNow(1, 5), "stop", {"timeout": 5}),
        (
            Drain(1, 1012, 10, 5, is_reload=True),
            "drain",
            {"code": 1012, "seconds": 10, "timeout": 5, "is_reload": True},
        ),
        (TellReloaded(1), "reloaded", {}),
        (TellEnded(1, (EndedProcess(7, -9),)), "ended", {"processes": [(7, -9)]}),
    ],
)
def test_each_has_its_order(action: Order, name: str, arguments: dict[str, object]) -> None:
    assert order_of(action) == (name, arguments)
