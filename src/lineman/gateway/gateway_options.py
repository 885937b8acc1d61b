"""What a `Gateway` may be given besides the options of a `Worker`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lineman.base.option_kinds import (
    FLAG,
    SECONDS,
    CheckedBy,
    Text,
    Typed,
    names_of,
    option,
)
from lineman.brokers.signing import check_secret
from lineman.config import listen_addresses, session_factories
from lineman.config.app_fields import AppFields
from lineman.config.options import ServiceFields
from lineman.config.process_options import PROCESSES
from lineman.errors import ConfigError, UsageError
from lineman.gateway.holder.client_deadlines import GuardFields, GuardOptions
from lineman.gateway.holder.dispatch import Router
from lineman.gateway.holder.group_histories import Frame, frame_as_json
from lineman.gateway.holder.history import HistoryOptions
from lineman.gateway.push.push_endpoint import check_token
from lineman.net.connection.connection import Connection
from lineman.net.connection.limits import Limits

# Bytes of a gateway's name: the names of its sockets have at most 255.
MAX_NAME = 100


def _check_frame(value: object) -> None:
    if not callable(value):
        raise ConfigError(
            f"history_frame is {value!r}",
            "give a function of group, epoch, offset and message, or leave it out",
        )


def _check_router(value: object) -> None:
    if value is not None and not callable(value):
        raise ConfigError(
            f"router is {value!r}",
            "give a function of the connection and a list of ids that returns one of these",
        )


def _no_context() -> None:
    """The default of `context`: each gateway has its own, so the class has none."""


@dataclass(kw_only=True, eq=False, repr=False)
class GatewayOptions(ServiceFields, GuardFields, AppFields):
    """What a `Gateway` may be given.

    The options of a `Worker` apply to the processes that hold clients. `user`, `group`,
    `start_timeout`, `drain_seconds`, `stop_timeout` and `watchdog_timeout` apply to all processes.
    """

    address: str | Sequence[str] = field(kw_only=False)
    """As for `Worker`."""
    context: Mapping[str, Any] | None = field(default_factory=_no_context, kw_only=False)
    """As for `Worker`."""
    gateways: int = option(1, PROCESSES)
    """Processes that hold clients."""
    workers: int = option(1, PROCESSES)
    """Processes that run the callbacks."""
    name: str = option("gateway", Text("chat"))
    """The service's name; nodes with the same name and broker are one service."""
    broker: str | None = option(None, Text("redis://127.0.0.1"))
    """`redis://…`, `rediss://…`, `redis+sentinel://…`, `redis+cluster://…`, `nats://…` or `tls://…`
    for a service on several machines; None for one machine."""
    secret: str | Sequence[str] | None = option(None, CheckedBy(check_secret))
    """16 to 64 bytes that all nodes share: messages from the broker without its signature are
    refused. Of a list the first one signs, and each is accepted."""
    history: HistoryOptions | None = option(
        None, Typed((HistoryOptions,), "a HistoryOptions(messages=…, seconds=…)")
    )
    """How many published messages of each group are kept; None for none."""
    history_frame: Frame = option(frame_as_json, CheckedBy(_check_frame))
    """`(group, epoch, offset, message) -> message`: makes what members get of a kept message."""
    redeliver: bool = option(False, FLAG)
    """Whether messages, and calls such as `on_uid_online`, that a worker had when it died go to
    another worker (at least once); if not, they are dropped and counted (at most once)."""
    wait_timeout: float = option(30.0, SECONDS)
    """Seconds that a client's message waits for a worker."""
    router: Router | None = option(None, CheckedBy(_check_router))
    """`(connection, ids) -> id`: chooses the business worker that serves a client, by the ids of
    the workers that take clients now; None for the one with the fewest clients. The client waits
    for a worker that is not ready."""
    push_socket: str | Path | None = option(None, Typed((str, Path), "the path of a unix socket"))
    """Path of a unix socket where programs of this machine push
    (`GatewayClient("unix:///run/app.sock")`) as the service's user or as root; None for the one in
    the run directory only."""
    push: str | None = option(None, Text("ws://127.0.0.1:8283"))
    """The address where other programs push by HTTP (`POST /push`); None for none."""
    push_token: str | None = option(None, CheckedBy(check_token))
    """The token of these requests: at least 16 ASCII characters; required by `push`."""
    reloadable: bool = option(False, FLAG)
    """Whether a reload also replaces the processes that hold clients, and closes these (1012)."""


