"""How a program is named on a command line: a file, such as `app.py`, or an application of ASGI,
such as `main:app`.
"""

from __future__ import annotations

import os
import re
import shlex

# A module and an attribute of it; `example.com:443` is none.
_APPLICATION = re.compile(r"[^\W\d][\w.]*:[^\W\d][\w.]*")


def is_application(subject: str) -> bool:
    """Whether it names an application, and no file and no URL."""
    named = _APPLICATION.fullmatch(os.path.basename(subject))
    return named is not None and "://" not in subject and not os.path.exists(subject)


def command_line(script: str, word: str) -> str:
    """What a user types to start or restart a program.

    Args:
        script: its path, or that of `main:app`: the directory where it was started, and its name.
        word: `start` or `restart`.
    """
    if not is_application(script):
        return f"python {shlex.quote(script)} {word}"
    verb = {"start": "serve"}.get(word, word)
    folder, name = os.path.split(script)
    is_here = not folder or os.path.realpath(folder) == os.getcwd()
    place = "" if is_here else f"cd {shlex.quote(folder)} && "
    return f"{place}lineman {verb} {shlex.quote(name)}"
