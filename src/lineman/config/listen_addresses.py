"""The addresses of a worker: one as a text, or several as a list. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lineman.base import address as addresses
from lineman.base.address import STREAMS, Address
from lineman.errors import ConfigError
from lineman.process.messages.process_rules import MAX_ADDRESSES
from lineman.protocols.websocket.origins import OriginPolicy

_EXAMPLE = 'write it like Worker(["wss://0.0.0.0:443", "text://0.0.0.0:7000"])'


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """One address of a worker, checked.

    Attributes:
        text: as the program writes it.
        address: where it is, and what is spoken there.
        origins: who may connect from a browser.
    """

    text: str
    address: Address
    origins: OriginPolicy = field(default_factory=lambda: OriginPolicy(None))

    @property
    def url(self) -> str:
        """The address for clients, with the scheme that they use."""
        return str(self.address)

    @property
    def is_tls(self) -> bool:
        """Whether the worker speaks TLS there."""
        return self.address.is_tls

    @property
    def may_start_tls(self) -> bool:
        """Whether its connections begin in the clear, and could go on with TLS."""
        return self.address.scheme in STREAMS

    @property
    def has_http(self) -> bool:
        """Whether clients begin with HTTP there."""
        return self.address.protocol in ("ws", "http")

    @property
    def has_websockets(self) -> bool:
        """Whether a handshake opens a websocket there."""
        return self.address.protocol == "ws"

    def with_port(self, port: int) -> ListenAddress:
        """The same on another port."""
        return replace(self, address=replace(self.address, port=port))


def name_of(given: object) -> str:
    """The name by which processes speak of a worker: its first address, or an empty text.

    Args:
        given: the option `address`, which may be invalid.
    """
    if isinstance(given, (list, tuple)):
        return str(given[0]) if given else ""
    return str(given)


def texts_of(given: object) -> tuple[str, ...]:
    """The addresses as the program writes them; none for a worker that no client connects to.

    Args:
        given: the option `address`.

    Raises:
        ConfigError: it is neither a text nor a list of texts, or a list that cannot be meant.
    """
    if isinstance(given, str):
        return (given,) if given else ()
    if not isinstance(given, (list, tuple)):
        raise ConfigError(f"the address {given!r} is neither a string nor a list", _EXAMPLE)
    if not given:
        raise ConfigError(
            "the list of addresses is empty",
            f"{_EXAMPLE}; for a worker that no client connects to, leave the address out",
        )
    if len(given) > MAX_ADDRESSES:
        raise ConfigError(
            f"the list has {len(given)} addresses, and a worker may have {MAX_ADDRESSES}",
            "give the others to another Worker",
        )
    return tuple(given)


def parse_all(texts: Iterable[str]) -> list[ListenAddress]:
    """Reads the addresses of one worker.

    Raises:
        ConfigError: one is invalid, or two are at the same place.
    """
    found: list[ListenAddress] = []
    places: dict[Any, str] = {}
    for text in texts:
        address = addresses.parse(text)
        place = place_of(address)
        before = places.setdefault(place, text)
        if len(places) == len(found):
            raise _twice(before, text, address)
        found.append(ListenAddress(text, address))
    return found


def place_of(address: Address) -> tuple[object, ...]:
    """Where an address is: two of one worker may not have the same place."""
    if address.path:
        return ("unix", address.path)
    if not address.port:
        return (address.scheme, address.host.lower(), 0)  # the kernel gives each another port
    return (address.protocol == "udp", address.host.lower(), address.port)


def over_tls(
    listens: Sequence[ListenAddress],
    *,
    transport: str,
    has_certificate: bool,
    starts_plain: bool = False,
) -> list[ListenAddress]:
    """Decides which addresses speak TLS.

    Those do whose scheme says so. Where none says so, a certificate is for the protocols whose
    scheme may leave it out.

    Args:
        listens: all addresses of a worker.
        transport: `ssl` if all speak TLS.
        has_certificate: whether the worker has a certificate, or gets one.
        starts_plain: whether TLS begins in mid-connection where the scheme does not say it.
    """
    says = any(each.address.is_tls for each in listens)
    is_implied = has_certificate and not says and not starts_plain
    return [
        replace(each, address=each.address.over(True))
        if transport == "ssl" or (is_implied and each.address.protocol in STREAMS)
        else each
        for each in listens
    ]


def in_words(listens: Sequence[ListenAddress]) -> str:
    """The addresses of a worker, for messages."""
    return " and ".join(each.url for each in listens) or "a worker without an address"


def _twice(before: str, text: str, address: Address) -> ConfigError:
    if before == text:
        return ConfigError(f"the address {text!r} is in the list twice", "leave one of them out")
    what = f"path {address.path}" if address.path else f"port {address.port}"
    return ConfigError(
        f"the addresses {before!r} and {text!r} have the same {what}",
        "give each address a port of its own: one port speaks one protocol",
    )
