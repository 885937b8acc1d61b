"""How a client connects: its limits and times, its TLS, and what its handshake says."""

from __future__ import annotations

import difflib
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from lineman.base.option_kinds import frozen
from lineman.client import proxy_address, stream_target
from lineman.client.proxy_address import ProxyAddress
from lineman.client.proxying import check_library
from lineman.client.stream_target import AnyTarget, StreamTarget
from lineman.config import session_factories
from lineman.errors import ConfigError, UsageError
from lineman.net.connection.connection import Connection
from lineman.net.connection.limits import Limits
from lineman.protocols.codecs import chosen
from lineman.protocols.interface import Session
from lineman.protocols.websocket.client.client_handshake import ClientOpening
from lineman.protocols.websocket.client.url import Target
from lineman.protocols.websocket.negotiation import DeflateOptions

Headers = Mapping[str, str] | Iterable[tuple[str, str]]

# The limits of a connection that mean something for a client.
OF_CONNECTION = (
    "max_message_size",
    "max_send_buffer_size",
    "close_timeout",
    "ping_interval",
    "ping_timeout",
    "idle_timeout",
)


@frozen
@dataclass(kw_only=True)
class ClientOptions:
    """The options of `connect`.

    Attributes:
        timeout: seconds for everything until messages can be sent: name, TCP, TLS, handshake.
        headers: further headers of the handshake, as a mapping or as pairs; or a function that
            makes them for each attempt, plain or `async def`.
        origin: the `Origin` that a browser would send; None for none.
        subprotocols: offered, the best one first.
        compression: whether compression is offered, or how; only for websockets.
        protocol: a protocol of the program's own for `tcp://`, as for a `Worker`.
        proxy: the address of an HTTP or a SOCKS5 proxy to go through; None for none.
        tls: an `ssl.SSLContext` of the program's own; it replaces the next three.
        ca: a PEM file with the authorities to trust; None for those of the system.
        cert, key: PEM files with the client's certificate and its key.
        max_message_size, max_send_buffer_size, close_timeout, ping_interval, ping_timeout,
            idle_timeout: as for a `Worker`.
        reconnect: whether the line is opened again whenever it has ended; the rest is for this.
        first_delay, last_delay: seconds before the first new attempt, and before any, at most.
        max_waiting: messages that wait while the line is away; further ones are dropped.
        on_open: called with each new `Connection`, before the messages that wait are sent.
    """

    timeout: float = 10.0
    headers: Headers | Callable[[], Headers | Awaitable[Headers]] = ()
    origin: str | None = None
    subprotocols: Iterable[str] = ()
    compression: bool | DeflateOptions = True
    protocol: Any = None
    proxy: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    ca: str | Path | None = None
    cert: str | Path | None = None
    key: str | Path | None = None
    max_message_size: int = Limits.max_message_size
    max_send_buffer_size: int = Limits.max_send_buffer_size
    close_timeout: float = Limits.close_timeout
    ping_interval: float = Limits.ping_interval
    ping_timeout: float = Limits.ping_timeout
    idle_timeout: float = Limits.idle_timeout
    reconnect: bool = False
    first_delay: float = 0.5
    last_delay: float = 30.0
    max_waiting: int = 1000
    on_open: Callable[[Connection], Any] | None = None


NAMES = frozenset(each.name for each in fields(ClientOptions))


def options_of(whose: str, given: Mapping[str, Any]) -> ClientOptions:
    """The options that a program has given by name.

    Args:
        whose: what takes them: `connect`.

    Raises:
        UsageError: one that does not exist.
    """
    for name in given:
        if name not in NAMES:
            close = difflib.get_close_matches(name, NAMES, 1)
            hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(sorted(NAMES))}"
            raise UsageError(f"{whose} has no option {name}; {hint}")
    return ClientOptions(**given)


@dataclass(frozen=True, slots=True)
class ClientPlan:
    """The checked options of one `connect`.

    Attributes:
        target: where to.
        timeout: seconds for the whole opening.
        limits: of the connection.
        tls: how to speak TLS; None for a plain connection.
        opening: what a websocket's handshake says; None for other protocols.
        factory: makes the session of another protocol; None for websockets.
        compression: as offered; None for none.
        proxy: to go through; None for none.
    """

    target: AnyTarget
    timeout: float
    limits: Limits
    tls: ssl.SSLContext | None
    opening: ClientOpening | None
    factory: Callable[[Any], Session] | None
    compression: DeflateOptions | None = None
    proxy: ProxyAddress | None = None


def plan(url: str, options: ClientOptions) -> ClientPlan:
    """Checks what `connect` is given.

    Raises:
        UsageError: the address, or a value that cannot be.
        ConfigError: a limit, or a file of certificates, that cannot work.
    """
    if not isinstance(url, str):
        raise UsageError(f"connect takes an address as text, got {type(url).__name__}")
    if not isinstance(options.timeout, int | float) or not 0 < options.timeout < float("inf"):
        raise UsageError(f"timeout is {options.timeout!r:.60}; give seconds above 0")
    _check_delays(options)
    target = stream_target.parse(url)
    _check_tls(options, target)
    limits = Limits(**{name: getattr(options, name) for name in OF_CONNECTION})
    proxy = _proxy(target, options)
    tls = _tls(options) if target.is_tls else None
    if isinstance(target, Target):
        if options.protocol is not None:
            raise UsageError("protocol is for tcp://, and this is a websocket")
        deflate = _deflate(options.compression)
        opening = ClientOpening(target, _headers(options), _subprotocols(options), deflate)
        opening.request("AAAAAAAAAAAAAAAAAAAAAA==")  # raises now what would fail later
        return ClientPlan(target, options.timeout, limits, tls, opening, None, deflate, proxy)
    factory = _factory(target, options)
    return ClientPlan(target, options.timeout, limits, tls, None, factory, proxy=proxy)


