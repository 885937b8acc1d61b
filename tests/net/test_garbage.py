"""Invalid bytes of all kinds, from a seeded generator: the process survives and nothing is left."""

from __future__ import annotations

import contextlib
import os
import random
import ssl

import pytest

from kit.descriptors import descriptors, wait_until_none_is_left
from kit.rubbish import client_hello, frame, half_request, mutated_request, noise
from kit.site import Serve, Site, echo
from lineman.testing.client import RawClient, encode

SEED = int(os.environ.get("LINEMAN_TEST_SEED", "20261123"))


def attack(site: Site, tls: bool, random: random.Random) -> RawClient | None:
    """One hostile peer: it connects, sends invalid bytes, and leaves in some way."""
    has_tls = tls if random.random() < 0.7 else not tls
    try:
        client = site.connect(tls=site.client_tls if has_tls else None, timeout=2)
    except (OSError, ssl.SSLError):
        return None
    with contextlib.suppress(OSError, EOFError):
        kind = random.randrange(6)
        if kind < 4:
            sent = [noise, half_request, mutated_request, client_hello][kind](random)
            client.send_bytes(sent)
        else:
            client.handshake()
            for _ in range(random.randrange(1, 6)):
                client.send_bytes(frame(random) if kind == 4 else encode(noise(random)))
    with contextlib.suppress(OSError):
        random.choice([client.close, client.reset, client.end_writing, lambda: None])()
    return client


def test_rubbish_harms_nobody_else_and_leaves_nothing_behind(
    serve: Serve, tls: bool, client_tls: ssl.SSLContext
) -> None:
    chance = random.Random(SEED)
    site = serve(tls, on_message=echo, max_message_size=50_000, max_send_buffer_size=100_000)
    site.client_tls = client_tls
    before = descriptors()
    bystander = site.connect(tls=client_tls if tls else None).open()
    left: list[RawClient] = []
    for number in range(300):
        client = attack(site, tls, chance)
        if client is not None:
            left.append(client)
        if number % 20 == 19:
            bystander.send(str(number))
            assert bystander.receive() == str(number), f"LINEMAN_TEST_SEED={SEED}"
            while left:
                left.pop().close()
    assert len(site.worker.connections) >= 1
    for client in site.clients:
        if client is not bystander:
            client.close()
    bystander.send("all gone?")
    assert bystander.receive() == "all gone?"
    bystander.close()
    site.wait_until_empty()
    wait_until_none_is_left(before)


@pytest.mark.parametrize("leave", [RawClient.close, RawClient.reset])
def test_connecting_and_leaving_without_a_word_is_noticed_at_once(
    serve: Serve, tls: bool, leave: object
) -> None:
    # The deadline of the handshake is far away: only the end itself can end it.
    site = serve(tls, handshake_timeout=1000)
    before = descriptors()
    for _ in range(20):
        client = site.plain()
        leave(client)  # type: ignore[operator]
    site.open().close()  # accepted after all of them
    site.wait_until_empty()
    wait_until_none_is_left(before)


@pytest.mark.parametrize("sent", [b"x", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n"])
def test_a_reset_before_the_connection_is_accepted_harms_nobody(
    serve: Serve, tls: bool, sent: bytes
) -> None:
    site = serve(tls, on_message=echo, handshake_timeout=1000)
    before = descriptors()

    def connect_and_reset() -> None:
        for _ in range(10):  # the loop stands still meanwhile: all wait to be accepted
            client = site.plain()
            client.send_bytes(sent)
            client.reset()

    site.call(connect_and_reset)
    site.open().close()
    site.wait_until_empty()
    wait_until_none_is_left(before)
