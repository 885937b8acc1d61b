"""The checked options of a worker, in the form in which a process uses them."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineman.base import option_kinds
from lineman.base.address import Address
from lineman.base.option_kinds import names_of
from lineman.config import app_options, datagram_options, http_options, listen_addresses
from lineman.config.callback_slots import ARGUMENTS
from lineman.config.listen_addresses import ListenAddress
from lineman.config.options import WorkerOptions
from lineman.config.worker_description import WorkerDescription
from lineman.errors import ConfigError
from lineman.net.connection import send_queue
from lineman.net.connection.limits import LimitFields, Limits
from lineman.net.connection.send_queue import SlowReaders
from lineman.net.listening.bind import bind
from lineman.net.listening.proxy_lists import ProxyLists
from lineman.process.messages.process_rules import RuleFields, Rules
from lineman.protocols.proxies.forwarded import TrustedProxies, real_ip_source
from lineman.protocols.websocket.negotiation import DeflateOptions
from lineman.protocols.websocket.origins import OriginPolicy
from lineman.tls.serving.tls_options import TlsFields, TlsOptions

# Modules for TLS, and those that few programs use, are imported where they are used: together they
# are a third of the time that `from lineman import Worker` would take.
if TYPE_CHECKING:
    from lineman.tls.acme.acme_options import AcmeSettings
    from lineman.tls.serving.live_certificates import LiveTls


logger = logging.getLogger("lineman")


@dataclass(frozen=True, slots=True)
class CheckedOptions:
    """A worker's checked options: what a process needs to serve it.

    With `acme`, `tls` may be None until the first certificate exists.

    Attributes:
        given: the options as they were given; the other attributes are derived from them.
        addresses: where clients connect to it; none for a worker that serves no clients.
    """

    given: WorkerOptions
    addresses: tuple[ListenAddress, ...]
    limits: Limits
    rules: Rules
    is_tls: bool
    tls: LiveTls | None
    trusted_proxies: TrustedProxies
    proxy_lists: ProxyLists
    real_ip_header: str | None
    compression: DeflateOptions | None
    acme: AcmeSettings | None
    slow_readers: SlowReaders

    @property
    def urls(self) -> list[str]:
        """The addresses for clients, with the schemes that they use."""
        return [each.url for each in self.addresses]

    def with_ports(self, listeners: Sequence[socket.socket]) -> tuple[ListenAddress, ...]:
        """The addresses with the ports that their sockets have got."""
        return tuple(
            each if each.address.path else each.with_port(listener.getsockname()[1])
            for each, listener in zip(self.addresses, listeners, strict=True)
        )

    def with_address(self, text: str) -> CheckedOptions:
        """The same with one more address, behind the others.

        Raises:
            ConfigError: it is invalid, or speaks TLS and the worker has no certificate.
        """
        others = [each for each in listen_addresses.texts_of(self.given.address) if each != text]
        listens = listen_addresses.parse_all([*others, text])
        (*_, added) = _secured(self.given, listens, self.is_tls)
        for each in self.addresses:
            if each.text == text or each.address == added.address:
                raise ConfigError(f"the worker listens on {text} already", "leave it out")
        if added.is_tls and self.tls is None:
            raise ConfigError(
                f"{text} speaks TLS, and the worker has no certificate",
                'give it one: Worker(…, cert="server.pem", key="server.key")',
            )
        return replace(self, addresses=(*self.addresses, _with_origins(self.given, added)))

    def listen(self, address: Address) -> socket.socket:
        """A socket of this process alone that listens at an address; raises like `listen.bind`."""
        from lineman.process.rundir.masters import how_to_stop  # most programs do not need it

        backlog, mode = self.limits.backlog, self.given.socket_mode
        return bind(address, backlog, socket_mode=mode, how_to_stop=how_to_stop)


def read(
    worker: WorkerDescription, *, check_files: bool = True, open_files: bool = True
) -> CheckedOptions:
    """Checks a worker's options; it opens no files but those of the certificate.

    Args:
        worker: the worker whose attributes are the options.
        check_files: whether to check the certificate's files closely; after the master has done
            so, its children need not, which saves memory.
        open_files: whether to open the certificate's files at all; if not, there is no `tls`.

    Raises:
        ConfigError: an option that cannot work, and the fix.
    """
    option_kinds.check(WorkerOptions, worker)
    listens = listen_addresses.parse_all(listen_addresses.texts_of(worker.address))
    if worker.protocol is not None and not any(each.address.protocol == "tcp" for each in listens):
        where = listen_addresses.in_words(listens)
        raise ConfigError(
            f"protocol is given, and {where} {_speak(listens)} no protocol of the program's own",
            "write tcp:// in the address, or leave protocol out",
        )
    if not listens:
        _refuse_callbacks(worker)
    elif all(each.address.protocol == "udp" for each in listens):
        datagram_options.refuse_others(worker, listens[0].address)
    elif not any(each.has_http for each in listens):
        _refuse_websocket_options(worker, listens[0].address)
    app_options.check(worker, listens)
    http_options.check(worker, listens)
    _refuse_start_tls_without_use(worker, listens)
    if not any(each.address.protocol == "udp" for each in listens):
        datagram_options.refuse_own(worker, listens[0].address if listens else None)
    limits, tls = _read_context(worker)
    acme = _acme(worker, listens, tls)
    if acme is not None:
        from lineman.tls.acme.acme_store import AcmeStore

        store = AcmeStore(acme)
        if check_files and open_files:
            store.check()
        tls = replace(tls, cert=store.certificate_path)
        opens = store.is_usable(datetime.now(UTC)) if open_files else False
        spoken: TlsOptions | None = tls
    else:
        spoken = _spoken(worker, listens, tls, check_files)
        opens = open_files
    lists = ProxyLists(tuple(worker.trusted_proxies), Path(worker.proxy_lists))
    _refuse_proxies_that_nobody_trusts(worker)
    listens = _secured(worker, listens, spoken is not None)
    return CheckedOptions(
        given=WorkerOptions(
            address=worker.address, context=worker.context, **_values(worker, WorkerOptions)
        ),
        addresses=tuple(_with_origins(worker, each) for each in listens),
        limits=limits,
        rules=Rules(**_values(worker, RuleFields)),
        is_tls=spoken is not None,
        tls=_live_tls(spoken, check_files) if spoken is not None and opens else None,
        trusted_proxies=lists.load(),
        proxy_lists=lists,
        real_ip_header=real_ip_source(worker.real_ip_header),
        compression=_compression(worker.compression),
        acme=acme,
        slow_readers=send_queue.policy(worker.slow_readers),
    )


def _values(worker: WorkerDescription, declared: type) -> dict[str, Any]:
    return {name: getattr(worker, name) for name in names_of(declared)}


def _refuse_callbacks(worker: WorkerDescription) -> None:
    """Refuses callbacks for clients on a worker without an address."""
    for name in ARGUMENTS:
        is_of_clients = not name.startswith("on_worker_")
        if is_of_clients and getattr(worker.callbacks, name) is not None:
            raise ConfigError(
                f"a worker without an address serves no clients, but it has {name}",
                'give it an address: Worker("ws://127.0.0.1:8282")',
            )


def _refuse_websocket_options(worker: WorkerDescription, address: Address) -> None:
    """Refuses what means something for websockets and HTTP only."""
    for name in ("on_websocket_connect", "on_request"):
        if worker._has_callback(name):
            raise ConfigError(
                f"{name} is set, and {address} has no HTTP",
                f"take it away, or write ws:// or wss:// in the address of {worker!r}",
            )
    for name in ("origins", "subprotocols", "real_ip_header"):
        if getattr(worker, name):
            raise ConfigError(
                f"{name} is {getattr(worker, name)!r}, and {address} has no HTTP headers",
                f"leave {name} out, or write ws:// or wss:// in the address",
            )


def _refuse_proxies_that_nobody_trusts(worker: WorkerDescription) -> None:
    name = 'name the proxy: trusted_proxies=["127.0.0.1/32"]'
    if worker.trusted_proxies:
        return
    if worker.proxy_protocol is not None:
        raise ConfigError(
            f"proxy_protocol is {worker.proxy_protocol!r}, but no proxy is trusted to send it", name
        )
    if worker.real_ip_header is not None:
        raise ConfigError(
            f"real_ip_header is {worker.real_ip_header!r}, but no proxy is trusted to send it, and "
            "remote_ip would be the proxy's",
            f"{name}; without a proxy in front, leave real_ip_header out",
        )


def _with_origins(worker: WorkerOptions, listen: ListenAddress) -> ListenAddress:
    at = listen.address
    own = None if not at.host or at.is_tls else (at.host, at.port)
    given = ["*"] if worker.origins is None and worker.app is not None else worker.origins
    return replace(listen, origins=OriginPolicy(given, own))


def tls_files(worker: WorkerDescription) -> list[str]:
    """The files that a worker's TLS options name."""
    tls = _read_context(worker)[1]
    paths = [tls.ca_file, tls.crl_file]
    for files in tls.files():
        paths += [files.cert, files.key]
    return [os.path.abspath(path) for path in paths if path is not None]