def check_addresses(options: GatewayOptions) -> None:
    """Checks that clients stay connected to each address, and can be sent the `ping_data`.

    Raises:
        ConfigError: an address is invalid, has no connections, or cannot carry `ping_data`.
    """
    for each in listen_addresses.parse_all(listen_addresses.texts_of(options.address)):
        if each.address.protocol == "udp":
            raise ConfigError(
                f"an address of a Gateway is {each.text!r}, and UDP has no connections that it "
                "could keep",
                "take a Worker for datagrams; it can push to the Gateway's clients",
            )
        if each.address.protocol == "http":
            raise ConfigError(
                f"an address of a Gateway is {each.text!r}, and requests have no connections that "
                "it could keep",
                f"write {each.address.scheme.replace('http', 'ws')}://, where on_request answers "
                "requests too; or take a Worker for them",
            )
        if options.ping_data is not None:
            _check_ping_data(options, each.text, each.address.protocol)


def check_durable(options: GatewayOptions) -> None:
    """Checks that there is a broker that keeps histories, where they are to be durable.

    Raises:
        ConfigError: there is none.
    """
    if options.history is not None and options.history.durable and options.broker is None:
        raise ConfigError(
            "history is durable, and there is no broker that could keep it: the one of one machine "
            "keeps nothing",
            "give broker='redis://…' or 'nats://…' (with JetStream), or leave durable=True out",
        )


def _check_ping_data(options: GatewayOptions, address: str, protocol: str) -> None:
    new_session = session_factories.of(protocol)
    if new_session is None:
        return
    try:
        sent = new_session(Limits()).encode(options.ping_data)
    except UsageError as error:
        raise ConfigError(
            f"ping_data is {options.ping_data!r:.80}, and {address} cannot carry it",
            str(error),
        ) from None
    if not sent:
        raise ConfigError(
            f"ping_data is empty, and {address} sends nothing for an empty message",
            "give at least one byte",
        )


def checked_router(options: GatewayOptions) -> Router | None:
    """The router of a gateway, whose result is checked; None without one."""
    router, count = options.router, options.workers
    if router is None:
        return None

    def checked(connection: Connection, ids: list[int]) -> int:
        found: object = router(connection, ids)
        if type(found) is not int or not 0 <= found < count:
            raise UsageError(
                f"router returned {found!r}; return the id of a worker, 0 to {count - 1}"
            )
        return found

    return checked


def check_name(name: str) -> None:
    """Refuses a name that no file can have: the sockets are named after the gateway."""
    if not name or "/" in name or not name.isprintable() or len(name.encode()) > MAX_NAME:
        raise ConfigError(
            f"name is {name[:MAX_NAME]!r}",
            f'give a text of 1 to {MAX_NAME} bytes without "/", such as "chat"',
        )


def limits_of(options: GatewayOptions, given: Mapping[str, Any]) -> GuardOptions:
    """The limits of clients; of `ping_interval` only a given value counts, not the default."""
    asks = options.ping_data is not None or options.ping_not_response_limit
    return GuardOptions(
        authenticate_within=options.authenticate_within,
        ping_data=options.ping_data,
        ping_not_response_limit=options.ping_not_response_limit,
        ping_interval=given.get("ping_interval", 0) if asks else 0,
    )


OPTIONS = names_of(GatewayOptions)
OF_HOLDERS = names_of(ServiceFields)
# The options that apply to all kinds of processes.
SHARED = (
    "user", "group", "start_timeout", "drain_seconds", "stop_timeout", "watchdog_timeout",
)  # fmt: skip
