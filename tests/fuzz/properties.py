"""The property of every input: the built codec gives the same result as its plain twin."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from enum import Enum
from itertools import pairwise
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fuzz import twins
from fuzz.inputs import LINES, deflated, mutated, payloads, pieces, random_stream, requests, streams
from kit.inflating import feed, finish, whole

BUILT, PLAIN = twins.load()


def plainly(value: Any) -> Any:
    """A value without the classes of either twin."""
    if isinstance(value, Exception):
        return type(value).__name__, *(str(argument) for argument in value.args)
    if isinstance(value, Enum):
        return type(value).__name__, value.name
    if isinstance(value, list | tuple):
        return [plainly(one) for one in value]
    if is_dataclass(value) and not isinstance(value, type):
        return type(value).__name__, plainly(list(asdict(value).values()))
    if type(value).__name__ == "Request":
        what = ("method", "target", "version", "path", "query_all", "cookies", "host", "body")
        return [plainly(outcome(getattr, value, name)) for name in what], value.headers.items()
    if type(value).__name__ == "Headers":
        return value.items()
    return type(value).__name__, value


def outcome(function: Callable[..., Any], *args: Any) -> Any:
    """The result, or the refusal that the call raises. Any other exception is a finding."""
    try:
        return function(*args)
    except (BUILT.errors.LinemanError, PLAIN.errors.LinemanError) as refusal:
        return refusal


def agree(run: Callable[[twins.Codec], Any]) -> None:
    """Fails unless both twins have the same result."""
    built, plain = (plainly(run(codec)) for codec in (BUILT, PLAIN))
    assert built == plain, f"built: {built!r:.3000}\nplain: {plain!r:.3000}"


AGREEMENTS = st.tuples(st.booleans(), st.booleans(), st.integers(9, 15), st.integers(9, 15))
LIMITS = st.sampled_from([0, 125, 1000, 65_536, 2**20, 2**31 - 1, 2**31, 2**32, 2**62, 2**63 - 1])


def decoding(parts: list[bytes], masked: bool, limit: int, agreed: Any) -> None:
    """Feeds both decoders."""

    def run(codec: twins.Codec) -> list[Any]:
        inflater = None
        if agreed is not None:
            agreement = codec.negotiation.Agreement(*agreed)
            inflater = codec.deflate.Inflater(agreement, limit, masked)
        decoder = codec.messages.Decoder(limit, masked, inflater)
        seen = []
        for part in parts:
            buffer = bytearray(part)  # as the one receive buffer: overwritten by the next read
            seen.append((decoder.feed(memoryview(buffer)), decoder.is_mid_message))
            buffer[:] = b"\xaa" * len(buffer)
        return seen

    agree(run)


@given(data=st.data(), masked=st.booleans(), limit=LIMITS, agreed=st.none() | AGREEMENTS)
def messages(data: st.DataObject, masked: bool, limit: int, agreed: Any) -> None:
    """Frames and messages, whole and compressed, cut anywhere."""
    wire = data.draw(streams(masked, agreed is not None))
    decoding(data.draw(pieces(wire)), masked, limit, agreed)


def random_messages(random: Random) -> None:
    """The same from a quick generator without knowledge of the protocol."""
    agreed = None
    if random.random() < 0.3:
        agreed = (random.random() < 0.5, random.random() < 0.5, 15, random.randrange(9, 16))
    masked = random.random() < 0.8
    wire = random_stream(random, masked, agreed is not None)
    cuts = sorted(random.randrange(len(wire) + 1) for _ in range(random.choice([0, 0, 1, 2, 9])))
    parts = [wire[start:stop] for start, stop in pairwise([0, *cuts, len(wire)])]
    decoding(parts, masked, random.choice([100, 2**20, 2**20, 2**63 - 1]), agreed)


@given(data=st.data(), limit=LIMITS, agreed=AGREEMENTS)
def inflating(data: st.DataObject, limit: int, agreed: Any) -> None:
    """Compressed messages, in one go and in pieces."""
    count = data.draw(st.integers(1, 3))
    wires = [data.draw(mutated(deflated(data.draw(payloads()), 9))) for _ in range(count)]
    cut = [data.draw(pieces(wire)) for wire in wires]

    def run(codec: twins.Codec) -> list[Any]:
        inflater = codec.deflate.Inflater(codec.negotiation.Agreement(*agreed), limit)
        seen = []
        for number, parts in enumerate(cut):
            if number % 2:
                seen.append(outcome(whole, inflater, b"".join(parts)))
            else:
                seen += [outcome(feed, inflater, part) for part in parts]
                seen.append(outcome(finish, inflater))
            if isinstance(seen[-1], Exception):
                break
        return seen

    agree(run)


@given(
    sent=st.lists(payloads(), max_size=4),
    agreed=AGREEMENTS,
)
def deflating(sent: list[bytes], agreed: Any) -> None:
    """One twin inflates what the other has compressed."""
    for there, here in ((BUILT, PLAIN), (PLAIN, BUILT)):
        options = there.negotiation.DeflateOptions(threshold=0)
        compressor = there.deflate.compressor(there.negotiation.Agreement(*agreed), options)
        inflater = here.deflate.Inflater(here.negotiation.Agreement(*agreed), 2**31, False)
        for payload in sent:
            assert whole(inflater, compressor.compress(payload)) == payload


@given(data=st.data(), head=st.sampled_from([40, 200, 4096]), body=st.sampled_from([0, 2, 1000]))
def handshakes(data: st.DataObject, head: int, body: int) -> None:
    """Requests, cut anywhere, and what a handshake among them leads to."""
    parts = data.draw(pieces(data.draw(requests())))

    def run(codec: twins.Codec) -> list[Any]:
        parser = codec.http.RequestParser(head, body)
        seen: list[Any] = []
        for part in parts:
            for request in parser.feed(part):
                offers = request.headers.get_all("sec-websocket-extensions")
                options = codec.negotiation.DeflateOptions()
                seen += [
                    request,
                    outcome(codec.handshake.check, request),
                    outcome(codec.handshake.offered_subprotocols, request),
                    outcome(codec.negotiation.negotiate, offers, options),
                    outcome(codec.origins.OriginPolicy(None).judge, request),
                    outcome(codec.origins.without_identity, request),
                ]
            seen += [parser.error, parser.rest, parser.wants_continue]
        return seen

    agree(run)


ADDRESSES = st.sampled_from([
    b"1.2.3.4", b"10.0.0.1", b"::1", b"[::1]:80", b"::ffff:10.0.0.1", b"unknown", b"1.2.3.4:99999",
    b"for=1.2.3.4", b"for=\"[::1]:5\"", b"for=_hidden", b"by=x;for=10.0.0.2", b"\"", b"\\", b"",
])  # fmt: skip
SOURCES = st.sampled_from([None, "x-real-ip", "x-forwarded-for", "forwarded"])


@given(
    data=st.data(), source=SOURCES, peer=st.sampled_from(["10.0.0.9", "::ffff:10.0.0.9", "1.1.1.1"])
)
def forwarded(data: st.DataObject, source: str | None, peer: str) -> None:
    """The client's address, in headers of proxies and of lying clients."""
    names = st.sampled_from(["X-Real-IP", "X-Forwarded-For", "Forwarded", "x-forwarded-for"])
    pairs = []
    for name in data.draw(st.lists(names, max_size=4)):
        hops = data.draw(st.lists(ADDRESSES | LINES | st.binary(max_size=8), max_size=40))
        value = data.draw(mutated(data.draw(st.sampled_from([b",", b", ", b";"])).join(hops)))
        pairs.append((name, value.decode("latin-1")))

    def run(codec: twins.Codec) -> Any:
        trusted = codec.forwarded.TrustedProxies(["10.0.0.0/8", "::1"])
        headers = codec.http.Headers(pairs)
        return outcome(codec.forwarded.resolve, peer, 1, headers, trusted, source)

    agree(run)


