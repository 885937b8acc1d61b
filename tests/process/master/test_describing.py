"""A program that describes itself: its description counts once, and only after a normal end."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lineman.errors import ConfigError
from lineman.process.master.children import Program
from lineman.process.master.describing import describe

TELLS = """
import json, os
link = int(json.loads(os.environ["LINEMAN_ROLE"])["link"])
where = dict(text="ws://h:1", scheme="ws", host="h", port=1)
place = dict(address="ws://h:1", twin=0, title="chat", addresses=[where], count=1, backlog=9)
line = json.dumps({"places": [place]}).encode() + b"\\n"
"""


def described(directory: Path, text: str) -> str:
    """The result for a program with this code, in words."""
    script = directory / "app.py"
    script.write_text(TELLS + text)
    program = Program((sys.executable, str(script)), str(directory), str(script))
    try:
        (place,) = describe(program, None).places
    except ConfigError as error:
        return str(error)
    return place.title


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("os.write(link, line)", "chat"),
        ("os.write(link, line + line)", "it has described itself more than once; fix: correct it"),
        ("os.write(link, line); os._exit(3)", "did not end normally (exit status 3), so what it"),
        ("os.write(link, b'rubbish\\n')", "a message that is no JSON"),
        (
            'os.write(link, json.dumps({"error": "no\\tport"}).encode() + b"\\n")',
            "no port; fix: correct it and try again",
        ),
        ("", "app.py ends and does not come to Worker.run_all()"),
        ("import nothing_there", "does not come to Worker.run_all(): ModuleNotFoundError"),
        ("os.kill(os.getpid(), 9)", "does not come to Worker.run_all(): signal 9 (SIGKILL)"),
    ],
)
def test_what_a_program_says_of_itself_is_believed_or_the_reason_is_told(
    tmp_path: Path, text: str, words: str
) -> None:
    assert words in described(tmp_path, text)
