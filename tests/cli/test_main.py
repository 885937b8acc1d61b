"""The command line around the subcommands."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lineman.cli import main as command
from lineman.errors import ConfigError, UsageError
from lineman.net.stream.tlsstream import is_direct
from lineman.tls.openssl import access as openssl


def run(error: BaseException | None, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit status of a subcommand that raises this."""

    class Failing:
        @staticmethod
        def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
            commands.add_parser("fail").set_defaults(run=Failing.run)

        @staticmethod
        def run(options: argparse.Namespace) -> int:
            if error is not None:
                raise error
            return 0

    monkeypatch.setattr(command, "modules", lambda first, handoff: [Failing])
    return command.main(["fail"])


@pytest.mark.parametrize("kind", [UsageError, ConfigError])
def test_what_a_terminal_would_obey_is_shown_as_an_escape(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: Any
) -> None:
    error = kind("no file \x1b[31mred") if kind is UsageError else kind("no \x1b[31mred", "see")
    assert run(error, monkeypatch) in (1, 2)
    printed = capsys.readouterr().err
    assert "\\x1b[31mred" in printed
    assert "\x1b" not in printed


def test_ctrl_c_while_a_command_is_loaded_ends_it_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(first: str, handoff: object) -> list[object]:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "modules", interrupted)
    assert command.main(["bench"]) == command.INTERRUPTED


def test_version_says_what_a_bug_report_needs() -> None:
    line = command.version()
    known = r"lineman \d+\.\d+\.\d+ \((compiled|pure Python)\), Python 3\.\d+\.\d+\S*, OpenSSL \S+"
    how = r"(called directly|called through ssl)"
    assert re.fullmatch(f"{known} {how}", line), line
    assert is_direct() or "pure Python" in line or openssl.library() is None


def test_the_module_can_be_run() -> None:
    words = [sys.executable, "-m", "lineman", "--version"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == command.version() + "\n"


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--help"])
    assert ended.value.code == 0
    assert re.search(r"^ +bench +\w", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize("words", [[], ["dance"], ["bench"], ["bench", "ws://x", "--speed", "9"]])
def test_words_that_are_no_command_end_with_status_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(words)
    assert ended.value.code == 2
    assert "usage: lineman" in capsys.readouterr().err


def test_a_command_that_did_its_work_ends_with_status_0(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(None, monkeypatch) == 0


def test_what_the_operator_must_mend_ends_with_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(ConfigError("nothing listens", "start it"), monkeypatch) == 1
    assert capsys.readouterr().err == "lineman: nothing listens; fix: start it\n"


def test_options_that_make_no_sense_end_with_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(UsageError("give one of them"), monkeypatch) == 2
    assert capsys.readouterr().err == "lineman: give one of them\n"


def test_a_forced_end_has_the_status_of_sigint(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(KeyboardInterrupt(), monkeypatch) == 130


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["statsu"], "there is no 'statsu'; did you mean status?"),
        (["Reload", "app.py"], "did you mean reload?"),
        (["cert", "chek"], "did you mean check?"),
        (["status", "app.py", "--jsn"], "--jsn; did you mean --json?"),
        (["start", "app.py", "--pidfile=x"], "did you mean --pid-file?"),
        (["xyzzy"], "there are: start, run, restart"),
        ([__file__, "start"], f"the command comes first: lineman start {__file__}"),
    ],
)
def test_a_word_that_is_misspelt_is_answered_with_the_one_that_was_meant(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(words)
    assert ended.value.code == 2
    assert hint in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_learns_how_to_complete(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(["--completion", shell])
    assert caught.value.code == 0
    assert "lineman" in capsys.readouterr().out


def test_commands_and_options_are_completed_in_bash() -> None:
    folder = Path(sys.executable).parent
    script = """
        eval "$(lineman --completion bash)"
        for COMP_LINE in "lineman sta" "lineman doctor --prof" \\
            "lineman dra" "lineman drain --sh"; do
            COMP_POINT=${#COMP_LINE} COMP_TYPE=9 COMP_WORDS=($COMP_LINE) COMP_CWORD=1
            _python_argcomplete lineman "" ""
            echo "${COMPREPLY[@]}"
        done
    """
    done = subprocess.run(
        ["bash", "-c", script],
        env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    completed = [line.strip() for line in done.stdout.splitlines()]
    assert completed == ["start status", "--profile", "drain", "--share"]
