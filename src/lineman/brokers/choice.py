"""Chooses the kind of broker by its address."""

from __future__ import annotations

from lineman.brokers.base import MakeBroker
from lineman.brokers.broker_address import check_login, joined, without_login
from lineman.brokers.embedded import Embedded
from lineman.brokers.history_store import HistoryStore, StoreLimits
from lineman.brokers.nats import Nats
from lineman.brokers.nats_history import NatsHistory
from lineman.brokers.redis import Redis
from lineman.brokers.redis_cluster import RedisCluster
from lineman.brokers.redis_history import RedisHistory
from lineman.brokers.redis_sentinel import RedisSentinel
from lineman.brokers.remote import DEFAULT_LIMITS, RemoteLimits
from lineman.errors import ConfigError

FORMS = "redis://…, rediss://…, redis+sentinel://…, redis+cluster://…, nats://… or tls://…"
# The classes of the brokers that are separate services, by scheme.
KINDS: dict[str, type[Redis | RedisCluster | Nats]] = {
    "redis": Redis,
    "rediss": Redis,
    "redis+sentinel": RedisSentinel,
    "rediss+sentinel": RedisSentinel,
    "redis+cluster": RedisCluster,
    "rediss+cluster": RedisCluster,
    "nats": Nats,
    "tls": Nats,
}
# What keeps durable histories at the same servers.
STORES: dict[str, type[RedisHistory | NatsHistory]] = {
    "redis": RedisHistory,
    "rediss": RedisHistory,
    "redis+sentinel": RedisHistory,
    "rediss+sentinel": RedisHistory,
    "redis+cluster": RedisHistory,
    "rediss+cluster": RedisHistory,
    "nats": NatsHistory,
    "tls": NatsHistory,
}


class NoBrokerError(ConfigError):
    """The address belongs to no kind of broker."""


def broker_maker(url: str, name: str, limits: RemoteLimits = DEFAULT_LIMITS) -> MakeBroker:
    """The function that makes the broker at an address for a subscriber.

    Args:
        url: `hub:///path`, or one of `FORMS`.
        name: the service's name.
        limits: how much may wait for a server, and how long; the hub has none.

    Raises:
        NoBrokerError: the address is none of these.
        ConfigError: its login or its host is invalid.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "hub":
        return lambda subscriber: Embedded(rest, subscriber)
    kind = KINDS.get(scheme)
    if kind is None:
        raise NoBrokerError(f"{without_login(url)!r} is no broker's address", f"give {FORMS}")
    whole = joined(url)
    check_login(whole)
    if scheme in ("redis", "rediss") and "," in without_login(whole):
        raise ConfigError(
            f"the broker's address {without_login(whole)} names several servers",
            f"a Redis is one server; several are a cluster ({scheme}+cluster://host,host2:6379) or "
            f"have sentinels ({scheme}+sentinel://host:26379,host2:26379/mymaster)",
        )
    return lambda subscriber: kind(whole, name, subscriber, limits)


def history_store(url: str, name: str, limits: StoreLimits) -> HistoryStore:
    """What keeps the durable histories of a service beside its broker.

    Args:
        url: the broker's address.
        name: the service's name.
        limits: how much is kept.

    Raises:
        NoBrokerError: this broker keeps nothing.
        ConfigError: a part of the address is invalid.
    """
    kind = STORES.get(url.partition("://")[0])
    if kind is None:
        raise NoBrokerError(
            f"{without_login(url)!r} is no broker that keeps histories",
            "give redis://…, redis+sentinel://…, redis+cluster://… or nats://…, or leave "
            "durable=True out",
        )
    return kind(joined(url), name, limits)
