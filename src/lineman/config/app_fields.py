"""The options that describe an application, for a `Worker` and for a `Gateway`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from lineman.base.option_kinds import CheckedBy, Choice, option
from lineman.config.app_kinds import check_app, check_root_path


@dataclass(kw_only=True, eq=False, repr=False)
class AppFields:
    """What is served in place of callbacks."""

    app: Any = option(None, CheckedBy(check_app))
    """An ASGI application that answers requests and websockets (with `on_message`: requests alone),
    or where it is, as `main:app`; or several by their paths, as `{"/": app, "/api": "api:app"}`."""
    root_path: str = option("", CheckedBy(check_root_path))
    """The path at which a proxy in front mounts the application, such as `/api`."""
    lifespan: Literal["auto", "on", "off"] = option("auto", Choice(("auto", "on", "off")))
    """Whether the application has a lifespan: `on` refuses to start without one, `off` does not ask
    for it."""
