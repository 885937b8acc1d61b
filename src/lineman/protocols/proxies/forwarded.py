"""The client's address behind a proxy: `X-Real-IP`, `X-Forwarded-For`, `Forwarded`.

Any client can write these headers, so they count only from proxies that the operator named, and
they are read from the right: the last entry is what the nearest proxy saw itself. Source: RFC 7239.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lineman.errors import ConfigError, UsageError
from lineman.protocols.http.requests import Headers

UNKNOWN = "unknown"
"""The client's address if the proxy does not send it; never the proxy's own."""

UNIX = "unix"
"""The address of a peer on a unix socket of this machine: it has no other."""

MAX_HOPS = 32
"""More trusted proxies in a row are no set-up but an attempt to make the walk long."""

_HINT = "set it there, such as (nginx): proxy_set_header X-Real-IP $remote_addr;"

_V4_PORT = re.compile(r"([0-9.]+):([0-9]{1,5}|_[A-Za-z0-9._\-]+)")
_V6_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::([0-9]{1,5}|_[A-Za-z0-9._\-]+))?")
# One `name=value` of RFC 7239 section 4 and what ends it. A blank before a separator is tolerated.
_PAIR = re.compile(
    r"[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)="
    r'(?:([!#$%&\'*+\-.^_`|~0-9A-Za-z]+)|"((?:[^"\\]|\\.)*)")[ \t]*(;|,|\Z)'
)


@dataclass(frozen=True, slots=True)
class ClientAddress:
    """Where the client is.

    Attributes:
        ip: its address, or `unknown`.
        port: its port, 0 where the proxy did not tell.
        problem: None, or why the address is `unknown` and what to set, for the log.
        claims: where it is `unknown` because headers disagree: each header, in lower case, with
            an address that it names. One of them is true, the others may be anybody's.
        is_untold: whether it is `unknown` because no header says anything.
    """

    ip: str
    port: int
    problem: str | None = None
    claims: tuple[tuple[str, str], ...] = ()
    is_untold: bool = False


class TrustedProxies:
    """The networks that are believed about the client.

    Args:
        networks: such as `127.0.0.1/32`, `10.0.0.0/8` or `::1`, and `unix` for every peer on a unix
            socket; empty trusts no peer.

    Raises:
        ConfigError: an entry is no network, has host bits set, or covers everybody.
    """

    __slots__ = ("_hosts", "_networks", "is_empty")

    def __init__(self, networks: Sequence[str] = ()) -> None:
        if isinstance(networks, (str, bytes)):
            raise ConfigError(
                f"trusted_proxies is the single value {networks!r}",
                f"write a list: trusted_proxies=[{networks!r}]",
            )
        read = [_read_network(text) for text in networks if text != UNIX]
        # The usual proxy is one address on this machine; it is found without any parsing.
        self._hosts = {str(one[0]) for one in read if one.num_addresses == 1}
        self._hosts.update({UNIX}.intersection(networks))
        # By version and prefix length, so that a list of thousands is looked through at once.
        self._networks: dict[tuple[int, int], set[int]] = {}
        for one in read:
            shift = one.max_prefixlen - one.prefixlen
            starts = self._networks.setdefault((one.version, shift), set())
            starts.add(int(one.network_address) >> shift)
        self.is_empty = not networks

    def __contains__(self, ip: str) -> bool:
        """Whether the address belongs to one of the networks; `::ffff:a.b.c.d` is a.b.c.d."""
        if ip in self._hosts:
            return True
        try:
            address = _unmapped(ipaddress.ip_address(ip.partition("%")[0]))
        except ValueError:  # such as a unix socket's peer
            return False
        number = int(address)
        return any(
            version == address.version and number >> shift in starts
            for (version, shift), starts in self._networks.items()
        )


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _read_network(text: str) -> _Network:
    example = 'write it like "127.0.0.1/32" or "10.0.0.0/8"'
    prefix = text.partition("/")[2] if isinstance(text, str) else ""
    if prefix and not (prefix.isascii() and prefix.isdigit()):
        raise ConfigError(f"the trusted proxy {text!r} has no prefix length after the /", example)
    try:
        if not isinstance(text, str):  # an int would be taken for an address
            raise ValueError
        network = ipaddress.ip_network(text, strict=False)
        first = ipaddress.ip_address(text.partition("/")[0])
    except ValueError:
        raise ConfigError(f"the trusted proxy {text!r} is not a network", example) from None
    if first != network.network_address:
        raise ConfigError(
            f"the trusted proxy {text!r} has bits set after the prefix",
            f'write "{network}" for the network or "{first}" for the one address',
        )
    if network.prefixlen == 0:
        raise ConfigError(
            f"the trusted proxy {text!r} covers everybody, so that every client could name"
            " the address it likes",
            "name the proxy's own address or network",
        )
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen > 96:
        return ipaddress.IPv4Network((mapped, network.prefixlen - 96))
    return network


def _unmapped(address: _Address) -> _Address:
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped


def real_ip_source(name: str | None) -> str | None:
    """The option `real_ip_header`, checked.

    Args:
        name: `x-real-ip`, `x-forwarded-for` or `forwarded` in any case, or None for all of them.

    Returns:
        What `resolve` takes as its source.

    Raises:
        ConfigError: it is another header.
    """
    if name is None:
        return None
    if isinstance(name, str) and name.lower() in _SOURCES:
        return name.lower()
    raise ConfigError(
        f"real_ip_header is {name!r}", "use one of " + ", ".join(repr(one) for one in _SOURCES)
    )


def resolve(
    peer_ip: str, peer_port: int, headers: Headers, trusted: TrustedProxies, source: str | None
) -> ClientAddress:
    """Find the client's address.

    Args:
        peer_ip: the other end of the TCP connection.
        peer_port: its port.
        headers: of the request.
        trusted: whose headers count.
        source: the one header to read, in lower case; None reads every one that is there and wants
            them to agree, because a proxy that sets one passes the client's others through.

    Returns:
        The peer itself where it is not trusted; else the client, or `unknown` with the problem.

    Raises:
        UsageError: the source is none of `real_ip_source`.
    """
    if peer_ip.startswith("::ffff:"):
        node = _node(peer_ip)
        peer_ip = peer_ip if node is None else node[0]
    if trusted.is_empty or peer_ip not in trusted:
        return ClientAddress(peer_ip, peer_port)
    if source is not None:
        if source not in _SOURCES:
            raise UsageError(f"{source!r} is no source; use {', '.join(_SOURCES)}")
        found = _read(source, headers, trusted)
        if found is not None:
            return found
        return ClientAddress(
            UNKNOWN, 0, f"the trusted proxy {peer_ip} sent no {_SOURCES[source][0]}; {_HINT}"
        )
    answers = [(one, answer) for one in _SOURCES if (answer := _read(one, headers, trusted))]
    if not answers:
        names = ", ".join(name for name, _ in _SOURCES.values())
        return ClientAddress(
            UNKNOWN, 0, f"the trusted proxy {peer_ip} sent none of {names}; {_HINT}", is_untold=True
        )
    first_source, first = answers[0]
    for other_source, other in answers[1:]:
        if other.ip != first.ip:
            return _disagreement(peer_ip, first_source, first, other_source, other, answers)
    return next((answer for _, answer in answers if answer.port), first)


def scheme(headers: Headers) -> str | None:
    """`http` or `https`: how the client speaks with a trusted proxy; None where it does not tell.

    Args:
        headers: of a request from a proxy that is trusted.
    """
    lines = headers.get_all("x-forwarded-proto")
    value = lines[0].strip().lower() if len(lines) == 1 else ""
    return {"http": "http", "https": "https", "ws": "http", "wss": "https"}.get(value)


def hosts(headers: Headers) -> list[str]:
    """What proxies say the client asked for as its host, with the port where they say one.

    Anybody may write these headers, so they count only against a web page, which cannot.

    Args:
        headers: of a request from anywhere.

    Returns:
        Every value of `X-Forwarded-Host` and `Forwarded: host=`; one that is no host may be among
        them. Of a `Forwarded` line that is badly written there is none.
    """
    told = [
        one.strip(" \t") for line in headers.get_all("x-forwarded-host") for one in line.split(",")
    ]
    for line in headers.get_all("forwarded"):
        told += _elements(line, "host")
    return [one for one in told if one]


def _disagreement(
    peer_ip: str,
    source: str,
    first: ClientAddress,
    other_source: str,
    other: ClientAddress,
    answers: Sequence[tuple[str, ClientAddress]],
) -> ClientAddress:
    return ClientAddress(
        UNKNOWN,
        0,
        f"the trusted proxy {peer_ip} sent {_SOURCES[source][0]} for {first.ip} and"
        f" {_SOURCES[other_source][0]} for {other.ip}; set real_ip_header={source!r} or"
        f" {other_source!r}, whichever the proxy itself writes",
        tuple(
            claim
            for name, answer in answers
            for claim in (answer.claims if answer.ip == UNKNOWN else ((name, answer.ip),))
        ),
    )


def _read(source: str, headers: Headers, trusted: TrustedProxies) -> ClientAddress | None:
    name, read = _SOURCES[source]
    lines = headers.get_all(name)
    return read(lines, trusted) if lines else None


def _read_x_real_ip(lines: list[str], trusted: TrustedProxies) -> ClientAddress:
    if len(lines) > 1 or "," in lines[0]:
        nodes = [node for one in ",".join(lines).split(",")[:MAX_HOPS] if (node := _node(one))]
        return ClientAddress(
            UNKNOWN,
            0,
            "X-Real-IP holds several addresses; have the proxy overwrite it, not append",
            tuple(("x-real-ip", ip) for ip, _ in nodes),
        )
    node = _node(lines[0])
    return _unusable("X-Real-IP", lines[0]) if node is None else ClientAddress(*node)


def _read_x_forwarded_for(lines: list[str], trusted: TrustedProxies) -> ClientAddress:
    hops = (hop for line in reversed(lines) for hop in reversed(line.split(",")))
    return _walk("X-Forwarded-For", hops, trusted)


def _read_forwarded(lines: list[str], trusted: TrustedProxies) -> ClientAddress:
    return _walk("Forwarded", _forwarded_hops(lines), trusted)


def _walk(name: str, hops: Iterator[str], trusted: TrustedProxies) -> ClientAddress:
    """From the nearest hop outwards, to the first that is not one of ours, else the farthest."""
    node = None
    for count, hop in enumerate(hops):
        if count == MAX_HOPS:
            return ClientAddress(UNKNOWN, 0, f"{name} names more than {MAX_HOPS} trusted proxies")
        node = _node(hop)
        if node is None:  # the peer behind it may have invented everything before it
            return _unusable(name, hop)
        if node[0] not in trusted:
            break
    return _unusable(name, "") if node is None else ClientAddress(*node)


def _forwarded_hops(lines: list[str]) -> Iterator[str]:
    """The `for` of each element, from the right; an empty one where there is none or bad syntax.

    Each line is read for itself: a quoted string cannot go on in the next one, so that an open
    quote in a client's line does not swallow the proxy's.
    """
    for line in reversed(lines):
        yield from reversed(_elements(line, "for"))


def _elements(line: str, wanted: str) -> list[str]:
    """A parameter's value in each element; empty where there is none, or in place of a bad line."""
    hops: list[str] = []
    hop: str | None = None
    position, end = 0, ","
    while end:
        match = _PAIR.match(line, position)
        if match is None:
            return [""]
        name, token, quoted, end = match.groups()
        if name.lower() == wanted:
            value = token if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            # Twice in one element is forbidden (section 4), so which is true is anybody's guess.
            hop = value if hop is None else ""
        if end != ";":
            hops.append(hop or "")
            hop = None
        position = match.end()
    return hops


def _unusable(name: str, hop: str) -> ClientAddress:
    # Text from a client is shown as a literal, and shortened.
    return ClientAddress(UNKNOWN, 0, f"{name} holds {hop[:60]!r}, which is not an address")


def _node(text: str) -> tuple[str, int] | None:
    """Address and port of `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]` or `[::1]:80`, else None."""
    text = text.strip(" \t")
    port = ""
    match = _V4_PORT.fullmatch(text) or _V6_PORT.fullmatch(text)
    if match is not None:
        ip, port = match.groups("")
        if (":" in ip) != text.startswith("["):
            return None
    else:
        ip = text
    number = 0 if not port or port.startswith("_") else int(port)
    if number > 65535 or "%" in ip:
        return None
    try:
        return str(_unmapped(ipaddress.ip_address(ip))), number
    except ValueError:
        return None


_SOURCES: dict[str, tuple[str, Callable[[list[str], TrustedProxies], ClientAddress]]] = {
    "x-real-ip": ("X-Real-IP", _read_x_real_ip),
    "x-forwarded-for": ("X-Forwarded-For", _read_x_forwarded_for),
    "forwarded": ("Forwarded", _read_forwarded),
}
