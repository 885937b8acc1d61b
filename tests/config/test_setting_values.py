"""Texts of variables and values of TOML as values of options."""

from __future__ import annotations

from dataclasses import Field, fields
from typing import Any

import pytest

from lineman.config.options import WorkerOptions
from lineman.config.setting_values import from_text, from_toml
from lineman.errors import ConfigError
from lineman.gateway.gateway_options import GatewayOptions
from lineman.gateway.holder.history import HistoryOptions
from lineman.protocols.websocket.negotiation import DeflateOptions

OPTIONS = {each.name: each for each in [*fields(WorkerOptions), *fields(GatewayOptions)]}


def option(name: str) -> Field[Any]:
    return OPTIONS[name]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "4", 4),
        ("socket_mode", "0o660", 0o660),
        ("ping_interval", "2.5", 2.5),
        ("ping_interval", "20", 20),
        ("reloadable", "no", False),
        ("reloadable", "TRUE", True),
        ("transport", "ssl", "ssl"),
        ("name", "4", "4"),
        ("name", "[x", "[x"),
        ("cert", "/etc/a.pem", "/etc/a.pem"),
        ("origins", "https://a.example, https://b.example", ["https://a.example", "https://b.example"]),
        ("trusted_proxies", '["127.0.0.1/32"]', ["127.0.0.1/32"]),
        ("trusted_proxies", "127.0.0.1/32", ["127.0.0.1/32"]),
        ("address", "ws://127.0.0.1:8282", "ws://127.0.0.1:8282"),
        ("address", '["ws://127.0.0.1:1", "text://127.0.0.1:2"]', ["ws://127.0.0.1:1", "text://127.0.0.1:2"]),
        ("compression", "off", False),
        ("compression", "{level = 3}", DeflateOptions(level=3)),
        ("history", "{messages = 10, seconds = 60}", HistoryOptions(messages=10, seconds=60)),
        ("context", '{ssl = {local_cert = "a.pem"}}', {"ssl": {"local_cert": "a.pem"}}),
        ("acme", "you@example.com", "you@example.com"),
        ("secret", "a, b", "a, b"),
    ],
)  # fmt: skip
def test_a_text_becomes_the_value_that_the_option_takes(
    name: str, text: str, value: object
) -> None:
    made = from_text(option(name), text)
    assert (type(made), repr(made)) == (type(value), repr(value))


@pytest.mark.parametrize(
    ("name", "text"), [("count", "four"), ("reloadable", "maybe"), ("compression", "perhaps")]
)
def test_a_text_that_stands_for_nothing_stays_for_the_check(name: str, text: str) -> None:
    assert from_text(option(name), text) == text


@pytest.mark.parametrize("text", ["[1", "{level = }", '["a"] x'])
def test_a_broken_list_or_table_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match="no list or table of TOML"):
        from_text(option("compression" if text[0] == "{" else "origins"), text)


def test_a_table_with_a_wrong_key_is_told() -> None:
    with pytest.raises(ConfigError, match=r"history has 'message'; fix: it has messages"):
        from_toml(option("history"), {"message": 3})


def test_other_values_stay_as_they_are() -> None:
    assert from_toml(option("count"), 3) == 3
    assert from_toml(option("compression"), True) is True
    assert from_toml(option("context"), {"ssl": {}}) == {"ssl": {}}
