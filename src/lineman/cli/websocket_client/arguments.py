"""The common arguments of the commands that are websocket clients."""

from __future__ import annotations

import argparse
import ssl

from lineman.errors import ConfigError
from lineman.protocols.websocket.client.client_handshake import ClientOpening
from lineman.protocols.websocket.client.url import Target


def add_handshake(made: argparse.ArgumentParser) -> None:
    """Adds the options about the handshake and its TLS."""
    add = made.add_argument
    add("--header", "-H", action="append", type=header, default=[], metavar="'NAME: VALUE'",
        help="send this header (may be repeated)")  # fmt: skip
    add("--origin", help="send this Origin")
    add("--subprotocol", action="append", default=[], metavar="NAME",
        help="offer this subprotocol (may be repeated)")  # fmt: skip
    add("--ca", metavar="FILE", help="authorities to trust in place of the system's (PEM)")
    add("--insecure", action="store_true", help="trust any certificate")


def opening_of(options: argparse.Namespace, target: Target) -> ClientOpening:
    """What the handshake says.

    Raises:
        UsageError: a header or a subprotocol would break it.
    """
    headers = list(options.header)
    if options.origin is not None:
        headers.append(("Origin", options.origin))
    opening = ClientOpening(target, tuple(headers), tuple(options.subprotocol))
    opening.request("AAAAAAAAAAAAAAAAAAAAAA==")  # raises now what would fail for each connection
    return opening


def tls_context(ca: str | None, insecure: bool) -> ssl.SSLContext:
    """How the clients speak TLS.

    Args:
        ca: a PEM file with the authorities to trust; None for the system's.
        insecure: whether any certificate is accepted.

    Raises:
        ConfigError: the file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:
        words = error.strerror or str(error)
        if isinstance(error, ssl.SSLError):
            words = "there is no certificate in it"
        raise ConfigError(
            f"cannot use the authorities in {ca}: {words}", "give a PEM file with certificates"
        ) from None
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def number(text: str, kind: type[int] | type[float], lowest: float, what: str) -> float:
    """The argument as a number.

    Raises:
        argparse.ArgumentTypeError: it is not a number, or below the minimum.
    """
    try:
        value = kind(text)
    except ValueError:
        value = -1
    if not lowest <= value < float("inf"):  # NaN is neither
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return value


def seconds(text: str) -> float:
    """A time above 0."""
    return number(text, float, 1e-6, "a number above 0")


def header(text: str) -> tuple[str, str]:
    """`Name: value` as a pair."""
    name, colon, value = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"{text!r} has no colon; write 'Name: value'")
    return name.strip(), value.strip()
