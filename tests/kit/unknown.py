"""The error for a name that does not exist."""

from __future__ import annotations

from typing import Any

import pytest

from lineman.errors import UnknownNameError, UsageError


def words_of(action: Any, *arguments: Any) -> str:
    """The message with which an unknown name is refused."""
    with pytest.raises(UnknownNameError) as caught:
        action(*arguments)
    assert isinstance(caught.value, UsageError)
    assert isinstance(caught.value, AttributeError)
    return str(caught.value)


def set_and_read(thing: object, name: str) -> str:
    """The message, which must be the same for setting and reading."""
    words = words_of(setattr, thing, name, print)
    assert words_of(getattr, thing, name) == words
    assert not hasattr(thing, name)
    assert getattr(thing, name, 7) == 7
    return words
