"""The property of protocols on a byte stream: both twins and a few lines of Python say the same.

`STREAMS` has each of them with these few lines, which know the protocol and nothing else: another
protocol needs an entry there, and its module in `twins.NAMES`. The protocols of programs are in
`own_codecs`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fuzz import own_codecs, twins
from fuzz.inputs import mutated, payloads, pieces, texts
from fuzz.properties import BUILT, agree, outcome

PROTOCOL_ERROR, INVALID_DATA, MESSAGE_TOO_BIG, INTERNAL_ERROR = 1002, 1007, 1009, 1011


@dataclass(frozen=True)
class Limits:
    """What a session asks of its service."""

    max_message_size: int
    idle_timeout: float = 0.0


@dataclass(frozen=True)
class Read:
    """What a stream means.

    Attributes:
        messages: those that are complete.
        broken: the code of the rule that the stream breaks; None where it breaks none.
        rest: the bytes of a message that is not complete.
    """

    messages: list[str | bytes]
    broken: int | None = None
    rest: bytes = b""


@dataclass(frozen=True)
class Stream:
    """One protocol.

    Attributes:
        module: the name of its module in `twins.Codec`.
        session: makes a session of one of the twins.
        read: what a stream means, with a limit for its messages.
        framed: a message as bytes on the wire.
        protocol: what a program gives as `protocol=`; None for one of ours.
    """

    module: str
    session: Callable[[twins.Codec, Any], Any]
    read: Callable[[bytes, int], Read]
    framed: Callable[[bytes], bytes]
    protocol: Any = None


def lines(wire: bytes, most: int) -> Read:
    """Lines of UTF-8, whose last `\\r` does not count."""
    *whole, rest = wire.split(b"\n")
    found: list[str | bytes] = []
    for line in whole:
        body = line.removesuffix(b"\r")
        if len(body) > most:
            return Read(found, MESSAGE_TOO_BIG)
        try:
            found.append(body.decode())
        except UnicodeDecodeError:
            return Read(found, INVALID_DATA)
    return Read(found, MESSAGE_TOO_BIG) if len(rest) > most + 1 else Read(found, None, rest)


def counted(wire: bytes, most: int) -> Read:
    """Four bytes of length, which count themselves, before each message."""
    found: list[str | bytes] = []
    while len(wire) >= 4:
        size = int.from_bytes(wire[:4], "big")
        if size < 4:
            return Read(found, PROTOCOL_ERROR)
        if size - 4 > most:
            return Read(found, MESSAGE_TOO_BIG)
        if size > len(wire):
            break
        found.append(wire[4:size])
        wire = wire[size:]
    return Read(found, None, wire)


def raw(wire: bytes, most: int) -> Read:
    """Bytes as they come, here as one."""
    return Read([wire] if wire else [])


def asked(codec: Any) -> Callable[[bytes, int], Read]:
    """The packages of a program's protocol, which is shown all there is, after every package."""

    def read(wire: bytes, most: int) -> Read:
        found: list[str | bytes] = []
        while wire:
            try:
                size = codec.input(wire[:most])
                if type(size) is not int:
                    return Read(found, INTERNAL_ERROR)
                if size < 0:
                    return Read(found, PROTOCOL_ERROR)
                if size > most or (size == 0 and len(wire) > most):
                    return Read(found, MESSAGE_TOO_BIG)
                if size == 0 or size > len(wire):
                    break
                message = codec.decode(wire[:size])
            except own_codecs.FAULTS:
                return Read(found, INTERNAL_ERROR)
            if message is not None:
                found.append(message)
            wire = wire[size:]
        return Read(found, None, wire)

    return read


def built_in(module: str, name: str) -> Callable[[twins.Codec, Any], Any]:
    """Makes the session of a protocol of ours."""
    return lambda codec, limits: getattr(getattr(codec, module), name)(limits)


def of_program(codec_of: Callable[[twins.Codec], Any]) -> Callable[[twins.Codec, Any], Any]:
    """Makes the session of a program's protocol."""
    return lambda codec, limits: codec.own.CodecSession(limits, codec_of(codec))


