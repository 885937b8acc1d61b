"""Where an application makes sense in a worker. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lineman.config.listen_addresses import ListenAddress, in_words
from lineman.config.worker_description import WorkerDescription
from lineman.errors import ConfigError


def check(worker: WorkerDescription, listens: Sequence[ListenAddress]) -> None:
    """Refuses an application that no request reaches, and two that answer.

    Raises:
        ConfigError: the worker has no address with HTTP, or `on_request` as well; or it has options
            of applications and none.
    """
    if worker.app is None:
        for name in ("root_path", "lifespan"):
            if getattr(worker, name) not in ("", "auto"):
                raise ConfigError(
                    f"{name} is {getattr(worker, name)!r}, and the worker has no app",
                    f"leave {name} out, or give app=…",
                )
        return
    if not any(each.has_http for each in listens):
        where = in_words(listens)
        raise ConfigError(
            f"app is given, and {where} has no HTTP", "write http:// or ws:// in the address"
        )
    if worker._has_callback("on_request"):
        raise ConfigError(
            "app and on_request are given: both would answer the same requests",
            "leave one of them out; on_message may stand beside an app, and gets the websockets",
        )
    for name in ("on_websocket_connect", "on_connect", "on_close"):
        if worker._has_callback(name) and not worker._has_callback("on_message"):
            raise ConfigError(
                f"{name} is set, and the app gets all websockets: it would never be called",
                "write on_message as well, then websockets go to the callbacks; or leave it out",
            )
    if worker.subprotocols and not worker._has_callback("on_message"):
        raise ConfigError(
            f"subprotocols is {worker.subprotocols!r}, and the app chooses them itself",
            "leave subprotocols out",
        )
