"""The options of a channel layer: their checks, and the name of a service that gives none."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping

from lineman.brokers.choice import broker_maker
from lineman.errors import ConfigError

# What Django's key is hashed with, so often that a weak one is not found out by its name.
ROUNDS = 100_000
MAX_NAME = 100

# What options of other layers are called here.
OTHERS = {
    "hosts": 'one machine needs none; several have "broker": "redis://host:6379"',
    "prefix": 'write "name": services with different names do not meet',
    "symmetric_encryption_keys": 'nothing leaves the machine, or give "broker": "rediss://…"',
    "random_prefix_length": "leave it out",
    "serializer_format": "leave it out: messages are MessagePack",
    "on_disconnect": "leave it out: the layer connects again by itself",
    "on_reconnect": "leave it out: the layer connects again by itself",
}
KNOWN = "name, broker, path, expiry, group_expiry, capacity and channel_capacity"


def check(
    name: object,
    broker: object,
    path: object,
    expiry: object,
    group_expiry: object,
    capacity: object,
    channel_capacity: object,
    unknown: Mapping[str, object],
) -> None:
    """Checks the options of a layer.

    Raises:
        ConfigError: one of them cannot work.
    """
    for option in unknown:
        raise ConfigError(
            f"CHANNEL_LAYERS: lineman.channels.Layer has no option {option!r}",
            OTHERS.get(option, f"it has {KNOWN}"),
        )
    if name is not None and not (_is_name(name)):
        raise _wrong("name", name, f'give a text of 1 to {MAX_NAME} bytes, such as "chat"')
    if not isinstance(path, str) or (path and not os.path.isabs(path)):
        raise _wrong("path", path, 'give an absolute path, such as "/run/chat/channels.sock"')
    if broker is not None:
        if not isinstance(broker, str):
            raise _wrong("broker", broker, 'give an address, such as "redis://localhost:6379"')
        broker_maker(broker, "channels")
    for option, value in (("expiry", expiry), ("group_expiry", group_expiry)):
        if not _is_number(value) or not 0 < value < math.inf:  # type: ignore[operator]
            raise _wrong(option, value, "give seconds, more than 0")
    _check_capacity("capacity", capacity)
    if channel_capacity is not None:
        if not isinstance(channel_capacity, Mapping):
            raise _wrong("channel_capacity", channel_capacity, 'give {"http.*": 200}')
        for pattern, value in channel_capacity.items():
            if not isinstance(pattern, str) and not hasattr(pattern, "match"):
                raise _wrong("channel_capacity", pattern, "give globs or compiled expressions")
            _check_capacity(f"channel_capacity of {pattern!r}", value)


def _check_capacity(option: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _wrong(option, value, "give a whole number of messages, 1 or more")


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name.isprintable() and 0 < len(name.encode()) <= MAX_NAME


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wrong(option: str, value: object, fix: str) -> ConfigError:
    return ConfigError(f"CHANNEL_LAYERS: {option} is {value!r:.80}", fix)


def name_from_django() -> str:
    """A name made from Django's secret key, which all processes of a project have in common.

    Raises:
        ConfigError: there is no key.
    """
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    try:
        key = settings.SECRET_KEY
    except ImproperlyConfigured as error:
        raise ConfigError(
            f"CHANNEL_LAYERS has no name, and Django no SECRET_KEY to make one from: {error}",
            'write "CONFIG": {"name": "chat"}, the same in all processes of the service',
        ) from None
    salt = b"lineman.channels"
    secret = key if isinstance(key, bytes) else str(key).encode()
    return hashlib.pbkdf2_hmac("sha256", secret, salt, ROUNDS).hex()[:32]
