from __future__ import annotations

from typing import Any

import pytest

from lineman.base.callback_fit import fitted
from lineman.errors import UsageError

GIVEN = ("connection", "code", "reason")


def all_three(connection: object, code: object, reason: object) -> object:
    return connection, code, reason


def one(connection: object) -> object:
    return connection


def any_number(*args: object) -> object:
    return args


@pytest.mark.parametrize(
    ("function", "answer"), [(all_three, (1, 2, 3)), (any_number, (1, 2, 3)), (one, 1)]
)
def test_a_function_may_leave_out_the_last_arguments(function: Any, answer: object) -> None:
    assert fitted("on_close", function, GIVEN)(1, 2, 3) == answer


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (5, "on_close takes a function, got int"),
        (lambda a, b, c, d: None, "asks for 4 arguments"),
        (lambda a, *, b: None, "the keyword argument b is never given"),
    ],
)
def test_what_could_not_be_called_is_refused(function: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        fitted("on_close", function, GIVEN)
