"""What the tests of processes share: a program of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from process.support import App, echo


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[Callable[[str], App]]:
    """Makes a program from its text; it is ended after the test."""
    apps: list[App] = []

    def make(text: str) -> App:
        apps.append(App(tmp_path, text))
        return apps[-1]

    yield make
    for app in apps:
        app.stop()


@pytest.fixture
def app(make_app: Callable[[str], App]) -> App:
    """One process that answers with its pid."""
    return make_app(echo())
