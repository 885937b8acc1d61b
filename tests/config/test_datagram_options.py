"""`udp://` takes the options that mean something for datagrams, and refuses every other."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from lineman import ConfigError, Gateway, Lines, Worker
from lineman.config import checked_options
from lineman.config.callback_slots import ARGUMENTS
from lineman.config.datagram_options import CALLBACKS
from lineman.config.options import OPTIONS

UDP = "udp://127.0.0.1:0"
# A value that is not the default, for each option that is refused.
OTHER: dict[str, Any] = {
    "acme": "you@example.com", "acme_ca": "letsencrypt-staging", "acme_directory_path": "/x",
    "ca_file": "ca.pem", "ca_path": "/x", "cert": "a.pem", "certificates": [("a.pem", "a.key")],
    "ciphers": "HIGH", "client_fingerprints": ["0" * 64], "compression": False,
    "context": {"ssl": {"local_cert": "a.pem"}}, "crl_file": "crl.pem", "domains": ["a.example"],
    "key": "a.key", "max_unfinished_size": 50_000_000, "origins": ["https://a.example"],
    "passphrase": "secret", "proxy_lists": "/x", "proxy_protocol": "required",
    "real_ip_header": "x-real-ip", "slow_readers": "latest", "socket_mode": 0o600,
    "ssl_context": ssl.create_default_context(), "subprotocols": ["chat"], "tls": "dev",
    "tls_policy": "modern", "transport": "ssl", "trusted_proxies": ["127.0.0.1"],
    "app": "main:app", "lifespan": "on", "root_path": "/api",
    "start_tls": True, "verify_client": "required",
}  # fmt: skip
TAKEN = {
    "max_message_size": 100, "messages_per_second": 5, "bytes_per_second": 5, "ipv6_prefix": 56,
    "messages_per_second_per_ip": 5, "bytes_per_second_per_ip": 5, "udp_amplification": 3,
    "udp_receive_buffer": 1_000_000, "name": "sensors", "count": 4, "reloadable": False,
    "max_requests": 5, "max_memory": 10**9, "drain_seconds": 1, "stop_timeout": 1,
    "start_timeout": 5, "watchdog_timeout": 5,
    "user": "nobody", "group": "nogroup",
}  # fmt: skip


def refusal(address: str, **options: Any) -> str:
    worker = Worker(address, **options)
    with pytest.raises(ConfigError) as caught:
        checked_options.read(worker, open_files=False)
    return str(caught.value)


def other_value(name: str) -> Any:
    return OTHER[name] if name in OTHER else (getattr(Worker(UDP), name) or 0) + 1


@pytest.mark.parametrize("name", sorted(TAKEN))
def test_what_means_something_for_datagrams_is_taken(name: str) -> None:
    plan = checked_options.read(Worker(UDP, **{name: TAKEN[name]}))
    assert plan.urls == [UDP]
    assert plan.tls is None


@pytest.mark.parametrize("name", sorted({*OPTIONS} - {*TAKEN} - {"address", "protocol"}))
def test_every_other_option_is_refused(name: str) -> None:
    told = refusal(UDP, **{name: other_value(name)})
    assert told.startswith(f"{name} is given, and {UDP} has no ")
    assert "secret" not in told


def test_it_has_no_protocol_of_the_program_s_own() -> None:
    told = refusal(UDP, protocol=Lines(b"\n"))
    assert told.startswith(f"protocol is given, and {UDP} ")


@pytest.mark.parametrize("name", sorted({*ARGUMENTS} - {*CALLBACKS}))
def test_callbacks_of_connections_are_refused(name: str) -> None:
    worker = Worker(UDP)
    setattr(worker, name, lambda *args: None)
    with pytest.raises(ConfigError, match=rf"{name} is set, and {UDP} has no .*on_message"):
        checked_options.read(worker)


@pytest.mark.parametrize("name", ["udp_amplification", "udp_receive_buffer"])
@pytest.mark.parametrize("address", ["ws://127.0.0.1:0", "tcp://127.0.0.1:0", ""])
def test_its_own_options_are_refused_for_others(name: str, address: str) -> None:
    told = refusal(address, **{name: 5000})
    assert told.startswith(f"{name} is 5000, and ")
    assert "takes no datagrams" in told
    assert "write udp:// in the address" in told


def test_beside_another_address_the_options_of_both_are_taken() -> None:
    several = ["ws://127.0.0.1:0", UDP]
    plan = checked_options.read(Worker(several, origins=["https://a.example"], udp_amplification=2))
    assert [each.address.protocol for each in plan.addresses] == ["ws", "udp"]
    with pytest.raises(ConfigError, match="UDP has no connections"):
        Gateway(several, name="by both")


@pytest.mark.parametrize(
    ("name", "value"),
    [("udp_amplification", -1), ("udp_amplification", "2"), ("udp_receive_buffer", 1.5)],
)
def test_wrong_values_are_refused(name: str, value: Any) -> None:
    assert refusal(UDP, **{name: value}).startswith(f"{name} is {value!r}")


def test_a_gateway_takes_no_datagrams() -> None:
    with pytest.raises(ConfigError, match="UDP has no connections"):
        Gateway("udp://127.0.0.1:9000", name="by udp")
