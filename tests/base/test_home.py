from __future__ import annotations

import pwd
from pathlib import Path

import pytest

from lineman.base.home import home
from lineman.errors import ConfigError


def test_the_home_directory_is_the_one_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/srv/chat")
    assert home("XDG_DATA_HOME") == Path("/srv/chat")


def test_a_user_without_one_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    with pytest.raises(ConfigError, match="has no home directory here") as caught:
        home("XDG_DATA_HOME")
    assert caught.value.fix == "set XDG_DATA_HOME, or HOME"
