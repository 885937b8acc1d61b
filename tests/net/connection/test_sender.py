"""Clients that read slowly, under the policies that drop messages."""

from __future__ import annotations

import logging
from itertools import pairwise

import pytest

from kit.recorder import Recorder
from kit.site import Serve
from kit.slow_readers import DROPPING, LIMIT, SIZE, Slow, everything, numbered
from kit.waiting import wait_until
from lineman import ConfigError, DeflateOptions, UsageError
from lineman.net.connection.send_queue import OVERHEAD
from lineman.protocols.websocket import frames
from lineman.protocols.websocket.decoder import Close, Decoder, Ping, Pong
from lineman.protocols.websocket.deflate import Inflater
from lineman.protocols.websocket.negotiation import Agreement


@pytest.mark.parametrize("policy", DROPPING)
def test_the_oldest_are_dropped_and_the_newest_arrive_in_order(
    slow: Slow, told: Recorder, policy: str, caplog: pytest.LogCaptureFixture
) -> None:
    site, client, connection = slow(policy)
    most = 0

    def flood() -> None:
        nonlocal most
        for number in range(5000):
            assert connection.send(numbered(number)) is True
            most = max(most, connection.unsent)

    site.call(flood)
    assert connection.is_open
    assert most <= LIMIT
    assert told.calls == ["full"]
    got = everything(client, numbered(4999))
    numbers = [int(str(one)[:9]) for one in got]
    assert all(one < other for one, other in pairwise(numbers))
    assert len(numbers) < 1000
    # Those that leave at the end are neighbours: what is missing is the oldest.
    assert numbers[-50:] == list(range(4950, 5000))
    assert told.wait(2) == ["full", "drain"]
    dropped = site.call(lambda: connection.messages_dropped)
    # All that were taken but those of the filling, less those that came.
    assert dropped >= 5000 - len(numbers) > 0
    assert site.worker.service is not None
    assert site.worker.service.messages_dropped == dropped
    assert f"{connection.remote_port}" in caplog.text
    assert "oldest messages are dropped" in caplog.text
    assert caplog.text.count("reads too slowly") == 1
    wait_until(lambda: f"{dropped} messages were not sent" in caplog.text, "the end is logged")
    assert site.call(lambda: connection.send("and again")) is True
    assert client.receive() == "and again"


def test_ten_thousand_updates_to_a_stuck_reader_leave_the_last_one(
    slow: Slow, told: Recorder
) -> None:
    site, client, connection = slow("latest")
    before = site.call(lambda: connection.unsent)

    def update() -> None:
        for number in range(10_000):
            assert connection.send(numbered(number, 20), key="price:EURUSD") is True
            assert connection.send(numbered(-number, 20), key=("price", "GBPUSD")) is True

    site.call(update)
    assert site.call(lambda: connection.unsent) - before <= 2 * 24
    got = everything(client, numbered(-9999, 20))
    assert got[-2:] == [numbered(9999, 20), numbered(-9999, 20)]
    assert len(got) == 2
    assert connection.messages_dropped == 2 * 9999
    assert "full" not in told.calls  # nothing was dropped for want of room


def test_a_broadcast_replaces_by_key_as_well(slow: Slow) -> None:
    site, client, _ = slow("latest")
    quick = site.open()

    def update() -> None:
        for number in range(100):
            assert site.worker.broadcast(numbered(number), key="k") == 2

    site.call(update)
    site.call(lambda: site.worker.broadcast("end"))
    assert everything(client, "end") == [numbered(99), "end"]
    assert [quick.receive() for _ in range(101)] == [*map(numbered, range(100)), "end"]


@pytest.mark.parametrize("policy", ["close", "drop_oldest"])
def test_a_key_means_nothing_to_the_other_policies(slow: Slow, policy: str) -> None:
    site, client, connection = slow(policy, max_send_buffer_size=10_000_000)

    def send() -> None:
        for number in range(10):
            connection.send(f"{number}", key="k")

    site.call(send)
    assert everything(client, "9") == [f"{number}" for number in range(10)]


@pytest.mark.parametrize("policy", DROPPING)
@pytest.mark.parametrize("is_broadcast", [False, True], ids=["send", "broadcast"])
def test_a_message_larger_than_the_limit_cannot_wait(
    slow: Slow, policy: str, is_broadcast: bool, caplog: pytest.LogCaptureFixture
) -> None:
    site, client, connection = slow(policy)

    def send(message: str) -> bool:
        return bool(site.worker.broadcast(message) if is_broadcast else connection.send(message))

    size = LIMIT - 10  # with its header of 10 bytes it meets the limit exactly
    assert site.call(lambda: send("x" * (size + 1))) is False
    assert connection.messages_dropped == 1
    assert f"a message of {LIMIT + 1} bytes is dropped" in caplog.text
    assert site.call(lambda: send("x" * size)) is True
    assert everything(client, "x" * size) == ["x" * size]


