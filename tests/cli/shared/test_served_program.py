"""The words of an application."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineman.cli.shared.served_program import command_of, to_restart, words_for, words_in, words_of
from lineman.errors import ConfigError, UsageError


def test_the_program_gets_the_words_that_are_not_for_its_master() -> None:
    words = ["main:app", "-d", "--log", "a", "--user=b", "--workers", "2", "--reload"]
    assert words_of(words) == ["main:app", "--workers", "2"]


def test_words_are_found_in_the_command_line_that_they_make() -> None:
    words = ["main:app", "--port", "80"]
    assert words_in(command_of(words)) == words
    assert words_in(["python", "app.py", "main:app"]) == []


def test_a_command_takes_the_options_of_serve(capsys: pytest.CaptureFixture[str]) -> None:
    assert words_for("app.py", []) == []
    assert words_for("no_such_module:app", []) == ["no_such_module:app"]
    given = ["--port", "80", "--factory", "--user", "a"]
    assert words_for("main:app", given) == ["main:app", "--port", "80", "--factory"]
    with pytest.raises(SystemExit):
        words_for("main:app", ["--prot", "80"])
    assert "did you mean --port?" in capsys.readouterr().err
    with pytest.raises(UsageError, match="--host and --port"):
        words_for("main:app", ["--fd=3"])


def test_what_does_not_run_is_restarted_with_its_options_alone(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "app.pid")
    with pytest.raises(ConfigError, match="lineman serve main:app, with its options"):
        to_restart("main:app", [], nowhere)
    assert to_restart("main:app", ["--port", "80"], nowhere).program.command[-1] == "80"