DATAGRAMS = st.lists(st.binary(max_size=40) | st.sampled_from([bytes(65_507)]), max_size=40)
HOSTS = st.sampled_from(["127.0.0.1", "0.0.0.0", "::1", "::"])


@given(
    sent=DATAGRAMS, answers=DATAGRAMS, host=HOSTS, factor=st.sampled_from([0, 0.5, 1, 3]),
    most=st.sampled_from([1, 20, 65_507]), rate=st.sampled_from([0, 2]),
)  # fmt: skip
def datagrams(
    sent: list[bytes], answers: list[bytes], host: str, factor: float, most: int, rate: float
) -> None:
    """Datagrams that wait in a socket, and their answers."""
    given_limits = {
        "udp_amplification": factor,
        "max_message_size": most,
        "messages_per_second": rate,
        "udp_receive_buffer": 65_536,
    }
    agree(lambda codec: asyncio.run(exchanged(codec, host, sent, answers, given_limits)))


async def exchanged(
    codec: twins.Codec, host: str, sent: list[bytes], answers: list[bytes], limits: dict[str, Any]
) -> list[Any]:
    """All that the program sees of these datagrams, what it is told of its answers, and the counts.

    The answers are sent one after the other, to one datagram after the other.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    to = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    seen: list[Any] = []
    waiting = deque(answers)

    def answer(peer: Any, data: bytes) -> None:
        told = [peer.send(waiting.popleft()) for _ in range(min(2, len(waiting)))]
        where = (peer.remote_ip, peer.local_address.rpartition(":")[0])
        seen.append((data, told, where, peer.remote_port == client.getsockname()[1]))

    callbacks = codec.callbacks.Callbacks()
    callbacks.on_message = answer
    service = codec.context.ConnectionContext(None, callbacks, codec.limits.Limits(**limits))
    udp = socket.socket(family, socket.SOCK_DGRAM)
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        udp.bind((host, 0))
        udp.setblocking(False)
        served = codec.datagrams.DatagramSocket(service, udp)
        client.connect((to, udp.getsockname()[1]))
        for data in sent:
            client.send(data)
        served.serve_rest()
        served.close()
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                seen.append(client.recv(65_536))
    tally = service.tally
    seen += [tally.messages_read, tally.bytes_read, tally.messages_written, tally.bytes_written]
    seen += [service.send_failures, service.messages_dropped, sorted(tally.hits.items())]
    service.poller.close()
    return seen


ALL = (messages, inflating, deflating, handshakes, forwarded, datagrams)
