"""How long a client may be silent or unauthenticated. Pure: it decides, its caller acts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from lineman.base import option_kinds
from lineman.base.option_kinds import COUNT_OR_NONE, SECONDS_OR_NONE, Typed, frozen, option
from lineman.errors import ConfigError
from lineman.gateway.holder.held_client import HeldClient


@dataclass(kw_only=True, eq=False, repr=False, init=False)
class GuardFields:
    """The limits of a gateway's clients besides those of every worker; 0 for no limit."""

    authenticate_within: float = option(0.0, SECONDS_OR_NONE)
    """Seconds in which a client must be bound to a uid."""
    ping_data: str | bytes | None = option(None, Typed((str, bytes), "text, bytes or None"))
    """A message that is sent to a client after `ping_interval` seconds of silence, for clients
    that do not show websocket pings to their program; None for none."""
    ping_not_response_limit: int = option(0, COUNT_OR_NONE)
    """The number of silent intervals after which a client is closed."""


@frozen
@dataclass(kw_only=True)
class GuardOptions(GuardFields):
    """The limits of a gateway's clients, checked, with the ping interval.

    Raises:
        ConfigError: a value that cannot work.
    """

    ping_interval: float = option(0.0, SECONDS_OR_NONE)
    """Seconds of silence after which a client is sent `ping_data`."""

    def __post_init__(self) -> None:
        option_kinds.check(GuardOptions, self)
        if (self.ping_data is not None or self.ping_not_response_limit) and not self.ping_interval:
            raise ConfigError(
                "ping_data or ping_not_response_limit is given without an interval",
                "give ping_interval=25 as well",
            )


class Due(Enum):
    """The action that is due for a client."""

    AUTHENTICATION = "not authenticated in time"
    PING = "silent for an interval"
    DEATH = "silent for too long"


class _Heard(NamedTuple):
    heard_at: float
    missed: int


class Guard:
    """Watches the deadlines of the clients of one gateway process.

    Args:
        options: the limits.
        clock: seconds that only go forward.
    """

    def __init__(self, options: GuardOptions, clock: Callable[[], float]) -> None:
        self._options = options
        self._clock = clock
        self._unknown: OrderedDict[HeldClient, float] = OrderedDict()
        self._silent: OrderedDict[HeldClient, _Heard] = OrderedDict()  # the longest silent first

    @property
    def ping_data(self) -> str | bytes | None:
        """The message that is sent to a silent client; None for none."""
        return self._options.ping_data

    @property
    def is_idle(self) -> bool:
        """Whether there is no limit to watch."""
        return self._options == GuardOptions()

    def enter(self, client: HeldClient) -> None:
        """Begins to watch a client."""
        options, now = self._options, self._clock()
        if options.authenticate_within:
            self._unknown[client] = now + options.authenticate_within
        if options.ping_interval:
            self._silent[client] = _Heard(now, 0)

    def leave(self, client: HeldClient) -> None:
        """Ends watching a client that is gone."""
        self._unknown.pop(client, None)
        self._silent.pop(client, None)

    def hear(self, client: HeldClient) -> None:
        """A client sent a message."""
        if client in self._silent:
            self._silent[client] = _Heard(self._clock(), 0)
            self._silent.move_to_end(client)

    def due(self) -> list[tuple[HeldClient, Due]]:
        """The actions that are due now; call this every second."""
        options, now = self._options, self._clock()
        found: list[tuple[HeldClient, Due]] = []
        while self._unknown:
            client, deadline = next(iter(self._unknown.items()))
            if client.uid is None and deadline > now:
                break
            del self._unknown[client]
            if client.uid is None:
                found.append((client, Due.AUTHENTICATION))
        while self._silent:
            client, (heard_at, missed) = next(iter(self._silent.items()))
            if now - heard_at < options.ping_interval:
                break
            missed += 1
            if options.ping_not_response_limit and missed > options.ping_not_response_limit:
                del self._silent[client]
                found.append((client, Due.DEATH))
                continue
            self._silent[client] = _Heard(now, missed)
            self._silent.move_to_end(client)
            found.append((client, Due.PING))
        return found
