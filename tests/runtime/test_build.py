"""What `lineman --version` says about how the package was built."""

from __future__ import annotations

import importlib.machinery

import pytest

from lineman.protocols.websocket import decoder as messages
from lineman.runtime import build


@pytest.mark.parametrize("suffix", importlib.machinery.EXTENSION_SUFFIXES)
def test_a_module_that_was_loaded_from_a_library_is_compiled(suffix: str) -> None:
    assert build.is_extension(f"/somewhere/messages{suffix}")


@pytest.mark.parametrize("path", ["/somewhere/messages.py", "/somewhere/messages.pyc", None])
def test_a_module_that_was_loaded_from_python_is_not(path: str | None) -> None:
    assert not build.is_extension(path)


def test_the_codec_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "__file__", "/somewhere/messages.so")
    assert build.is_compiled()
    assert build.describe() == "compiled"
    monkeypatch.setattr(messages, "__file__", "/somewhere/messages.py")
    assert not build.is_compiled()
    assert build.describe() == "pure Python"
