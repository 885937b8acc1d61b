"""The table of what may come over the wire and what must come of it.

Each wire of a broken rule ends with the last byte that the decoder may need to see it.

Source: RFC 6455, sections 5 to 8; 5.7 for the examples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from kit.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    LIMIT,
    PING,
    PONG,
    TEXT,
    Frame,
    Seen,
    binary,
    last,
    more,
    text,
    written,
)

KINDS = {TEXT: "text", BINARY: "binary", CLOSE: "close", PING: "ping", PONG: "pong"}
CONTROLS = (CLOSE, PING, PONG)
RESERVED = (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)


@dataclass(frozen=True)
class Vector:
    """Frames and the events they give.

    Attributes:
        limit: the decoder's `max_message_size`.
        is_whole: whether the wire ends between messages, so that another can follow.
    """

    name: str
    frames: tuple[Frame, ...]
    events: tuple[Seen, ...]
    limit: int = LIMIT
    is_whole: bool = True

    @cache  # noqa: B019 - the table lives as long as the tests do
    def wire(self, masked: bool) -> bytes:
        return written(self.frames, masked)


def error(code: int, words: str) -> Seen:
    return "error", code, words


def close_frame(code: int, reason: bytes = b"") -> Frame:
    return Frame(CLOSE, code.to_bytes(2, "big") + reason)


def well_formed() -> Iterator[Vector]:
    for size in (0, 1, 2, 3, 4, 5, 125, 126, 127, 128, 65535, 65536, 65537):
        payload = (bytes(range(97, 123)) * (size // 26 + 1))[:size]
        yield Vector(f"text of {size}", (text(payload),), (("text", payload.decode()),))
        payload = (bytes(range(256)) * (size // 256 + 1))[:size]
        yield Vector(f"binary of {size}", (binary(payload),), (("binary", payload),))
    for name, value in {
        "two-byte characters": "Größe",
        "three-byte characters": "电话线",
        "four-byte characters": "🪢🧵",
        "NUL": "a\0b",
        "byte order mark": "\ufeffa\ufeff",
        "noncharacters": "\ufdd0\ufffe\uffff\U0010ffff",
        "line ends": "\r\n\n\r\u2028",
    }.items():
        yield Vector(f"text with {name}", (text(value),), (("text", value),))
    yield Vector(
        "messages one behind the other",
        (text("a"), binary(b"\xff"), text(""), binary(b""), text("z")),
        (("text", "a"), ("binary", b"\xff"), ("text", ""), ("binary", b""), ("text", "z")),
    )
    yield Vector("nothing", (), ())
    for opcode in (PING, PONG):
        name = KINDS[opcode]
        for payload in (b"", b"?", b"\xff\xfe\x80", bytes(125)):
            yield Vector(f"{name} of {len(payload)}", (Frame(opcode, payload),), ((name, payload),))
        yield Vector(
            f"many {name}s",
            tuple(Frame(opcode, b"%d" % i) for i in range(20)),
            tuple((name, b"%d" % i) for i in range(20)),
        )


def fragmented() -> Iterator[Vector]:
    hello = (("text", "hello"),)
    yield Vector("two fragments", (text("hel", False), last("lo")), hello)
    yield Vector("a fragment a byte", (text("h", False), *map(more, "ell"), last("o")), hello)
    yield Vector("empty first fragment", (text("", False), last("hello")), hello)
    yield Vector("empty last fragment", (text("hello", False), last()), hello)
    yield Vector("empty fragments between", (text("h", False), more(), more(), last("ello")), hello)
    yield Vector("only empty fragments", (text("", False), more(), last()), (("text", ""),))
    yield Vector("only empty binary", (binary(b"", False), more(), last()), (("binary", b""),))
    yield Vector(
        "binary in fragments",
        (binary(b"\xff\xfe", False), more(b"\x80"), last(b"\xc0")),
        (("binary", b"\xff\xfe\x80\xc0"),),
    )
    yield Vector(
        "fragments with every form of length",
        (text(b"a" * 125, False), more(b"b" * 126), more(b"c" * 65536), last(b"d")),
        (("text", "a" * 125 + "b" * 126 + "c" * 65536 + "d"),),
    )
    yield Vector(
        "fragmented messages one behind the other",
        (text("a", False), last("b"), binary(b"c", False), last(b"d"), text("e"), text("f", False),
         last("g")),
        (("text", "ab"), ("binary", b"cd"), ("text", "e"), ("text", "fg")),
    )  # fmt: skip
    rope = "🪢".encode()
    for cut in (1, 2, 3):
        yield Vector(
            f"character cut after {cut} bytes by a fragment",
            (text(rope[:cut], False), last(rope[cut:])),
            (("text", "🪢"),),
        )
        yield Vector(
            f"ping inside a character cut after {cut} bytes",
            (text(rope[:cut], False), Frame(PING, b"\xff"), more(), last(rope[cut:])),
            (("ping", b"\xff"), ("text", "🪢")),
        )
    yield Vector(
        "a byte of each character a fragment",
        (text("", False), *(more(bytes((byte,))) for byte in "aö电🪢".encode()), last()),
        (("text", "aö电🪢"),),
    )
    yield Vector(
        "control frames between fragments",
        (text("a", False), Frame(PING, b"1"), Frame(PONG, b"2"), more("b"), Frame(PING), last("c"),
         Frame(PONG)),
        (("ping", b"1"), ("pong", b"2"), ("ping", b""), ("text", "abc"), ("pong", b"")),
    )  # fmt: skip
    yield Vector(
        "a full control frame between fragments",
        (binary(b"a", False), Frame(PING, b"p" * 125), last(b"b")),
        (("ping", b"p" * 125), ("binary", b"ab")),
    )


def unfinished() -> Iterator[Vector]:
    yield Vector("half a header", (Frame(TEXT, cut=1),), (), is_whole=False)
    yield Vector("half a length", (Frame(TEXT, bytes(126), cut=3),), (), is_whole=False)
    yield Vector("half a payload", (Frame(TEXT, b"ab", cut=7, declared=9),), (), is_whole=False)
    yield Vector("no last fragment", (text("a", False), more("b")), (), is_whole=False)
    yield Vector("an empty first fragment", (binary(b"", False),), (), is_whole=False)
    yield Vector(
        "a ping and half a ping",
        (Frame(PING, b"a"), Frame(PING, b"bc", cut=2)),
        (("ping", b"a"),),
        is_whole=False,
    )


def closing() -> Iterator[Vector]:
    def given(name: str, frame: Frame, *event: object) -> Vector:
        return Vector(f"close {name}", (frame,), (event,))

    yield given("without a payload", Frame(CLOSE), "close", 1005, "")
    yield given("with a code", close_frame(1000), "close", 1000, "")
    yield given("with a reason", close_frame(1001, b"bye"), "close", 1001, "bye")
    yield given("with words", close_frame(4000, "до 电话".encode()), "close", 4000, "до 电话")
    yield given("with 123 bytes", close_frame(3000, b"r" * 123), "close", 3000, "r" * 123)
    yield given("of one byte", Frame(CLOSE, b"\x03"), *error(1002, "one byte"))
    for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535):
        yield given(f"with code {code}", close_frame(code), *error(1002, str(code)))
        bad = close_frame(code, b"\xff")
        yield given(f"with code {code} and no UTF-8", bad, *error(1002, str(code)))
    for name, reason in {
        "bad": b"\xff",
        "overlong": b"a\xc0\xaf",
        "surrogate": b"\xed\xa0\x80",
        "too high": b"\xf4\x90\x80\x80",
        "cut off": "电".encode()[:2],
    }.items():
        yield given(f"with {name} UTF-8", close_frame(1000, reason), *error(1007, "UTF-8"))
    closed = ("close", 1000, "")
    yield Vector("message after a close", (close_frame(1000), text("late")), (closed,))
    yield Vector("close after a close", (close_frame(1000), close_frame(1001)), (closed,))
    yield Vector("broken after a close", (close_frame(1000), Frame(7, rsv=7)), (closed,))
    yield Vector("ping after a close", (close_frame(1000), Frame(PING)), (closed,))
    yield Vector("close in mid message", (text("a", False), close_frame(1000), last()), (closed,))
    yield Vector("close inside a character", (text(b"\xe7", False), close_frame(1000)), (closed,))
    yield Vector(
        "close after messages",
        (text("a"), Frame(PING, b"p"), binary(b"b"), close_frame(1000)),
        (("text", "a"), ("ping", b"p"), ("binary", b"b"), closed),
    )


def broken_frames() -> Iterator[tuple[str, Frame, Seen]]:
    """Frames that are wrong wherever they come."""
    for opcode, name in (KINDS | {CONTINUATION: "continuation"}).items():
        for rsv in range(1, 8):
            rsv_error = error(1002, "reserved bits")
            yield f"{name} with reserved bits {rsv:03b}", Frame(opcode, rsv=rsv, cut=1), rsv_error
    for opcode in RESERVED:
        for fin in (True, False):
            reserved = error(1002, "reserved opcode")
            yield f"opcode {opcode}, fin {fin:d}", Frame(opcode, fin=fin, cut=1), reserved
    for opcode in CONTROLS:
        name = KINDS[opcode]
        fragment = error(1002, "fragmented control")
        yield f"fragmented {name}", Frame(opcode, b"a", fin=False, cut=1), fragment
        for size in (126, 127, 65535, 65536):
            too_long = error(1002, "125")
            yield f"{name} of {size}", Frame(opcode, declared=size, cut=2), too_long
        for form in (16, 64):
            long_form = Frame(opcode, b"short", form=form, cut=2)
            yield f"{name} with a {form}-bit length", long_form, error(1002, "125")
        yield f"{name} wrongly masked", Frame(opcode, wrong_mask=True, cut=2), error(1002, "mask")


def broken_data(opcode: int, name: str) -> Iterator[tuple[str, Frame, Seen]]:
    """Data frames that are wrong where this opcode would be right."""
    for fin in (True, False):
        wrong = Frame(opcode, b"a", fin, wrong_mask=True, cut=2)
        yield f"{name} wrongly masked, fin {fin:d}", wrong, error(1002, "mask")
    shortest = error(1002, "shortest")
    for size in (0, 1, 125):
        yield f"{name} of {size} in 16 bits", Frame(opcode, declared=size, form=16, cut=4), shortest
    for size in (0, 1, 125, 126, 65535):
        frame = Frame(opcode, declared=size, form=64, cut=10)
        yield f"{name} of {size} in 64 bits", frame, shortest
    for size in (1 << 63, (1 << 63) + 5, (1 << 63) + (1 << 16), (1 << 64) - 1):
        frame = Frame(opcode, declared=size, form=64, cut=10)
        yield f"{name} of {size:#x}", frame, error(1002, "highest bit")
    # What wraps to something small in 32 or 63 bits must not pass for small.
    for size in ((1 << 63) - 1, 1 << 62, (1 << 32) + 5, 1 << 32, 1 << 31, LIMIT + 1):
        frame = Frame(opcode, declared=size, form=64, cut=10)
        yield f"{name} of {size:#x}", frame, error(1009, "max_message_size")


def broken() -> Iterator[Vector]:
    before = (text("kept"), Frame(PING, b"kept"), binary(b"kept"))
    kept = (("text", "kept"), ("ping", b"kept"), ("binary", b"kept"))
    rules = [*broken_frames(), *broken_data(TEXT, "text"), *broken_data(BINARY, "binary")]
    begun = error(1002, "never began")
    rules += [
        ("stray continuation", Frame(CONTINUATION, cut=1), begun),
        ("stray continuation with more to come", Frame(CONTINUATION, fin=False, cut=1), begun),
    ]
    for name, frame, failure in rules:
        yield Vector(name, (frame,), (failure,))
        yield Vector(f"{name}, after messages", (*before, frame), (*kept, failure))
    unended = error(1002, "before the last one was finished")
    rules = [*broken_frames(), *broken_data(CONTINUATION, "continuation")]
    for opcode in (TEXT, BINARY):
        for fin in (True, False):
            name = f"new {KINDS[opcode]}, fin {fin:d}"
            rules.append((name, Frame(opcode, fin=fin, cut=1), unended))
    for name, frame, failure in rules:
        begun_so = (text("a", False), Frame(PING, b"p"), more("b"), frame)
        yield Vector(f"{name}, in mid message", begun_so, (("ping", b"p"), failure))
        yield Vector(f"{name}, in an empty message", (binary(b"", False), frame), (failure,))
    for frames in ((text("a"),), (text("a", False), last())):
        name = f"continuation of a message that ended with frame {len(frames)}"
        yield Vector(name, (*frames, Frame(CONTINUATION, cut=1)), (("text", "a"), begun))


def sizes() -> Iterator[Vector]:
    def big(name: str, limit: int, *frames: Frame, before: tuple[Seen, ...] = ()) -> Vector:
        return Vector(name, frames, (*before, error(1009, f"{limit} bytes")), limit)

    def fits(name: str, limit: int, *frames: Frame) -> Vector:
        message = b"".join(frame.payload for frame in frames if frame.opcode < CLOSE)
        pings = (("ping", frame.payload) for frame in frames if frame.opcode == PING)
        return Vector(name, frames, (*pings, ("text", message.decode())), limit)

    for limit, cut in ((10, 2), (125, 4), (126, 4), (300, 4), (65535, 10), (65536, 10)):
        yield fits(f"the limit of {limit}", limit, text(b"m" * limit))
        over = Frame(TEXT, declared=limit + 1, cut=cut)
        yield big(f"the limit of {limit} and one, declared", limit, over)
        half = b"m" * (limit // 2)
        rest = b"m" * (limit - limit // 2)
        yield fits(f"the limit of {limit} in fragments", limit, text(half, False), last(rest))
        over = Frame(CONTINUATION, declared=len(rest) + 1, cut=2 if len(rest) < 125 else 4)
        yield big(f"the limit of {limit} and one in fragments", limit, text(half, False), over)
    ten = text(b"m" * 10, False)
    yield fits("empty fragments at the limit", 10, ten, more(), more(), last())
    yield fits("control frames do not count", 10, ten, Frame(PING, bytes(125)), last())
    yield big("one more than the limit, after empty fragments", 10, ten, more(),
              Frame(CONTINUATION, declared=1, fin=False, cut=2))  # fmt: skip
    yield big("the limit and the longest length", 10, ten,
              Frame(CONTINUATION, declared=(1 << 63) - 1, cut=10))  # fmt: skip
    yield big("characters are counted in bytes", 10, Frame(TEXT, "电话线电".encode(), cut=2))
    yield fits("a limit of nothing", 0, text(""))
    yield fits("a limit of nothing in fragments", 0, text("", False), more(), last())
    yield big("a byte over nothing", 0, Frame(BINARY, declared=1, cut=2))
    tens = tuple(text(b"m" * 10) for _ in range(3))
    yield Vector("each message has the limit", tens, (("text", "m" * 10),) * 3, 10)
    pairs = (ten, last(), binary(bytes(5), False), last(bytes(5)))
    both = (("text", "m" * 10), ("binary", bytes(10)))
    yield Vector("each fragmented message has the limit", pairs, both, 10)
    over = Frame(BINARY, declared=11, cut=2)
    yield big("too big after messages", 10, *pairs, over, before=both)
    # A limit that is no limit: the sums must not wrap.
    endless = (1 << 63) - 1
    begun = Frame(BINARY, b"a", declared=endless, cut=15)
    yield Vector("the longest length, allowed", (begun,), (), endless, is_whole=False)
    over = Frame(CONTINUATION, declared=endless, cut=10)
    yield big("the longest length and one", endless, binary(b"a", False), over)


VECTORS = (
    *well_formed(),
    *fragmented(),
    *unfinished(),
    *closing(),
    *broken(),
    *sizes(),
)

# (name, wire, whether it is a client's, events): the examples of RFC 6455, section 5.7.
EXAMPLES: tuple[tuple[str, bytes, bool, tuple[Seen, ...]], ...] = (
    ("unmasked text", b"\x81\x05Hello", False, (("text", "Hello"),)),
    (
        "masked text",
        bytes.fromhex("818537fa213d7f9f4d5158"),
        True,
        (("text", "Hello"),),
    ),
    ("fragments", b"\x01\x03Hel\x80\x02lo", False, (("text", "Hello"),)),
    ("ping", b"\x89\x05Hello", False, (("ping", b"Hello"),)),
    ("masked pong", bytes.fromhex("8a8537fa213d7f9f4d5158"), True, (("pong", b"Hello"),)),
    ("256 bytes", b"\x82\x7e\x01\x00" + bytes(256), False, (("binary", bytes(256)),)),
    (
        "64 KiB",
        b"\x82\x7f" + bytes.fromhex("0000000000010000") + bytes(65536),
        False,
        (("binary", bytes(65536)),),
    ),
)