@pytest.mark.parametrize("policy", DROPPING)
def test_a_frame_of_which_a_byte_has_left_is_never_cut(
    serve: Serve, tls: bool, policy: str
) -> None:
    site = serve(tls, slow_readers=policy, max_send_buffer_size=10_000)
    client = site.open(receive_buffer=4096)
    connection = site.connection
    large = bytes(range(256)) * 20_000  # far more than the kernel and the limit hold

    def send() -> None:
        assert connection.send(large) is True
        connection.flush()
        for number in range(1000):
            assert connection.send(numbered(number)) is True

    site.call(send)
    assert client.receive() == large
    got = everything(client, numbered(999))
    assert len(got) <= 10_000 // SIZE + 1  # the limit is filled by what has begun to leave


@pytest.mark.parametrize("policy", DROPPING)
def test_tiny_messages_take_no_more_memory_than_large_ones(slow: Slow, policy: str) -> None:
    site, client, connection = slow(policy)
    before = site.call(lambda: connection.unsent)

    def flood() -> int:
        for number in range(100_000):
            connection.send(f"{number}")
        return connection.unsent

    waiting = site.call(flood) - before
    assert 0 < waiting <= (LIMIT / OVERHEAD) * 10
    assert everything(client, "99999")[-2:] == ["99998", "99999"]


@pytest.mark.parametrize("policy", DROPPING)
def test_what_was_taken_leaves_before_the_close_frame(slow: Slow, policy: str) -> None:
    site, client, connection = slow(policy)

    def close() -> None:
        for number in range(2000):
            connection.send(numbered(number))
        connection.close("goodbye", 4001, "enough")
        assert connection.send("too late") is False

    site.call(close)
    got = everything(client, Close(4001, "enough"))
    assert got[-3:] == [numbered(1999), "goodbye", Close(4001, "enough")]
    client.send_close(4001)
    client.assert_ended()


@pytest.mark.parametrize("policy", DROPPING)
def test_the_answer_to_the_clients_close_comes_behind_what_waits(slow: Slow, policy: str) -> None:
    site, client, connection = slow(policy)
    site.call(lambda: [connection.send(numbered(number)) for number in range(2000)])
    client.send_close(4002)
    assert everything(client, Close(4002, ""))[-2:] == [numbered(1999), Close(4002, "")]
    client.assert_ended()


@pytest.mark.parametrize("policy", DROPPING)
def test_a_broken_rule_is_answered_behind_what_waits(slow: Slow, policy: str) -> None:
    site, client, connection = slow(policy)
    site.call(lambda: [connection.send(numbered(number)) for number in range(2000)])
    client.send_frame(3)
    close = next(one for one in iter(client.receive, None) if isinstance(one, Close))
    assert close.code == 1002


@pytest.mark.parametrize("policy", DROPPING)
def test_pings_of_a_slow_reader_cost_no_memory_and_the_last_is_answered(
    slow: Slow, policy: str
) -> None:
    site, client, connection = slow(policy)
    before = site.call(lambda: (connection.unsent, connection.bytes_read))
    for number in range(5000):
        client.ping(b"%0100d" % number)
    wait_until(lambda: connection.bytes_read - before[1] >= 5000 * 106, "all have come")
    assert site.call(lambda: connection.unsent) == before[0]
    site.call(lambda: connection.send("end"))
    got = everything(client, "end")
    assert got == [Pong(b"%0100d" % 4999), "end"]


@pytest.mark.parametrize("policy", DROPPING)
def test_our_own_pings_are_not_dropped(slow: Slow, policy: str) -> None:
    site, client, connection = slow(policy, ping_interval=5.0, ping_timeout=20.0)
    site.advance_clock(6)
    site.call(lambda: [connection.send(numbered(number)) for number in range(2000)])
    assert Ping(b"") in everything(client, numbered(1999))


@pytest.mark.parametrize("policy", DROPPING)
def test_messages_in_fragments_arrive_while_others_are_dropped(slow: Slow, policy: str) -> None:
    site, client, connection = slow(policy)
    got = Recorder()
    site.worker.on_message = lambda connection, message: got(message)
    client.send_frame(frames.TEXT, b"frag", fin=False)
    site.call(lambda: [connection.send(numbered(number)) for number in range(1000)])
    client.send_frame(frames.CONTINUATION, b"ment", fin=False)
    site.call(lambda: [connection.send(numbered(number)) for number in range(1000, 2000)])
    client.send_frame(frames.CONTINUATION, b"ed")
    assert got.wait() == ["fragmented"]
    assert everything(client, numbered(1999))[-1] == numbered(1999)


