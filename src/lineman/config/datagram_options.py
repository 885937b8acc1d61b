"""Which options and callbacks mean something for `udp://`, and what is refused there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NoReturn

from lineman.base.address import Address
from lineman.base.option_kinds import names_of
from lineman.config.callback_slots import ARGUMENTS
from lineman.config.options import WorkerOptions
from lineman.config.process_options import ProcessFields
from lineman.config.worker_description import WorkerDescription
from lineman.errors import ConfigError
from lineman.tls.serving.tls_options import TlsFields

OWN = ("udp_amplification", "udp_receive_buffer")
CALLBACKS = ("on_worker_start", "on_worker_stop", "on_message")
_TAKEN = frozenset({
    *names_of(ProcessFields), *OWN,
    "address", "bytes_per_second", "bytes_per_second_per_ip", "count", "ipv6_prefix",
    "max_message_size", "messages_per_second", "messages_per_second_per_ip", "name",
})  # fmt: skip
_OF_TLS = frozenset({
    *names_of(TlsFields), "acme", "acme_ca", "acme_directory_path", "domains", "start_tls", "tls",
    "transport",
})  # fmt: skip
_OF_HTTP = frozenset({
    "app", "lifespan", "max_head_size", "origins", "real_ip_header", "root_path", "subprotocols",
})  # fmt: skip


def refuse_others(worker: WorkerDescription, address: Address) -> None:
    """Refuses what means nothing for datagrams.

    Raises:
        ConfigError: it is given, and what UDP does not have.
    """
    for name in ARGUMENTS:
        if name not in CALLBACKS and getattr(worker.callbacks, name) is not None:
            lacks = "no HTTP" if name in ("on_request", "on_websocket_connect") else _UNCONNECTED
            raise ConfigError(
                f"{name} is set, and {address} has {lacks}",
                f"take it away: every datagram comes to on_message of {worker!r}",
            )
    for name, default in _defaults().items():
        if name not in _TAKEN and getattr(worker, name) != default:
            _refuse(name, address)


def refuse_own(worker: WorkerDescription, address: Address | None) -> None:
    """Refuses the options of UDP where the address is another one.

    Raises:
        ConfigError: one is given.
    """
    for name in OWN:
        if getattr(worker, name) != _defaults()[name]:
            place = "a worker without an address" if address is None else str(address)
            raise ConfigError(
                f"{name} is {getattr(worker, name)!r}, and {place} takes no datagrams",
                f"leave {name} out, or write udp:// in the address",
            )


_UNCONNECTED = "no connections"


def _refuse(name: str, address: Address) -> NoReturn:
    if name in _OF_TLS or name == "context":
        raise ConfigError(  # its value may be a secret
            f"{name} is given, and {address} has no TLS",
            f"leave {name} out; for TLS take a protocol over TCP: tcp://, text:// or frame://",
        )
    lacks = "no HTTP" if name in _OF_HTTP else _UNCONNECTED
    raise ConfigError(f"{name} is given, and {address} has {lacks}", f"leave {name} out")


def _defaults() -> Mapping[str, Any]:
    return {each.name: None if each.name == "context" else each.default for each in _FIELDS}


_FIELDS = fields(WorkerOptions)
