"""What an application may be given as; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lineman.errors import ConfigError

_SPELLING = re.compile(r"[^:\s]+:[^:\s]+")
_REMEDY = 'give an ASGI application, or where it is: app="main:app"'


def check_app(app: object) -> None:
    """Refuses what cannot be an application.

    Raises:
        ConfigError: it is neither callable nor `module:attribute`, nor a mapping of paths to such.
    """
    if app is None:
        return
    if isinstance(app, Mapping):
        if not app:
            raise ConfigError("app is an empty dictionary", 'give {"/": app, "/api": other}')
        for path, each in app.items():
            _check_path(path)
            _check_one(each)
        return
    _check_one(app)


def _check_one(app: Any) -> None:
    if isinstance(app, str):
        if _SPELLING.fullmatch(app) is None:
            raise ConfigError(f"app is {app!r}", 'write "module:attribute", such as "main:app"')
    elif not callable(app):
        raise ConfigError(f"app is of type {type(app).__name__}", _REMEDY)


def _check_path(path: object) -> None:
    is_right = isinstance(path, str) and path.startswith("/")
    if not is_right or (path != "/" and str(path).endswith("/")):
        raise ConfigError(
            f"app has the path {path!r}", 'write paths as "/" and "/api", without a slash behind'
        )


def check_root_path(path: object) -> None:
    """Refuses a root path that applications would misread.

    Raises:
        ConfigError: it is no text, or does not begin with a slash.
    """
    if not isinstance(path, str) or (path and not path.startswith("/")):
        raise ConfigError(f"root_path is {path!r}", 'write it like "/api", or leave it out')
