"""The sender of a datagram: it has the words of a connection, and no state."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from kit.datagrams import DatagramSite, ServeDatagrams
from kit.recorder import Recorder
from kit.waiting import DEADLINE, wait_until
from lineman import DatagramPeer, UnknownNameError, UsageError


def sent(site: DatagramSite) -> tuple[int, int, int]:
    """Datagrams and bytes sent, and what was not sent."""
    service = site.service
    return site.call(
        lambda: (service.tally.messages_written, service.tally.bytes_written, service.send_failures)
    )


def test_it_says_who_has_sent_it(serve: ServeDatagrams) -> None:
    seen = Recorder()

    def look(peer: DatagramPeer, data: bytes) -> None:
        seen((peer.remote_ip, peer.remote_port))
        seen((peer.peer_address, peer.local_address, repr(peer)))
        seen(peer.worker)

    site = serve(on_message=look)
    client = site.client()
    client.send(b"x")
    where = f"127.0.0.1:{client.name[1]}"
    assert seen.wait(3) == [
        client.name,
        (where, f"127.0.0.1:{site.port}", f"<DatagramPeer {where}>"),
        site.worker,
    ]


@pytest.mark.parametrize("data", [b"bytes", bytearray(b"bytes"), memoryview(b"bytes"), "bytes"])
def test_it_is_answered_with_bytes_or_text(serve: ServeDatagrams, data: Any) -> None:
    site = serve(on_message=lambda peer, asked: peer.send(data))
    assert site.client().ask(b"12345") == b"bytes"
    assert sent(site) == (1, 5, 0)


def test_its_close_sends_a_last_datagram_and_none_without_data(serve: ServeDatagrams) -> None:
    def close(peer: DatagramPeer, data: bytes) -> None:
        peer.close()
        peer.close(data)

    site = serve(on_message=close)
    assert site.client().ask(b"bye") == b"bye"
    assert sent(site) == (1, 3, 0)


# What it does not have.

THINGS = [
    ("data", "keep values in worker.data, by the peer's address"),
    ("context", "keep values in worker.data"),
    ("getRemoteIp", "did you mean remote_ip?"),
    ("get_remote_port", "did you mean remote_port?"),
    ("getRemoteAddress", "did you mean peer_address?"),
    ("getLocalPort", "did you mean local_address?"),
    ("destroy", "UDP has no connections"),
    ("pauseRecv", "UDP has no connections"),
    ("onMessage", "callbacks are set on the worker"),
    ("nickname", 'worker.data["nickname"]'),
    ("sendd", "did you mean send?"),
]


@pytest.mark.parametrize(("name", "says"), THINGS)
def test_what_it_does_not_have_is_refused_with_what_to_use(
    serve: ServeDatagrams, name: str, says: str
) -> None:
    words = Recorder()

    def try_it(peer: DatagramPeer, data: bytes) -> None:
        with pytest.raises(UnknownNameError) as caught:
            setattr(peer, name, 1)
        words(str(caught.value))
        assert not hasattr(peer, name)
        assert name not in dir(peer)

    serve(on_message=try_it).client().send(b"x")
    (told,) = words.wait()
    assert f"a DatagramPeer has no {name}" in told
    assert says in told


# No amplification.


def test_a_datagram_is_answered_with_no_more_bytes_than_it_had(
    serve: ServeDatagrams, caplog: pytest.LogCaptureFixture
) -> None:
    results = Recorder()
    site = serve(on_message=lambda peer, data: results(peer.send(data + b"!")))
    client = site.client()
    client.send(b"hello")
    assert results.wait() == [False]
    assert sent(site) == (0, 0, 1)
    assert site.hits == {"udp_amplification": 1}
    assert "sent 5 bytes, and an answer of 6 was not sent" in caplog.text
    assert "udp_amplification is 1; raise it if your clients prove who they are" in caplog.text


def test_many_small_answers_are_no_way_around(serve: ServeDatagrams) -> None:
    """Each has headers of its own: 1000 empty ones are 28,000 bytes on the wire."""
    results = Recorder()

    def answer(peer: DatagramPeer, data: bytes) -> None:
        results(sum(peer.send(b"") for _ in range(1000)))

    site = serve(on_message=answer)
    site.client().send(bytes(1000))
    site.client().send(b"")
    many, one = results.wait(2)
    assert many * 28 <= 1000 + 28
    assert many * 48 <= 1000 + 48
    assert one == 1


def test_a_kept_peer_has_no_more_than_its_datagram_allowed(serve: ServeDatagrams) -> None:
    kept: list[DatagramPeer] = []
    site = serve(on_message=lambda peer, data: kept.append(peer))
    site.client().send(b"12345")
    wait_until(lambda: kept, "it has come")
    assert site.call(kept[0].send, b"54321")
    assert not site.call(kept[0].send, b"")


@pytest.mark.parametrize(("factor", "most"), [(2, 58), (0.5, 0), (0, 1000)])
def test_the_factor_may_be_another_one(serve: ServeDatagrams, factor: float, most: int) -> None:
    results = Recorder()

    def answer(peer: DatagramPeer, data: bytes) -> None:
        results(peer.send(bytes(most + 11)) if factor else True)
        results(peer.send(bytes(most)))

    site = serve(on_message=answer, udp_amplification=factor)
    site.client().send(bytes(5))
    assert results.wait(2) == [not factor, factor != 0.5]


def test_what_was_not_sent_takes_nothing_from_what_may_be_answered(serve: ServeDatagrams) -> None:
    def answer(peer: DatagramPeer, data: bytes) -> None:
        with pytest.raises(UsageError):
            peer.send(bytes(65_508))  # with its headers nearly all that (608 + 48) * 100 allows
        peer.send(b"this goes")

    site = serve(on_message=answer, udp_amplification=100)
    assert site.client().ask(bytes(608)) == b"this goes"
    assert sent(site) == (1, 9, 0)


# What cannot be sent.


def test_more_than_a_datagram_can_have_is_an_error(serve: ServeDatagrams) -> None:
    errors = Recorder()

    def answer(peer: DatagramPeer, data: bytes) -> None:
        for wrong in (bytes(65_508), 5, None):
            with pytest.raises(UsageError) as caught:
                peer.send(wrong)
            errors(str(caught.value))

    site = serve(on_message=answer, udp_amplification=0)
    site.client().send(b"x")
    assert errors.wait(3)[0] == "a datagram of 65508 bytes; it may have 65507 at most"


def test_after_the_end_nothing_goes_to_whoever_has_the_descriptor_now(
    serve: ServeDatagrams,
) -> None:
    kept: list[DatagramPeer] = []
    site = serve(on_message=lambda peer, data: kept.append(peer))
    client = site.client()
    client.send(b"12345")
    wait_until(lambda: kept, "it has come")
    site.stop()
    assert not kept[0].send(b"late")
    assert kept[0].local_address == ""
    assert kept[0].remote_port == client.name[1]


def test_a_handler_at_work_answers_although_the_service_reads_no_more(
    serve: ServeDatagrams,
) -> None:
    import asyncio

    begun, may_end = threading.Event(), asyncio.Event()

    async def answer(peer: DatagramPeer, data: bytes) -> None:
        begun.set()
        await may_end.wait()
        peer.send(data)

    site = serve(on_message=answer)
    client = site.client()
    client.send(b"late")
    assert begun.wait(DEADLINE)
    site.call(site.service.stop_accepting)
    site.call(may_end.set)
    assert client.recv(100) == b"late"
