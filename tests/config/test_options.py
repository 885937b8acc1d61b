"""The options of a `Worker`: each with its default and its own check."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lineman import ConfigError, Worker
from lineman.config import checked_options
from lineman.config.options import OPTIONS

WS = "ws://127.0.0.1:0"


def test_every_option_is_an_attribute_with_a_default() -> None:
    worker = Worker(WS)
    assert all(hasattr(worker, name) for name in OPTIONS)
    assert (worker.count, worker.name, worker.transport) == (1, "", "tcp")


@pytest.mark.parametrize("name", ["a b", "", "a,b", "ä"])
def test_a_subprotocol_that_no_header_can_carry_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="subprotocols holds"):
        checked_options.read(Worker("ws://127.0.0.1:0", subprotocols=[name]))


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ({"tls": "production"}, "tls is 'production'; fix: give \"dev\""),
        ({"tls": "dev", "cert": "a.pem"}, "and another is given"),
    ],
)
def test_another_word_than_dev_or_a_second_certificate_is_refused(
    options: dict[str, Any], seen: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(seen)):
        checked_options.read(Worker("wss://127.0.0.1:0", **options))
