from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from lineman.errors import ConfigError
from lineman.process.log.log_setup import LogOptions


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ((None, "text", "INFO"), LogOptions()),
        (("/var/log/chat.log", "json", "debug"), LogOptions("/var/log/chat.log", "json", "DEBUG")),
        ((Path("/x"), "text", logging.WARNING), LogOptions("/x", "text", "WARNING")),
    ],
)
def test_options_are_read(given: tuple[object, object, object], read: LogOptions) -> None:
    assert LogOptions.read(*given) == read


def test_a_relative_file_is_where_the_program_was_started() -> None:
    assert LogOptions.read("app.log", "text", "INFO").log_file == str(Path("app.log").absolute())


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((7, "text", "INFO"), "log_file is 7"),
        ((None, "xml", "INFO"), "log_format is 'xml'"),
        ((None, "text", "LOUD"), "log_level is 'LOUD'"),
        ((None, "text", 7), "log_level is 7"),
    ],
)
def test_options_that_cannot_work_are_refused(given: tuple[object, ...], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        LogOptions.read(*given)


def test_options_survive_the_way_to_another_process() -> None:
    options = LogOptions("/x", "json", "DEBUG")
    assert LogOptions.from_json({**options.to_json(), "metrics": None}) == options


def output(code: str) -> str:
    """The standard error of a program."""
    text = "import logging\nfrom lineman.process.log import log_setup as logs\n"
    text += textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    return done.stderr


def test_by_default_the_log_goes_to_standard_error_from_info_on() -> None:
    said = output("""
        logs.set_up()
        logging.getLogger("lineman").info("listening")
        logging.getLogger("shop").info("open")
        logging.getLogger("shop").debug("nobody wants to know")
    """)
    assert [line.partition("] ")[2] for line in said.splitlines()] == [
        "INFO listening",
        "INFO shop: open",
    ]


def test_a_program_that_has_set_up_logging_itself_is_left_alone() -> None:
    said = output("""
        logging.basicConfig(format="mine: %(message)s", level="WARNING")
        logs.set_up()
        logging.getLogger("lineman").info("listening")
        logging.getLogger("lineman").warning("slow")
    """)
    assert said == "mine: slow\n"


def test_what_is_asked_for_is_done_also_then() -> None:
    said = output("""
        logging.basicConfig(format="mine: %(message)s")
        logs.set_up(logs.LogOptions(log_format="json", log_level="DEBUG"), "chat", 1)
        logging.getLogger("shop").debug("open")
    """)
    mine, ours = said.splitlines()
    assert mine == "mine: open"
    assert '"worker": "chat", "slot": 1, "logger": "shop", "message": "open"' in ours


def test_a_file_that_cannot_be_opened_is_told_at_once(tmp_path: Path) -> None:
    said = output(f'logs.set_up(logs.LogOptions("{tmp_path}/gone/app.log"))')
    assert said == (
        f"lineman: cannot write the log {tmp_path}/gone/app.log: no such file or directory; "
        "lines come here\n"
    )


def test_reopening_without_a_file_is_nothing() -> None:
    assert output("logs.reopen(); logs.set_up(); logs.reopen()") == ""