STREAMS = {
    "text": Stream(
        "text",
        built_in("text", "TextSession"),
        lines,
        lambda body: body.replace(b"\n", b"") + b"\n",
    ),
    "frame": Stream(
        "frame",
        built_in("frame", "FrameSession"),
        counted,
        lambda body: (len(body) + 4).to_bytes(4, "big") + body,
    ),
    "tcp": Stream("tcp", built_in("tcp", "TcpSession"), raw, lambda body: body),
    "Lines": Stream(
        "own",
        of_program(lambda codec: codec.ready.Lines(b"\r\n")),
        asked(BUILT.ready.Lines(b"\r\n")),
        lambda body: body.replace(b"\r\n", b"") + b"\r\n",
        BUILT.ready.Lines(b"\r\n"),
    ),
    "LengthPrefixed": Stream(
        "own",
        of_program(lambda codec: codec.ready.LengthPrefixed("<I", counts_itself=True)),
        asked(BUILT.ready.LengthPrefixed("<I", counts_itself=True)),
        lambda body: (len(body) + 4).to_bytes(4, "little") + body,
        BUILT.ready.LengthPrefixed("<I", counts_itself=True),
    ),
    "Netstrings": Stream(
        "own",
        of_program(lambda _: own_codecs.Netstrings()),
        asked(own_codecs.Netstrings()),
        own_codecs.Netstrings().encode,
        own_codecs.Netstrings,
    ),
    "Nonsense": Stream(
        "own",
        of_program(lambda _: own_codecs.Nonsense()),
        asked(own_codecs.Nonsense()),
        own_codecs.Nonsense().encode,
        own_codecs.Nonsense,
    ),
}


def session_of(codec: twins.Codec, protocol: str, most: int) -> Any:
    """A new session of one of the twins."""
    return STREAMS[protocol].session(codec, Limits(most))


def told(codec: twins.Codec, protocol: str, most: int, parts: list[bytes], turns: int) -> list[Any]:
    """All that a session says while it is fed.

    Args:
        codec: which twin.
        protocol: which of `STREAMS`.
        most: bytes of a message.
        parts: what it is fed, one after the other.
        turns: after so many events the caller asks for the rest and goes on with that; 0: never.
    """
    session = session_of(codec, protocol, most)
    seen: list[Any] = []
    for part in parts:
        buffer = bytearray(part)  # as the one receive buffer: overwritten by the next read
        count = 0
        while True:
            data = memoryview(buffer)
            event = session.next(data)
            seen.append(named(codec, event))
            count += 1
            if turns and count % turns == 0:
                has_more = session.has_more
                later = session.rest(data)
                seen.append(("rest", later))
                if event is None or not (later or has_more):
                    break
                buffer = bytearray(later)
            elif event is None or not session.has_more:
                break
        if turns and session.ask_now():  # the clock: a tick after some parts
            seen += ticked(codec, session)
        begun = session.unfinished()
        assert (session.held() >= len(begun)) if begun else session.held() < 200
        seen.append(("unfinished", None if begun is None else bytes(begun), session.has_more))
        buffer[:] = b"\xaa" * len(buffer)
    if session.ask_now():
        seen += ticked(codec, session)
        begun = session.unfinished()
        seen.append(("unfinished", None if begun is None else bytes(begun), session.has_more))
    return seen


def named(codec: twins.Codec, event: Any) -> Any:
    """An event, without what each twin has for itself."""
    if isinstance(event, codec.events.Progress):
        return "progress", event is codec.events.LATER
    return event


def ticked(codec: twins.Codec, session: Any) -> list[Any]:
    """What a session says that is asked again at a tick, though nothing has come."""
    seen = [named(codec, session.next(memoryview(b"")))]
    while session.has_more:
        seen.append(named(codec, session.next(memoryview(b""))))
    return seen


def feeding(protocol: str, most: int, parts: list[bytes], turns: int) -> None:
    """Feeds both twins, and compares what they say with what the stream means."""
    agree(lambda codec: told(codec, protocol, most, parts, turns))
    seen = told(BUILT, protocol, most, parts, turns)
    error = BUILT.errors.ProtocolError
    messages = [one for one in seen if isinstance(one, str | bytes)]
    broken = [one.code for one in seen if isinstance(one, error)]
    if protocol == "tcp":
        messages = [b"".join(messages)] if messages else []
    read = STREAMS[protocol].read(b"".join(parts), most)
    assert messages == read.messages, f"{messages!r:.1000}\nexpected: {read.messages!r:.1000}"
    assert broken == ([] if read.broken is None else [read.broken])
    if read.broken is None and parts:
        assert (seen[-1][1] or b"") == read.rest