def tls_pairs(worker: WorkerDescription) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The files of a worker's certificates, and those of their keys; both may be the same."""
    pairs = list(_read_context(worker)[1].files())
    certificates = [pair.cert for pair in pairs if pair.cert is not None]
    keys = [key for pair in pairs if (key := pair.key or pair.cert) is not None]
    return tuple(map(os.path.abspath, certificates)), tuple(map(os.path.abspath, keys))


def _read_context(worker: WorkerDescription) -> tuple[Limits, TlsOptions]:
    limits = _values(worker, LimitFields)
    tls = {name: given for name, given in _values(worker, TlsFields).items() if given is not None}
    context = {} if worker.context is None else _mapping("context", worker.context)
    php = context.pop("ssl", None)
    if php is not None:
        php = _mapping('context["ssl"]', php)
    limits.update(_mapping('context["socket"]', context.pop("socket", {})))
    for name in context:
        raise ConfigError(f"the context has a part {name!r}", 'give "ssl" or "socket"')
    unknown = [name for name in limits if name not in names_of(LimitFields)]
    if unknown:
        raise ConfigError(f'the context\'s "socket" part has {unknown[0]!r}', 'it takes "backlog"')
    if php is None:
        return Limits(**limits), TlsOptions(**tls)
    if tls:
        raise ConfigError(
            f"{next(iter(tls))} is given twice: as an option and in context['ssl']",
            "keep one of the two",
        )
    from lineman.tls.serving.phpcontext import from_php_context

    return Limits(**limits), from_php_context(php)


