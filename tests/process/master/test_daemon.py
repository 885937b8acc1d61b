"""The log of a service in the background, and the result for the waiting command."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from lineman.errors import ConfigError
from lineman.process.master.daemon import default_log


def test_the_log_lies_where_systemd_says_else_with_the_users_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LOGS_DIRECTORY", f"{tmp_path}/logs:{tmp_path}/more")
    assert default_log("chat") == tmp_path / "logs" / "chat.log"
    monkeypatch.delenv("LOGS_DIRECTORY")
    assert default_log("chat") == tmp_path / "state" / "lineman" / "chat.log"


def test_a_place_that_is_no_directory_is_left_for_the_next_and_all_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("LOGS_DIRECTORY", str(file))
    assert default_log("chat").parent == Path(os.environ["RUNTIME_DIRECTORY"])
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(file / "below"))
    with pytest.raises(ConfigError, match=r"no place for the log \(.*/file: file exists; .*/below"):
        default_log("chat")


def run(text: str, *words: str) -> str:
    command = [sys.executable, "-c", textwrap.dedent(text), *words]
    return subprocess.run(command, capture_output=True, check=True, text=True, timeout=60).stdout


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("(True, 'ready'), (False, 'too late')", "True ready"),
        ("(False, 'no port')", "False no port"),
        ("", "False the service ended before it was ready"),
    ],
)
def test_the_waiting_process_gets_the_first_outcome_or_the_news_that_there_was_none(
    said: str, outcome: str
) -> None:
    told = run(f"""
        from lineman.process.master.daemon import detach

        found = detach()
        if callable(found):
            for words in [{said}]:
                found(*words)
        else:
            print(*found)
    """)
    assert told == f"{outcome}\n"


def test_a_redirected_process_reads_nothing_and_appends_to_its_log(tmp_path: Path) -> None:
    log = tmp_path / "chat.log"
    log.write_text("before\n")
    text = """
        import os, sys
        from pathlib import Path
        from lineman.process.master.daemon import redirect

        redirect(Path(sys.argv[1]), os.open)
        os.write(1, b"%d bytes read\\n" % len(os.read(0, 10)))
        os.write(2, b"an error\\n")
    """
    assert run(text, str(log)) == ""
    assert log.read_text() == "before\n0 bytes read\nan error\n"
