"""Chooses the kind of broker by its address."""

from __future__ import annotations

from lineman.brokers.base import MakeBroker
from lineman.brokers.broker_address import check_login, without_login
from lineman.brokers.embedded import Embedded
from lineman.brokers.nats import Nats
from lineman.brokers.redis import Redis
from lineman.brokers.redis_cluster import RedisCluster
from lineman.brokers.remote import DEFAULT_LIMITS, RemoteLimits
from lineman.errors import ConfigError

FORMS = "redis://…, rediss://…, redis+cluster://…, nats://… or tls://…"


class NoBrokerError(ConfigError):
    """The address belongs to no kind of broker."""


def broker_maker(url: str, name: str, limits: RemoteLimits = DEFAULT_LIMITS) -> MakeBroker:
    """The function that makes the broker at an address for a subscriber.

    Args:
        url: `hub:///path`, `redis://…`, `rediss://…`, `redis+cluster://…`, `rediss+cluster://…`,
            `nats://…` or `tls://…`.
        name: the service's name.
        limits: how much may wait for a server, and how long; the hub has none.

    Raises:
        NoBrokerError: the address is none of these.
        ConfigError: its login or its host is invalid.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "hub":
        return lambda subscriber: Embedded(rest, subscriber)
    if scheme in ("redis", "rediss", "redis+cluster", "rediss+cluster", "nats", "tls"):
        check_login(url)
    if scheme in ("redis", "rediss"):
        return lambda subscriber: Redis(url, name, subscriber, limits)
    if scheme in ("redis+cluster", "rediss+cluster"):
        return lambda subscriber: RedisCluster(url, name, subscriber, limits)
    if scheme in ("nats", "tls"):
        return lambda subscriber: Nats(url, name, subscriber, limits)
    raise NoBrokerError(f"{without_login(url)!r} is no broker's address", f"give {FORMS}")
