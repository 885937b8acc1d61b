"""The options of a `Worker`, each with its default and its check."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from lineman.base.option_kinds import (
    DIRECTORY_PATH,
    FLAG,
    LATER,
    TEXTS,
    CheckedBy,
    Choice,
    Number,
    Text,
    Typed,
    names_of,
    option,
)
from lineman.config.app_fields import AppFields
from lineman.config.process_options import PROCESSES, ProcessFields
from lineman.errors import ConfigError
from lineman.net.connection import send_queue
from lineman.net.connection.limits import LimitFields
from lineman.net.connection.send_queue import SlowReaders
from lineman.net.listening.proxy_lists import DIRECTORY
from lineman.net.listening.proxy_preamble import OPTIONAL, REQUIRED
from lineman.protocols.codecs.chosen import check as check_protocol
from lineman.protocols.proxies.forwarded import real_ip_source
from lineman.protocols.websocket.negotiation import DeflateOptions
from lineman.protocols.websocket.origins import OriginPolicy
from lineman.tls.serving.tls_options import TlsFields

# Modules for TLS, and those that few programs use, are imported where they are used: together they
# are a third of the time that `from lineman import Worker` would take.
if TYPE_CHECKING:
    from lineman.protocols.codecs.own_protocol import Protocol
    from lineman.tls.acme.acme_options import AcmeOptions


logger = logging.getLogger("lineman")

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_FILE_MODE = Number(least=0o200, most=0o777, remedy="give a file mode, such as 0o660 or 0o666")
_COMPRESSION = Typed((bool, DeflateOptions), "True, False or a DeflateOptions(...)")


def _check_dev(word: object) -> None:
    if word != "dev":
        raise ConfigError(f"tls is {word!r}", 'give "dev", or leave it out and give cert and key')


def _check_tokens(values: object) -> None:
    TEXTS.check("subprotocols", values)
    for value in cast(Sequence[str], values):
        if not _TOKEN.fullmatch(value):
            raise ConfigError(
                f"subprotocols holds {value!r}", "give names of letters, digits, dots and dashes"
            )


def _no_context() -> None:
    """The default of `context`: each worker has its own, so the class has none."""


@dataclass(kw_only=True, eq=False, repr=False, init=False)
class ServiceFields(LimitFields, TlsFields, ProcessFields):
    """The options that a `Worker` and a `Gateway` have in common."""

    name: str = option("", Text("chat"))
    """The name in the log."""
    transport: str = option("tcp", Choice(("tcp", "ssl")))
    """`ssl` for TLS, if the address does not say `wss`."""
    tls: Literal["dev"] | None = option(None, CheckedBy(_check_dev))
    """`dev` for a certificate of this machine's own, for development."""
    acme: str | AcmeOptions | None = option(None, LATER)
    """Gets and renews the certificate: your e-mail address, or `AcmeOptions`."""
    domains: Sequence[str] = option((), TEXTS)
    """The host names of that certificate."""
    acme_ca: str | None = option(None, Text("letsencrypt-staging"))
    """`letsencrypt` (also for None), `letsencrypt-staging`, or an ACME directory's URL."""
    acme_directory_path: str | Path | None = option(None, DIRECTORY_PATH)
    """The directory of certificates; None: `$LINEMAN_ACME_DIRECTORY`, or the user's default."""
    origins: Sequence[str] | None = option(None, CheckedBy(OriginPolicy))
    """Web sites that may connect, as `https://chat.example.com`; None for any site whose requests
    carry no cookies or credentials."""
    subprotocols: Sequence[str] = option((), CheckedBy(_check_tokens))
    """The subprotocols of the service, the best first."""
    trusted_proxies: Sequence[str] = option((), TEXTS)
    """Addresses or networks of proxies that are trusted to report the client's address; `unix`;
    names of lists of them, or `file:/path`."""
    proxy_lists: str | Path = option(DIRECTORY, DIRECTORY_PATH)
    """The directory of the named lists, where `cloudflare` is `cloudflare.txt`."""
    real_ip_header: str | None = option(None, CheckedBy(real_ip_source))
    """The only header in which they report it; None for all headers, which must agree."""
    proxy_protocol: str | None = option(None, Choice((REQUIRED, OPTIONAL, None)))
    """`required` or `optional`: trusted proxies begin with a PROXY header."""
    socket_mode: int = option(0o660, _FILE_MODE)
    """The mode of a unix socket's file; a user that may write to it may connect."""
    compression: DeflateOptions | bool = option(True, _COMPRESSION)
    """Whether messages are compressed (permessage-deflate), or how."""
    slow_readers: SlowReaders | str = option("close", CheckedBy(send_queue.policy))
    """What happens to a client with more than `max_send_buffer_size` bytes waiting: `close` it with
    1013, `drop_oldest` messages, or keep the `latest` of each key."""


@dataclass(kw_only=True, eq=False, repr=False)
class WorkerOptions(ServiceFields, AppFields):
    """The options of a `Worker`; each is also an attribute with the same name."""

    address: str | Sequence[str] = field(default_factory=str, kw_only=False)
    """`wss://0.0.0.0:8282`, `ws://127.0.0.1:8282`, `ws+unix:///run/app.sock`, `websocket://…`
    (`ws`, or `wss` with `transport="ssl"`), `http://…`, `https://…`; or a list of addresses,
    each with a protocol of its own. Empty for a worker that no client connects to: it runs the
    tasks that `on_worker_start` begins."""
    context: Mapping[str, Any] | None = field(default_factory=_no_context, kw_only=False)
    """Workerman's dictionary: `{"ssl": {"local_cert": …, "local_pk": …}}`."""
    count: int = option(1, PROCESSES)
    """The number of processes."""
    protocol: Callable[[], Protocol[Any]] | None = option(None, CheckedBy(check_protocol))
    """On `tcp://`: the class of a protocol of the program's own, or what makes its objects, such as
    `Lines()`. Each connection has an object; None: messages are bytes as they come."""

    start_tls: bool = option(False, FLAG)
    """On `tcp`, `text` and `frame`: connections begin in the clear in spite of the certificate, and
    speak TLS from `connection.start_tls()` on. An address with `+tls` speaks it from the first
    byte."""


OPTIONS = names_of(WorkerOptions)
