"""Which options and callbacks mean something for `http://` and `https://`. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lineman.config.listen_addresses import ListenAddress
from lineman.config.worker_description import WorkerDescription
from lineman.errors import ConfigError

# For messages of clients, or for handshakes: nobody ever calls them for a plain request.
_CALLBACKS = ("on_message", "on_websocket_connect")
_OPTIONS = ("origins", "subprotocols")


def check(worker: WorkerDescription, listens: Sequence[ListenAddress]) -> None:
    """Refuses a worker whose requests nobody answers, and what means nothing for requests alone.

    Args:
        worker: the worker.
        listens: all its addresses.

    Raises:
        ConfigError: one address is for plain requests and nothing answers them; or all are, and
            something is given that is never used.
    """
    plain = [each for each in listens if each.address.protocol == "http"]
    if not plain or worker.app is not None:  # an application serves both at any of them
        return
    answers = worker._has_callback("on_request") or worker._has_callback("on_worker_start")
    if not answers:
        raise ConfigError(
            f"{plain[0].text} is for requests, and {worker!r} has no on_request: nobody answers",
            "write @worker.on_request above a function that takes the request and returns the "
            "answer",
        )
    if len(plain) < len(listens):
        return
    instead = f"{plain[0].address.scheme.replace('http', 'ws')}:// in place of {plain[0].text}"
    for name in _CALLBACKS:
        if worker._has_callback(name):
            raise ConfigError(
                f"{name} is set, and {plain[0].text} has no websockets: it would never be called",
                f"write on_request, which gets each request; for websockets write {instead}",
            )
    for name in _OPTIONS:
        if getattr(worker, name):
            raise ConfigError(
                f"{name} is {getattr(worker, name)!r}, and {plain[0].text} has no websockets",
                f"leave {name} out; for websockets write {instead}",
            )