SIZES = st.sampled_from([0, 1, 5, 40, 300, 65_536, 2**31])


@st.composite
def wires(draw: st.DrawFn, protocol: str) -> bytes:
    """Messages one behind another, now and then something that is wrong."""
    bodies = draw(st.lists(texts() | payloads(), max_size=6))
    framed = STREAMS[protocol].framed
    ends = st.sampled_from(
        [b"", b"", b"", b"\r", b"\n", b"\r\n", b"\0\0\0\x03", b"\xff\xff\xff\xff"]
    )
    return draw(mutated(b"".join(framed(body + draw(ends)) for body in bodies) + draw(ends)))


@given(
    data=st.data(), protocol=st.sampled_from(sorted(STREAMS)), most=SIZES, turns=st.integers(0, 3)
)
def streams(data: st.DataObject, protocol: str, most: int, turns: int) -> None:
    """Streams of messages, cut anywhere, whose rest is taken up later."""
    feeding(protocol, most, data.draw(pieces(data.draw(wires(protocol)))), turns)


def random_streams(random: Random) -> None:
    """The same from a quick generator."""
    protocol = random.choice(sorted(STREAMS))
    wire = bytearray()
    for _ in range(random.randrange(1, 8)):
        size = random.choice([0, 1, random.randrange(300), 65_535, 65_536])
        body = random.choice([b"\xc3\xa4" * (size // 2), random.randbytes(size), b"x" * size])
        wire += STREAMS[protocol].framed(body + random.choice([b"", b"", b"\r"]))
    if wire and random.random() < 0.3:
        for _ in range(random.randrange(1, 4)):
            wire[random.randrange(len(wire))] = random.randrange(256)
    cuts = sorted(random.randrange(len(wire) + 1) for _ in range(random.choice([0, 0, 1, 2, 9])))
    if random.random() < 0.02:  # a slow sender: what is asked about it is not paid for
        wire = wire[: 2 * own_codecs.SLOW]
        cuts = list(range(1, min(len(wire), own_codecs.SLOW)))
    parts = [bytes(wire[start:stop]) for start, stop in pairwise([0, *cuts, len(wire)])]
    feeding(protocol, random.choice([100, 65_535, 2**20]), parts, random.choice([0, 0, 1, 2]))


ANYTHING = st.one_of(
    st.text(max_size=40), payloads(), payloads().map(bytearray), payloads().map(memoryview),
    st.integers(), st.none(), st.lists(st.integers(), max_size=2),
)  # fmt: skip


REVERSIBLE = sorted(STREAMS.keys() - {"Nonsense"})


@given(sent=st.lists(ANYTHING, max_size=4), protocol=st.sampled_from(REVERSIBLE))
def sending(sent: list[Any], protocol: str) -> None:
    """What programs send: both twins encode it the same, or refuse it; the other end reads it."""
    for message in sent:

        def run(codec: twins.Codec, message: Any = message) -> list[Any]:
            session = session_of(codec, protocol, 2**31)
            said = [outcome(call, message) for call in (session.encode, session.pieces)]
            if isinstance(said[0], bytes):
                assert b"".join(said[1]) == said[0] == session.leaving(session.waiting(message))
            return said

        agree(run)
        wire = outcome(session_of(BUILT, protocol, 2**31).encode, message)
        if isinstance(wire, bytes):
            read = STREAMS[protocol].read(wire, 2**31)
            assert read.rest == b""
            body = message.encode() if isinstance(message, str) else bytes(message)
            back = [one.encode() if isinstance(one, str) else one for one in read.messages]
            if read.broken is None:
                expected = body.removesuffix(b"\r") if protocol == "text" else body
                assert b"".join(back) == expected


@given(
    protocol=st.sampled_from(sorted(STREAMS)),
    most=st.floats(0, 1e6),
    now=st.floats(0, 1e9),
    last=st.floats(0, 1e9),
    is_reading=st.booleans(),
)
def silence(protocol: str, most: float, now: float, last: float, is_reading: bool) -> None:
    """A silent peer is given up at the same time by both twins."""

    def run(codec: twins.Codec) -> Any:
        session = STREAMS[protocol].session(codec, Limits(10, most))
        return session.on_time(now, last, is_reading)

    agree(run)


ALL = (streams, sending, silence)