def _secured(
    worker: WorkerOptions, listens: Sequence[ListenAddress], has_certificate: bool
) -> list[ListenAddress]:
    return listen_addresses.over_tls(
        listens,
        transport=worker.transport,
        has_certificate=has_certificate,
        starts_plain=worker.start_tls,
    )


def _spoken(
    worker: WorkerDescription,
    listens: Sequence[ListenAddress],
    tls: TlsOptions,
    check_files: bool,
) -> TlsOptions | None:
    """The worker's TLS options; None without TLS."""
    if not listens:
        if tls.has_certificate or worker.tls is not None or worker.transport == "ssl":
            raise ConfigError(
                "a certificate is given to a worker without an address",
                'give it one: Worker("wss://0.0.0.0:8282", …)',
            )
        return None
    if worker.tls is not None:
        tls = _development(tls, check_files)
    if worker.start_tls:
        return _started(listens, tls)
    secured = [each for each in _secured(worker, listens, tls.has_certificate) if each.is_tls]
    if not secured:
        if tls.has_certificate:
            plain = listen_addresses.in_words(listens)
            raise ConfigError(
                f"a certificate is given, but {plain} {_speak(listens)} {_plainly(listens)}",
                f'write {_over_tls(listens)} in the address, or worker.transport = "ssl"',
            )
        return None
    if not tls.has_certificate:
        raise ConfigError(
            f"{secured[0].text} speaks TLS, but no certificate is given",
            'give cert="server.pem", key="server.key"; or have it get one: '
            'acme="you@example.com", domains=["chat.example.com"]; for development: tls="dev"',
        )
    return tls


def _refuse_start_tls_without_use(
    worker: WorkerDescription, listens: Sequence[ListenAddress]
) -> None:
    """Refuses the option where no connection could begin in the clear."""
    if not worker.start_tls:
        return
    if worker.transport == "ssl":
        raise ConfigError(
            'start_tls is True, and transport="ssl" has every connection begin with TLS',
            "leave one of the two out",
        )
    if not any(each.may_start_tls for each in listens):
        where = listen_addresses.in_words(listens)
        raise ConfigError(
            f"start_tls is True, and no connection of {where} can begin in the clear and go on "
            "with TLS",
            "write tcp://, text:// or frame:// in the address, without +tls; or leave it out",
        )