@pytest.mark.parametrize("policy", DROPPING)
def test_a_client_that_is_lost_frees_what_waits(slow: Slow, policy: str) -> None:
    site, _, connection = slow(policy)
    site.call(lambda: [connection.send(numbered(number)) for number in range(2000)])
    site.call(connection.destroy)
    assert connection.unsent == 0
    assert connection.messages_dropped > 0
    assert site.call(lambda: connection.send("x")) is False


def test_dropping_in_on_buffer_full_may_close_or_destroy(slow: Slow, told: Recorder) -> None:
    site, _, connection = slow("drop_oldest")
    site.worker.on_buffer_full = lambda connection: connection.destroy()
    site.call(lambda: [connection.send(numbered(number)) for number in range(2000)])
    assert connection.state == "closed"


@pytest.mark.parametrize("policy", DROPPING)
def test_drain_waits_for_what_waits_too(slow: Slow, policy: str) -> None:
    site, client, connection = slow(policy)
    drained = Recorder()

    async def send_and_drain() -> None:
        for number in range(100):
            connection.send(numbered(number))
        await connection.drain()
        drained(connection.unsent)

    site.call(lambda: site.worker.service.spawn(send_and_drain(), lambda _: None, drained))  # type: ignore[union-attr]
    everything(client, numbered(99))
    assert drained.wait() == [0]


@pytest.mark.parametrize("policy", DROPPING)
@pytest.mark.parametrize("keeps", [False, True], ids=["shared", "takeover"])
def test_compressed_messages_are_dropped_whole(
    serve: Serve, tls: bool, policy: str, keeps: bool
) -> None:
    """With context takeover a message builds on those before: a dropped one must not be missed."""
    options = DeflateOptions(server_no_context_takeover=not keeps, threshold=0)
    site = serve(tls, slow_readers=policy, compression=options, max_send_buffer_size=LIMIT)
    client = site.connect(receive_buffer=4096)
    handshake = client.handshake_bytes().removesuffix(b"\r\n")
    client.send_bytes(handshake + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
    assert client.receive_reply().status == 101
    assert (site.connection.share_key() is None) is keeps
    agreement = Agreement(server_no_context_takeover=not keeps)
    client._decoder = Decoder(1 << 30, False, Inflater(agreement, 1 << 30, is_server=False))
    connection = site.connection
    noise = [bytes(hash((number, place)) & 255 for place in range(500)) for number in range(64)]

    def flood() -> bool:
        for number in range(3000):
            assert connection.send(numbered(number).encode() + noise[number % 64])
            site.worker.broadcast(numbered(number + 10_000).encode() + noise[number % 63])
        return connection.messages_dropped > 100

    wait_until(lambda: site.call(flood), "messages are dropped")
    site.call(lambda: connection.send("end"))
    got: list[bytes] = []
    while (message := client.receive()) != "end":
        assert isinstance(message, bytes)
        got.append(message)
    for message in got:
        number = int(message[:9])
        assert message[:SIZE] == numbered(number).encode()
        assert message[SIZE:] in noise


@pytest.mark.parametrize("key", [[], {}, set(), ["price"]])
def test_a_key_that_cannot_be_hashed_is_refused_before_anybody_is_slow(
    serve: Serve, key: object
) -> None:
    site = serve(slow_readers="latest")
    client = site.open()
    with pytest.raises(UsageError, match="key is"):
        site.call(lambda: site.connection.send("x", key=key))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="key is"):
        site.call(lambda: site.worker.broadcast("x", key=key))  # type: ignore[arg-type]
    site.call(lambda: site.connection.send("y", key="price"))
    assert client.receive() == "y"


def test_an_unknown_policy_is_refused_before_the_port_opens(serve: Serve) -> None:
    with pytest.raises(ConfigError, match=r"slow_readers is 'drop'.*drop_oldest"):
        serve(slow_readers="drop")


def test_what_cannot_be_sent_is_told_to_a_slow_connection_as_well(slow: Slow) -> None:
    _, _, connection = slow("drop_oldest")
    with pytest.raises(UsageError, match="json"):
        connection.send({"a": 1})  # type: ignore[arg-type]


def test_the_log_names_no_more_than_ten_slow_clients_a_minute(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(slow_readers="drop_oldest", max_send_buffer_size=20_000)
    for _ in range(14):
        site.open(receive_buffer=4096)

    def flood() -> bool:
        for _ in range(200):
            site.worker.broadcast(bytes(SIZE))
        return all(one.messages_dropped for one in site.worker.connections.values())

    wait_until(lambda: site.call(flood), "all are slow")
    lines = [
        one for one in caplog.records
        if one.levelno == logging.WARNING and "reads too slowly" in one.getMessage()
    ]  # fmt: skip
    assert len(lines) == 10