def _proxy(target: AnyTarget, options: ClientOptions) -> ProxyAddress | None:
    if options.proxy is None:
        return None
    found = proxy_address.parse(options.proxy)
    if target.unix_path:
        raise UsageError(f"{target} is a socket of this machine, which no proxy reaches")
    if found.scheme == "socks5" and len(target.host) > proxy_address.SOCKS_MOST:
        raise UsageError(f"{target.host!r:.80} is too long a name for a SOCKS5 proxy")
    check_library(found)
    return found


def _check_delays(options: ClientOptions) -> None:
    for name in ("first_delay", "last_delay"):
        value = getattr(options, name)
        if not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise UsageError(f"{name} is {value!r:.60}; give seconds above 0")
    if options.first_delay > options.last_delay:
        raise UsageError(
            f"first_delay is {options.first_delay:g}, and last_delay {options.last_delay:g}; the "
            "delay grows from the first to the last"
        )
    if not isinstance(options.reconnect, bool):
        raise UsageError(f"reconnect is {options.reconnect!r:.60}; give True or False")
    if not isinstance(options.max_waiting, int) or options.max_waiting < 0:
        raise UsageError(f"max_waiting is {options.max_waiting!r:.60}; give 0 or more messages")
    if options.on_open is not None and not callable(options.on_open):
        raise UsageError(f"on_open is {options.on_open!r:.60}; give a function")


def _factory(target: StreamTarget, options: ClientOptions) -> Callable[[Any], Session]:
    if target.protocol == "udp":
        raise UsageError("connect has no udp://: datagrams have no connections")
    for name, value in (("headers", options.headers), ("origin", options.origin)):
        if value:
            raise UsageError(f"{name} belongs to websockets, and {target.protocol}:// has none")
    if options.subprotocols:
        raise UsageError(f"subprotocols belong to websockets, not to {target.protocol}://")
    if options.protocol is not None:
        if target.protocol != "tcp":
            raise UsageError(f"protocol is for tcp://, and this is {target.protocol}://")
        chosen.check(options.protocol)
    factory = session_factories.of(target.protocol, options.protocol)
    assert factory is not None
    return factory


def _headers(options: ClientOptions) -> tuple[tuple[str, str], ...]:
    given = options.headers
    if callable(given):
        raise UsageError("headers is a function, which is for reconnect=True; give the headers")
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise UsageError(f"headers is {given!r:.80}; give a dict, or pairs of a name and a value")
    pairs = given.items() if isinstance(given, Mapping) else given
    found = []
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise UsageError(f"headers has {pair!r:.80}; give pairs of a name and a value")
        name, value = pair
        if not isinstance(name, str) or not isinstance(value, str | int | float):
            raise UsageError(f"headers has {pair!r:.80}; give names and values as text")
        found.append((name, str(value)))
    if options.origin is not None:
        found.append(("Origin", options.origin))
    return tuple(found)


def _subprotocols(options: ClientOptions) -> tuple[str, ...]:
    given = options.subprotocols
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise UsageError(f"subprotocols is {given!r:.80}; give a list of names, such as ['chat']")
    names = tuple(given)
    for name in names:
        if not isinstance(name, str):
            raise UsageError(f"subprotocols has {name!r:.80}; give names as text")
        if names.count(name) > 1:
            raise UsageError(f"subprotocols has {name!r:.80} twice; offer each once")
    return names


def _check_tls(options: ClientOptions, target: AnyTarget) -> None:
    """Refuses what a plain connection would ignore, and what names no file."""
    for name in ("tls", "ca", "cert", "key"):
        value = getattr(options, name)
        if value is None:
            continue
        if not target.is_tls:
            raise UsageError(
                f"{name} is for TLS, and {target.scheme}:// has none; connect to "
                f"{target.with_tls(True)}, or leave it out"
            )
        if name != "tls" and not isinstance(value, str | Path):
            raise UsageError(f"{name} is {value!r:.60}; give the path of a PEM file")


def _deflate(compression: object) -> DeflateOptions | None:
    if isinstance(compression, DeflateOptions):
        return compression
    if not isinstance(compression, bool):
        raise UsageError(f"compression is {compression!r:.60}; give True, False or DeflateOptions")
    return DeflateOptions() if compression else None


def _tls(options: ClientOptions) -> ssl.SSLContext:
    if options.tls is not None:
        if not isinstance(options.tls, ssl.SSLContext):
            raise UsageError(
                f"tls is a {type(options.tls).__name__}; give an ssl.SSLContext; to trust a "
                'server that has tls="dev", give ca=, the path of its ca.pem'
            )
        return options.tls
    try:
        context = ssl.create_default_context(cafile=options.ca)
    except OSError as error:
        raise _bad_file("ca", options.ca, error) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if options.cert is not None:
        try:
            context.load_cert_chain(options.cert, options.key)
        except OSError as error:
            raise _bad_file("cert and key", options.cert, error) from None
    elif options.key is not None:
        raise UsageError("key is given without cert")
    return context


def _bad_file(name: str, file: object, error: OSError) -> ConfigError:
    words = error.strerror or str(error)
    if isinstance(error, ssl.SSLError):
        words = "there is no certificate in it, or the key does not belong to it"
    return ConfigError(f"{name}: cannot use {file}: {words}", "give PEM files that this user reads")
