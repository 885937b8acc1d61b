"""How the failures of calls are told apart."""

from __future__ import annotations

import pytest

from lineman.asgi.app_calls import client_gone, is_of_the_end


def _wrap(error: OSError) -> None:
    try:
        raise error
    except OSError:
        raise ValueError("the framework's own") from None


def test_an_error_that_only_says_that_the_client_has_gone_is_known_through_others() -> None:
    gone = client_gone(1006, "reset")
    assert is_of_the_end(gone)
    with pytest.raises(ValueError, match="own") as caught:
        _wrap(gone)
    assert is_of_the_end(caught.value)
    assert is_of_the_end(ExceptionGroup("tasks", [ValueError("a"), gone]))


def test_other_errors_are_told() -> None:
    assert not is_of_the_end(ValueError("a"))
    assert not is_of_the_end(OSError("disk full"))
    error = ValueError("a")
    error.__context__ = other = ValueError("b")
    other.__context__ = error  # a circle ends
    assert not is_of_the_end(error)
