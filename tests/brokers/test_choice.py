"""Addresses of brokers, and how messages show them."""

from __future__ import annotations

import asyncio

import pytest

from lineman import NotReachedError
from lineman.brokers.base import Subscriber
from lineman.brokers.choice import broker_maker
from lineman.errors import ConfigError
from lineman.gateway.push.blocking import GatewayClient


def ignore(*given: object) -> None:
    """The parts of an address that a broker never shows."""


@pytest.mark.parametrize(
    "url", ["redsi://me:geheim@a", "redis//:geheim@a", "redis:me:geh@eim@a", "nats://me:geheim@a:0"]
)
def test_a_refused_address_is_told_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match="…@a") as refused:
        asyncio.run(broker_maker(url, "test")(Subscriber(ignore, ignore, tuple)).start())
    assert "me:" not in str(refused.value).partition("; fix:")[0]


def test_a_broker_that_is_away_is_told_without_its_password() -> None:
    gateway = GatewayClient("redis://me:geheim@127.0.0.1:1", timeout=0.5)
    with pytest.raises(NotReachedError, match=r"redis://…@127\.0\.0\.1:1 is not reached") as away:
        gateway.send_to_all("x")
    gateway.close()
    assert "geheim" not in str(away.value)


@pytest.mark.parametrize("url", ["redis://:geheim@a,b:1", "rediss://a,rediss://b"])
def test_several_servers_that_are_no_cluster_are_refused_with_what_they_may_be(url: str) -> None:
    with pytest.raises(ConfigError, match=r"several servers.*\+cluster.*\+sentinel") as told:
        broker_maker(url, "test")
    assert "geheim" not in str(told.value)
