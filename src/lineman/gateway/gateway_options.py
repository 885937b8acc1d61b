"""What a `Gateway` may be given besides the options of a `Worker`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lineman.base.option_kinds import FLAG, SECONDS, CheckedBy, Text, Typed, names_of, option
from lineman.config.options import ServiceFields
from lineman.config.process_options import PROCESSES
from lineman.errors import ConfigError
from lineman.gateway.cluster.signing import check_secret
from lineman.gateway.holder.client_deadlines import GuardFields
from lineman.gateway.holder.group_histories import Frame, frame_as_json
from lineman.gateway.holder.history import HistoryOptions
from lineman.gateway.push.push_endpoint import check_token


def _check_frame(value: object) -> None:
    if not callable(value):
        raise ConfigError(
            f"history_frame is {value!r}",
            "give a function of group, epoch, offset and message, or leave it out",
        )


def _no_context() -> None:
    """A gateway has its own, so the class has none."""


@dataclass(kw_only=True, eq=False, repr=False)
class GatewayOptions(ServiceFields, GuardFields):
    """What a `Gateway` may be given.

    Those of a `Worker` are of the processes that hold clients; `user`, `group`, `start_timeout`,
    `stop_timeout` and `watchdog_timeout` of all.
    """

    address: str = field(kw_only=False)
    """As for `Worker`."""
    context: Mapping[str, Any] | None = field(default_factory=_no_context, kw_only=False)
    """As for `Worker`."""
    gateways: int = option(1, PROCESSES)
    """Processes that hold clients."""
    workers: int = option(1, PROCESSES)
    """Processes that run the callbacks."""
    name: str = option("gateway", Text("chat"))
    """Of the service; nodes of one name and one broker are one service."""
    broker: str | None = option(None, Text("redis://127.0.0.1"))
    """`redis://…`, `rediss://…`, `redis+cluster://…`, `nats://…` or `tls://…` where the service has
    several machines; None for one."""
    secret: str | None = option(None, CheckedBy(check_secret))
    """16 to 64 bytes that all nodes share: what comes by the broker without it is refused."""
    history: HistoryOptions | None = option(
        None, Typed((HistoryOptions,), "a HistoryOptions(messages=…, seconds=…)")
    )
    """How much is kept of what is published to each group; None for nothing."""
    history_frame: Frame = option(frame_as_json, CheckedBy(_check_frame))
    """`(group, epoch, offset, message) -> message`: what members get of that."""
    redeliver: bool = option(False, FLAG)
    """Whether messages that a worker had when it died go to another one (at least once), or are
    dropped and counted (at most once)."""
    wait_timeout: float = option(30.0, SECONDS)
    """Seconds that a client's message waits for a worker."""
    push_socket: str | Path | None = option(None, Typed((str, Path), "the path of a unix socket"))
    """Path of a unix socket where programs of this machine push
    (`GatewayClient("unix:///run/app.sock")`) as the service's user or as root; None for one in the
    run directory only."""
    push: str | None = option(None, Text("ws://127.0.0.1:8283"))
    """Where other programs push by HTTP (`POST /push`); None for nowhere."""
    push_token: str | None = option(None, CheckedBy(check_token))
    """What they must carry, 16 ASCII characters at least; no default with `push`."""
    reloadable: bool = option(False, FLAG)
    """Whether a reload also replaces the processes with clients, and closes those with 1012."""


OPTIONS = names_of(GatewayOptions)
OF_HOLDERS = names_of(ServiceFields)
# Of all kinds of processes.
SHARED = ("user", "group", "start_timeout", "stop_timeout", "watchdog_timeout")
