"""permessage-deflate: what the operator wants, what the client offers, what both agree on.

Source: RFC 7692, sections 5 and 7.1; the header's grammar: RFC 6455, section 9.1.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from lineman.errors import ConfigError, HttpError, ProtocolError
from lineman.protocols.websocket.close import PROTOCOL_ERROR

NAME = "permessage-deflate"
SERVER_NO_TAKEOVER = "server_no_context_takeover"
CLIENT_NO_TAKEOVER = "client_no_context_takeover"
SERVER_BITS = "server_max_window_bits"
CLIENT_BITS = "client_max_window_bits"

MAX_BITS = 15
# RFC 7692 knows windows of 8 bits, but zlib cannot write raw deflate with one (it can read it).
MIN_BITS = 9

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_EMPTY = re.compile(r"[ \t,]*")
_EXTENSION = re.compile(rf"({_TOKEN})[ \t]*")
_PARAMETER = re.compile(
    rf'[ \t]*({_TOKEN})[ \t]*(?:=[ \t]*(?:({_TOKEN})|"((?:[^"\\]|\\.)*)")[ \t]*)?'
)
_WHOLE_TOKEN = re.compile(_TOKEN)
_BITS = re.compile(r"[89]|1[0-5]")  # section 7.1.2: decimal, no leading zeroes, 8 to 15

MAX_KEPT = 200  # characters of an offer

# A name, and its parameters in order; None is the value of one that has none.
Extension = tuple[str, list[tuple[str, str | None]]]


@dataclass(frozen=True, slots=True)
class DeflateOptions:
    """How messages are compressed; what the operator sets.

    Attributes:
        server_no_context_takeover: whether the server compresses each message on its own. True
            keeps nothing for a connection between messages, and compresses a broadcast once for
            all; False makes small, similar messages much smaller, for up to 150 KiB of each
            connection that was sent one.
        client_no_context_takeover: the same for the client. False costs the server up to
            32 KiB for each connection that sent a compressed message.
        server_max_window_bits: 9 to 15, the largest window that the server compresses with:
            2 to that power bytes. 8 is a value of the RFC that zlib cannot compress with.
        client_max_window_bits: 9 to 15, asked of clients that let themselves be asked.
        threshold: messages of fewer bytes go uncompressed. Up to 1 KiB a message is one network
            packet either way, and 8 µs of CPU to compress it buy nothing that anyone notices.
        level: zlib's level, 1 to 9. At 2 messages are 5 % smaller than at 1 for a tenth more
            CPU; 6 takes another 10 to 20 % off, but 2.4 times the CPU at 8 KiB, 4.6 at 64 KiB.
        memory_level: zlib's `memLevel`, 1 to 9. At 5 they are as small as at zlib's own 8,
            and a stream takes 150 KiB where it took 250.

    Raises:
        ConfigError: a value that cannot work.
    """

    server_no_context_takeover: bool = True
    client_no_context_takeover: bool = True
    server_max_window_bits: int = MAX_BITS
    client_max_window_bits: int = MAX_BITS
    threshold: int = 1024
    level: int = 2
    memory_level: int = 5

    def __post_init__(self) -> None:
        _check_flag(SERVER_NO_TAKEOVER, self.server_no_context_takeover)
        _check_flag(CLIENT_NO_TAKEOVER, self.client_no_context_takeover)
        _check_bits(SERVER_BITS, self.server_max_window_bits)
        _check_bits(CLIENT_BITS, self.client_max_window_bits)
        _check_range("level", self.level, 1, 9)
        _check_range("memory_level", self.memory_level, 1, 9)
        if not _is_between(self.threshold, 0, sys.maxsize):
            raise ConfigError(
                f"threshold={self.threshold!r} is not a number of bytes",
                "write threshold=1024, or threshold=0 to compress every message",
            )


def _is_between(value: object, low: int, high: int) -> bool:
    # `object`, because an operator may write anything; a bool is an int, but no number of bits.
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigError(f"{name}={value!r} is not a bool", f"write {name}=True or {name}=False")


def _check_bits(name: str, value: object) -> None:
    if _is_between(value, 8, 8):
        raise ConfigError(
            f"{name}=8: zlib cannot compress with a window below 9 bits", f"write {name}=9"
        )
    _check_range(name, value, MIN_BITS, MAX_BITS)


def _check_range(name: str, value: object, low: int, high: int) -> None:
    if not _is_between(value, low, high):
        raise ConfigError(
            f"{name}={value!r} is not an integer from {low} to {high}",
            f"write a value from {name}={low} to {name}={high}, or leave it out",
        )


@dataclass(frozen=True, slots=True)
class Agreement:
    """What server and client of one connection agreed on (RFC 7692, section 7.1).

    Equal agreements are equal keys, so that connections can be grouped by them.

    Attributes:
        server_no_context_takeover: the server compresses each message on its own.
        client_no_context_takeover: the client does.
        server_max_window_bits: the server's window, 9 to 15 bits.
        client_max_window_bits: the client's, 8 to 15 bits.
    """

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = MAX_BITS
    client_max_window_bits: int = MAX_BITS

    @property
    def share_key(self) -> int | None:
        """What is equal for all connections that can be sent the same compressed message.

        That is the server's window alone: how the client compresses does not matter to it.
        None where this connection can share with no other.
        """
        return self.server_max_window_bits if self.server_no_context_takeover else None


def negotiate(offers: Sequence[str], options: DeflateOptions) -> tuple[Agreement, str] | None:
    """Answer what a client offers.

    The first offer that can be met is taken. One with a parameter that is unknown, doubled, or
    has a bad value is declined, as is a server window of 8 bits (section 7.1: "decline").
    Empty elements of the list are skipped (RFC 9110, section 5.6.1.2), an empty list offers
    nothing.

    Args:
        offers: the values of all `Sec-WebSocket-Extensions` headers, in their order.
        options: what the operator set.

    Returns:
        The agreement and the value of the response's `Sec-WebSocket-Extensions`; None to go on
        without compression.

    Raises:
        HttpError: 400 for a header that is not of the grammar: the connection must be failed
            (RFC 6455, section 9.1), and before the 101 that is done by refusing it.
    """
    # Each browser and library always sends the same offer: it is answered once, and connections
    # share the result. The memory that clients can fill stays small.
    if len(offers) == 1 and len(offers[0]) <= MAX_KEPT:
        return _known_answer(offers[0], options)
    return _answer(offers, options)


@lru_cache(maxsize=64)
def _known_answer(offer: str, options: DeflateOptions) -> tuple[Agreement, str] | None:
    return _answer([offer], options)


def _answer(offers: Sequence[str], options: DeflateOptions) -> tuple[Agreement, str] | None:
    try:
        extensions = _parse(offers)
    except ValueError as error:
        raise HttpError(400, f"Sec-WebSocket-Extensions is malformed: {error}") from None
    for name, parameters in extensions:
        if name == NAME:
            agreement = _meet(parameters, options)
            if agreement is not None:
                return agreement
    return None


def _meet(
    parameters: list[tuple[str, str | None]], options: DeflateOptions
) -> tuple[Agreement, str] | None:
    """The answer to one offer, None to decline it."""
    try:
        offer = _read(parameters, needs_client_bits=False)
    except ValueError:
        return None
    server_bits = min(offer.server_bits or MAX_BITS, options.server_max_window_bits)
    if server_bits < MIN_BITS:
        return None
    client_bits = MAX_BITS
    if offer.client_bits is not None:  # only then may the response have it: section 7.1.2.2
        client_bits = min(offer.client_bits, options.client_max_window_bits)
    agreement = Agreement(
        offer.server_no_takeover or options.server_no_context_takeover,
        offer.client_no_takeover or options.client_no_context_takeover,
        server_bits,
        client_bits,
    )
    parts = [NAME]
    if agreement.server_no_context_takeover:
        parts.append(SERVER_NO_TAKEOVER)
    if agreement.client_no_context_takeover:
        parts.append(CLIENT_NO_TAKEOVER)
    # One that was offered must be answered, even where it is the default: section 7.1.2.1.
    if offer.server_bits is not None or server_bits < MAX_BITS:
        parts.append(f"{SERVER_BITS}={server_bits}")
    if client_bits < MAX_BITS:
        parts.append(f"{CLIENT_BITS}={client_bits}")
    return agreement, "; ".join(parts)


def offer(options: DeflateOptions) -> str:
    """What a client with these options sends as `Sec-WebSocket-Extensions`.

    It lets the server choose a smaller window for what the client sends.
    """
    parts = [NAME]
    if options.server_no_context_takeover:
        parts.append(SERVER_NO_TAKEOVER)
    if options.client_no_context_takeover:
        parts.append(CLIENT_NO_TAKEOVER)
    if options.server_max_window_bits < MAX_BITS:
        parts.append(f"{SERVER_BITS}={options.server_max_window_bits}")
    bits = options.client_max_window_bits
    parts.append(CLIENT_BITS if bits == MAX_BITS else f"{CLIENT_BITS}={bits}")
    return "; ".join(parts)


def accept(response: str, options: DeflateOptions) -> Agreement:
    """What a client that sent `offer(options)` agreed on by this response.

    Args:
        response: the value of the response's `Sec-WebSocket-Extensions`.
        options: those of the offer.

    Raises:
        ProtocolError: the header is malformed, or is no answer to the offer; the client must
            fail the connection (RFC 6455, section 4.1; RFC 7692, section 7.1).
    """
    try:
        extensions = _parse([response])
        if [name for name, _ in extensions] != [NAME]:
            raise ValueError(f"it is not one {NAME}")
        answer = _read(extensions[0][1], needs_client_bits=True)
        wanted_bits = options.server_max_window_bits
        if options.server_no_context_takeover and not answer.server_no_takeover:
            raise ValueError(f"{SERVER_NO_TAKEOVER} was offered and is not answered")
        if (answer.server_bits or MAX_BITS) > wanted_bits:
            raise ValueError(f"{SERVER_BITS} is more than the {wanted_bits} that were offered")
        client_bits = min(answer.client_bits or MAX_BITS, options.client_max_window_bits)
        if client_bits < MIN_BITS:
            raise ValueError(f"{CLIENT_BITS}=8 is more than zlib can do")
    except ValueError as error:
        raise ProtocolError(PROTOCOL_ERROR, f"bad Sec-WebSocket-Extensions: {error}") from None
    return Agreement(
        answer.server_no_takeover,
        answer.client_no_takeover or options.client_no_context_takeover,
        answer.server_bits or MAX_BITS,
        client_bits,
    )


@dataclass(frozen=True, slots=True)
class _Parameters:
    """The four parameters; None for a number that is absent."""

    server_no_takeover: bool
    client_no_takeover: bool
    server_bits: int | None
    client_bits: int | None


def _read(parameters: list[tuple[str, str | None]], needs_client_bits: bool) -> _Parameters:
    """The parameters checked.

    Args:
        parameters: as they were parsed.
        needs_client_bits: False for an offer, where `client_max_window_bits` without a value
            means that the server may choose one.

    Raises:
        ValueError: one is unknown, doubled or has a bad value (section 7.1: "decline", "fail").
    """
    found = dict(parameters)
    if len(found) < len(parameters):
        raise ValueError("a parameter is doubled")
    for name, value in parameters:
        if name in (SERVER_NO_TAKEOVER, CLIENT_NO_TAKEOVER):
            if value is not None:
                raise ValueError(f"{name} has no value")
        elif name in (SERVER_BITS, CLIENT_BITS):
            if value is None and name == CLIENT_BITS and not needs_client_bits:
                found[name] = str(MAX_BITS)
            elif value is None or _BITS.fullmatch(value) is None:
                raise ValueError(f"{name} is a number from 8 to 15")
        else:
            raise ValueError("a parameter is unknown")
    server_bits = found.get(SERVER_BITS)
    client_bits = found.get(CLIENT_BITS)
    return _Parameters(
        SERVER_NO_TAKEOVER in found,
        CLIENT_NO_TAKEOVER in found,
        None if server_bits is None else int(server_bits),
        None if client_bits is None else int(client_bits),
    )


def _parse(lines: Sequence[str]) -> list[Extension]:
    """All extensions of all lines, in order.

    Raises:
        ValueError: a line is not of the grammar in RFC 6455, section 9.1; says where.
    """
    extensions: list[Extension] = []
    for line in lines:
        position = _skip(line, 0)
        while position < len(line):
            match = _EXTENSION.match(line, position)
            if match is None:
                raise ValueError(f"no extension name at byte {position}")
            parameters: list[tuple[str, str | None]] = []
            extensions.append((match[1], parameters))
            position = match.end()
            while line[position : position + 1] == ";":
                position = _parse_parameter(line, position + 1, parameters)
            if position < len(line) and line[position] != ",":
                raise ValueError(f"neither ';' nor ',' at byte {position}")
            position = _skip(line, position)
    return extensions


def _skip(line: str, position: int) -> int:
    """The position after commas and blanks: of the next element, or the end."""
    match = _EMPTY.match(line, position)
    return position if match is None else match.end()


def _parse_parameter(line: str, start: int, parameters: list[tuple[str, str | None]]) -> int:
    """Appends the parameter that starts here; the position after it."""
    match = _PARAMETER.match(line, start)
    if match is None:
        raise ValueError(f"no parameter at byte {start}")
    name, value, quoted = match.groups()
    if quoted is not None:
        value = re.sub(r"\\(.)", r"\1", quoted)
        # "When using the quoted-string syntax variant, the value after quoted-string unescaping
        # MUST conform to the 'token' ABNF."
        if _WHOLE_TOKEN.fullmatch(value) is None:
            raise ValueError(f"a quoted value at byte {start} is not a token")
    parameters.append((name, value))
    return match.end()
