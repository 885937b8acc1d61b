"""How a program is named on a command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineman.base.program_words import command_line, is_application


@pytest.mark.parametrize("subject", ["main:app", "shop.asgi:application", "/srv/shop/main:app.api"])
def test_an_application_is_a_module_and_an_attribute(subject: str) -> None:
    assert is_application(subject)


@pytest.mark.parametrize(
    "subject", ["app.py", "wss://a.example:443/x", "example.com:443", "main:", ":app", "[::1]:80"]
)
def test_neither_a_file_nor_an_address_is_an_application(subject: str) -> None:
    assert not is_application(subject)


def test_a_file_with_a_colon_in_its_name_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "main:app").write_text("")
    monkeypatch.chdir(tmp_path)
    assert not is_application("main:app")


def test_what_a_user_types_fits_what_was_started() -> None:
    assert command_line("app.py", "restart") == "python app.py restart"
    assert command_line("main:app", "start") == "lineman serve main:app"
    assert command_line("/no such/main:app", "restart") == (
        "cd '/no such' && lineman restart main:app"
    )