def _started(listens: Sequence[ListenAddress], tls: TlsOptions) -> TlsOptions:
    """The TLS options where TLS begins in mid-connection."""
    if not tls.has_certificate:
        raise ConfigError(
            f"start_tls is True for {listens[0].text}, but no certificate is given",
            'give cert="server.pem", key="server.key"; for development: tls="dev"',
        )
    return tls


def _speak(listens: Sequence[ListenAddress]) -> str:
    return "speak" if len(listens) > 1 else "speaks"


def _plainly(listens: Sequence[ListenAddress]) -> str:
    return "no TLS" if any(each.address.protocol == "http" for each in listens) else "plain ws"


def _over_tls(listens: Sequence[ListenAddress]) -> str:
    is_http = any(each.address.protocol == "http" for each in listens)
    return "https://" if is_http else "wss://"


def _live_tls(tls: TlsOptions, check_files: bool) -> LiveTls:
    from lineman.tls.serving.live_certificates import LiveTls

    return LiveTls(tls, check=check_files)


def _acme(
    worker: WorkerDescription, listens: Sequence[ListenAddress], tls: TlsOptions
) -> AcmeSettings | None:
    """The settings by which the worker gets its certificate; None if it is given one."""
    if worker.acme is None:
        for name in ("domains", "acme_ca", "acme_directory_path"):
            if getattr(worker, name):
                raise ConfigError(
                    f"{name} is given, but not acme",
                    'give your e-mail address as well: acme="you@example.com"',
                )
        return None
    if not worker.start_tls and not any(each.is_tls for each in _secured(worker, listens, True)):
        plain = listen_addresses.in_words(listens)
        raise ConfigError(
            f"acme is given, but {plain} {_speak(listens)} {_plainly(listens)}",
            f"write {_over_tls(listens)} in the address",
        )
    if tls.has_certificate:
        raise ConfigError(
            "a certificate is given, and acme to get one", "keep one of the two: cert or acme"
        )
    if find_spec("acme") is None:
        raise ConfigError("acme needs packages that are not there", "pip install 'lineman[acme]'")
    from lineman.tls.acme.acme_options import from_worker

    settings = from_worker(worker.acme, worker.domains, worker.acme_ca, worker.acme_directory_path)
    _refuse_second_plain_port(listens, settings)
    return settings


def _refuse_second_plain_port(listens: Sequence[ListenAddress], settings: AcmeSettings) -> None:
    """Refuses an address at the port where the worker answers the authority."""
    for each in listens:
        if settings.http_port is not None and each.address.port == settings.http_port:
            raise ConfigError(
                f"acme answers the authority on port {settings.http_port}, and {each.text} is "
                "there as well",
                f"leave {each.text} out: that port sends browsers to https; or give the address "
                "another port",
            )


def _development(tls: TlsOptions, check_files: bool) -> TlsOptions:
    if tls.has_certificate:
        raise ConfigError('tls="dev" brings a certificate, and another is given', "keep one")
    from lineman.tls.development import devca
    from lineman.tls.development.machine import dev_directory, private_addresses

    try:
        made = devca.development_certificate(dev_directory(), private_addresses())
    except ConfigError as error:
        instead = (
            "where root starts it for another user, leave that user out while you develop, or give "
            'cert="…", key="…" in place of tls="dev"'
        )
        has_no_place = isinstance(error.__cause__, OSError)
        raise ConfigError(
            f'tls="dev" keeps its certificate with the user who runs it, and {error.seen}',
            instead if has_no_place else f"{error.fix}; {instead}",
        ) from None
    if check_files:
        logger.info(
            "a certificate for development, for %s; this machine trusts it after: lineman cert "
            "trust; other devices need %s",
            ", ".join(made.names),
            made.ca,
        )
    return replace(tls, cert=made.cert, key=made.key)


def _compression(value: DeflateOptions | bool) -> DeflateOptions | None:
    if isinstance(value, DeflateOptions):
        return value
    return DeflateOptions() if value else None


def _mapping(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"{name} is {value!r}", 'give a dictionary: {"ssl": {"local_cert": "server.pem"}}'
        )
    return dict(value)
