"""Gets and renews a worker's certificate by ACME, and answers the authority meanwhile."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator, Sequence

from lineman.base.address import Address
from lineman.errors import ConfigError
from lineman.net.connection.callbacks import Callbacks
from lineman.net.connection.endpoint import Endpoint
from lineman.net.connection.limits import Limits
from lineman.net.listening.bind import bind
from lineman.net.listening.plainport import PlainPort
from lineman.net.service import Service
from lineman.tls.acme.acme_options import HTTP_01, TLS_ALPN_01, AcmeSettings
from lineman.tls.acme.challenge_answers import ChallengeAnswers
from lineman.tls.acme.keeper import CertificateKeeper

logger = logging.getLogger("lineman")

_BACKLOG = 128
_GOODBYE = 1.0  # seconds that an authority's connection has when the certificate is there


def asked_at(addresses: Sequence[Address]) -> int:
    """At which of a worker's addresses the authority is answered, as its number.

    The authority comes to port 443; and browsers that ask for http are sent to
    one that has HTTP over TLS.
    """

    def fits(number: int) -> tuple[bool, bool, bool]:
        address = addresses[number]
        return address.is_tls, address.port == 443, address.protocol in ("ws", "http")

    return max(range(len(addresses)), key=fits)


class Certifier:
    """Gets and renews the certificate of one worker, for as long as it runs.

    Args:
        settings: which certificate.
        address: where the worker listens.

    Attributes:
        answers: the answers to the authority, for the worker's service.
    """

    def __init__(self, settings: AcmeSettings, address: Address) -> None:
        self.answers = ChallengeAnswers(settings.root)
        self._settings = settings
        self._address = address
        self._can_http = settings.webroot is not None
        self._keeper = CertificateKeeper(settings, self._kinds, self._plain_port)

    async def start(self, listener: socket.socket, limits: Limits) -> None:
        """Begins; returns when there is a certificate.

        Until then the listener answers only the authority.

        Raises:
            ConfigError: there is no certificate within `start_timeout`, or none can be obtained.
        """
        self._keeper.start()
        try:
            if not self._keeper.has_certificate and self._address.is_tls:
                async with self._answering(listener, limits):
                    await self._keeper.first_certificate()
            elif not self._keeper.has_certificate:  # TLS begins later: clients wait
                await self._keeper.first_certificate()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Ends."""
        await self._keeper.stop()

    @contextlib.asynccontextmanager
    async def _answering(self, listener: socket.socket, limits: Limits) -> AsyncIterator[None]:
        self.answers.is_waiting = True
        nothing = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        service = Service(self, Callbacks(), limits, tls_context=nothing, challenges=self.answers)
        # Not listener.dup(): that would make the socket blocking in every process that has it.
        duplicate = socket.socket(fileno=os.dup(listener.fileno()))
        duplicate.setblocking(False)
        service.start()
        service.listen(duplicate, Endpoint(is_tls=True))
        try:
            yield
        finally:
            await service.stop(_GOODBYE)
            self.answers.is_waiting = False

    def _kinds(self) -> tuple[str, ...]:
        """The challenges that can be answered here, the best first."""
        if self._settings.kinds is not None:
            is_tls = self._address.is_tls
            return tuple(each for each in self._settings.kinds if is_tls or each != TLS_ALPN_01)
        is_at_443 = self._address.port == 443 and self._address.is_tls
        kinds = (TLS_ALPN_01,) if is_at_443 else ()
        return (*kinds, HTTP_01) if self._can_http else kinds

    @contextlib.asynccontextmanager
    async def _plain_port(self) -> AsyncIterator[None]:
        async with plain_port(self._settings, self._address, self.answers) as is_open:
            self._can_http = is_open or self._settings.webroot is not None
            yield


@contextlib.asynccontextmanager
async def plain_port(
    settings: AcmeSettings, address: Address, answers: ChallengeAnswers
) -> AsyncIterator[bool]:
    """Opens the plain port inside the `with` block, if possible; yields whether it is open.

    Args:
        settings: the port, and the names to which clients may be redirected.
        address: the address of the `wss` service.
        answers: the answers to http-01.
    """
    port = settings.http_port
    if port is None:
        yield False
        return
    try:
        # The port is shared with the process before a reload, and with other Lineman services.
        where = Address("ws", address.host, port)
        listener = bind(where, _BACKLOG, reuse_port=True, is_first=False)
    except ConfigError as error:
        logger.warning(
            "http-01 cannot be answered, and http is not redirected: %s; or, if a web server has "
            'the port, give its document root: AcmeOptions(..., webroot="/var/www"), --webroot',
            error,
        )
        yield False
        return
    hosts = [f"[{name}]" if ":" in name else name for name in settings.domains]
    plain = PlainPort(answers.http, hosts, address.port)
    await plain.start(listener)
    try:
        yield True
    finally:
        await plain.stop()
