"""The certificates that a process serves, by name; they may change while it runs.

A certificate is changed by making another context; the one in use is never touched, since OpenSSL
would refuse every later client of a context whose certificate and key do not match.
"""

from __future__ import annotations

import functools
import logging
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lineman.errors import ConfigError
from lineman.tls.files.certificate_check import check_files, read_pair
from lineman.tls.files.certificate_info import CertificateInfo, called, date
from lineman.tls.files.file_watch import Change, FileWatch
from lineman.tls.files.pem import Contents
from lineman.tls.files.sni_names import NameTable, plain_name
from lineman.tls.openssl.tickets import Tickets, TicketSecret
from lineman.tls.serving.client_authorities import read_rules
from lineman.tls.serving.loading import says
from lineman.tls.serving.server_context import (
    first_context,
    fresh_context,
    old_versions,
    refuse_unfit,
)
from lineman.tls.serving.tls_options import CertificateFiles, TlsOptions

logger = logging.getLogger("lineman")

# Certificates that one look examines: with thousands, a look must not take long.
_AT_ONCE = 250
# Changed certificates that one look loads, at a few milliseconds each; the others wait.
_RENEWED_AT_ONCE = 10
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """One certificate as it is served now.

    Args:
        info: its content.
        names: the names for which clients get it.
        loaded_at: aware, in UTC.
        error: why the present files are not used; empty if they are.
    """

    info: CertificateInfo
    names: tuple[str, ...]
    loaded_at: datetime
    error: str


class _Served:
    """One certificate: its files, what was loaded from them, and its context once it has one."""

    __slots__ = ("context", "error", "files", "info", "loaded_at", "names", "warn_at", "watch")

    def __init__(self, files: CertificateFiles) -> None:
        self.files = files
        self.watch = FileWatch(path for path in (files.cert, files.key) if path is not None)
        self.context: ssl.SSLContext | None = None
        self.info: CertificateInfo
        self.names: tuple[str, ...] = ()
        self.loaded_at = self.warn_at = datetime.now(UTC)
        self.error = ""

    def take(self, info: CertificateInfo, now: datetime) -> None:
        """Records the certificate that is now served."""
        self.info = info
        self.names = tuple(plain_name(name) for name in self.files.names) or _dns_names(info)
        self.loaded_at = now
        self.warn_at = info.not_after - (info.not_after - info.not_before) / 6
        self.error = ""


@functools.cache
def _keep_garbled_names_off_the_log() -> None:
    """Stops Python from printing a traceback for each client whose server name is not ASCII.

    `ssl` prints it before it calls our code, and a client could fill a disk with it. The handshake
    fails, and the log reports that at a limited rate.
    """
    before = sys.unraisablehook

    def hook(seen: Any, /) -> None:
        # The name is the object up to Python 3.13, and a part of the message from 3.14 on.
        is_name = type(seen.object) is bytes or "ssl servername callback" in (seen.err_msg or "")
        if not (seen.exc_type is UnicodeDecodeError and is_name):
            before(seen)

    sys.unraisablehook = hook


class LiveTls:
    """Contexts for a service, checked when they are made, and made again when files change.

    Args:
        options: the operator's options; a finished `ssl_context` in it is not changed.
        check: False for a process whose parent has checked the same files; see `server_context`.
        now: the time, aware; for tests.
        contents: as for `read_pem`.

    Attributes:
        context: for the next connection; it chooses the certificate by name itself.
        unknown_names: how many clients asked for a name that no certificate has.

    Raises:
        ConfigError: what cannot work, and the fix.
    """

    def __init__(
        self,
        options: TlsOptions,
        *,
        check: bool = True,
        now: Callable[[], datetime] | None = None,
        contents: Contents | None = None,
    ) -> None:
        self.options = options
        self.unknown_names = 0
        self._tickets: Tickets | None = None
        self._owner = b""
        self._now = now or (lambda: datetime.now(UTC))
        self._contents = contents
        self._rules_error = ""
        self._next = 0
        self._entries: list[_Served] = []
        if options.ssl_context is not None:
            refuse_unfit(options.ssl_context)
            self.context = options.ssl_context
            if check and (old := old_versions(options.ssl_context)):
                logger.warning(
                    "the ssl_context allows %s, which browsers refuse and RFC 8996 forbids; "
                    "fix: context.minimum_version = ssl.TLSVersion.TLSv1_2",
                    " and ".join(old),
                )
            return
        self._rules_watch = FileWatch(
            path
            for path in (options.ca_file, options.ca_path, options.crl_file)
            if path is not None
        )
        self._rules = read_rules(options, check=check, contents=contents, now=self._now())
        self._start(check)

    def _start(self, check: bool) -> None:
        now = self._now()
        self._entries = [_Served(files) for files in self.options.files()]
        for entry in self._entries:
            pair = read_pair(entry.files.cert, entry.files.key, self._contents)
            if check and pair[1].is_public:
                logger.warning(
                    "every user of this machine may read the private key %s; fix: chmod o-r %s",
                    pair[1].shown,
                    pair[1].quoted,
                )
            if entry is self._entries[0]:
                made = first_context(self.options, self._rules, pair, now=now, check=check)
                assert made.certificate is not None
                entry.context = made.context
                entry.take(made.certificate, now)
            elif check:
                entry.take(check_files(*pair, self.options.passphrase, now=now), now)
            else:
                entry.take(says(*pair), now)
        self._table = self._made_table()
        self._serve_first()

    def _made_table(self) -> NameTable[_Served]:
        return NameTable((name, entry) for entry in self._entries for name in entry.names)

    def _serve_first(self) -> None:
        """Makes the default certificate's context the one for clients; it chooses by name."""
        context = self._entries[0].context
        assert context is not None
        context.sni_callback = self._choose
        _keep_garbled_names_off_the_log()
        self._install_tickets(context)
        self.context = context

    def share_tickets(self, secret: TicketSecret, owner: str) -> bool:
        """Lets a client that reconnects resume its session in any process.

        Args:
            secret: the same in each process.
            owner: the same in each process that serves these clients, and in no other.

        Returns:
            Whether that is possible; if not, a session can only be resumed in the same process.
        """
        if not self._entries:  # a context of the user's own
            return False
        self._tickets = Tickets(secret)
        self._owner = owner.encode()
        self._install_tickets(self.context)
        for entry in self._entries[1:]:
            if entry.context is not None:
                self._tickets.install(entry.context)
        return self._tickets.are_shared

    @property
    def shares_tickets(self) -> bool:
        """Whether a session can be resumed in another process of the service."""
        return self._tickets is not None and self._tickets.are_shared

    def _install_tickets(self, context: ssl.SSLContext) -> None:
        if self._tickets is not None:
            # A client that was accepted by the old rules must pass the new ones, so it needs
            # another ticket.
            self._tickets.identity = self._owner + b"\0" + self._rules.digest
            self._tickets.install(context)

    def _choose(self, connection: Any, name: str | None, context: ssl.SSLContext) -> None:
        """The callback that OpenSSL calls in each handshake, with the client's name for us."""
        if name is None:
            return
        connection.server_name = name
        entry = self._table.find(name)
        if entry is None:
            self.unknown_names += 1
        elif entry is not self._entries[0]:
            chosen = entry.context or self._first_asked(entry)
            if chosen is not None:
                connection.context = chosen

    def _first_asked(self, entry: _Served) -> ssl.SSLContext | None:
        """The context of a certificate that was not used before; None if its files do not work."""
        # 25 KiB and some milliseconds for each: thousands are not made before they are needed.
        try:
            pair = read_pair(entry.files.cert, entry.files.key, self._contents)
            made = fresh_context(self.options, self._rules, pair, now=self._now())
        except ConfigError as error:
            if entry.error != str(error):  # the next client asks as well
                self._keep_old(entry, error)
            return None
        self._serve(entry, made.context)
        return made.context

    def _serve(self, entry: _Served, context: ssl.SSLContext) -> None:
        entry.context = context
        if self._tickets is not None:
            self._tickets.install(context)

    # Changing.

    def look(self) -> bool:
        """Looks for changed files and uses those that work; called about every second.

        Files that do not work are reported once, when they no longer change.

        Returns:
            Whether any served certificate has changed.
        """
        if not self._entries:
            return False
        has_changed = False
        change = self._rules_watch.look()
        if change is not Change.NONE:
            has_changed = self._renew_rules(must_tell=change is Change.RESTED)
        now, renewed = self._now(), 0
        for _ in range(min(_AT_ONCE, len(self._entries))):
            if renewed == _RENEWED_AT_ONCE:
                break
            entry = self._entries[self._next]
            self._next = (self._next + 1) % len(self._entries)
            change = entry.watch.look()
            if change is not Change.NONE:
                renewed += 1
                has_changed |= self._renew(entry, must_tell=change is Change.RESTED)
            if now >= entry.warn_at:
                self._warn(entry, now)
        return has_changed

    def _warn(self, entry: _Served, now: datetime) -> None:
        """Warns once a day about a certificate that was not renewed."""
        entry.warn_at = now + _DAY
        end = entry.info.not_after
        logger.warning(
            "the certificate for %s %s on %s, and it was not renewed; fix: renew %s",
            called(entry.info.names, entry.info.subject, entry.info.serial),
            "expires" if now <= end else "has expired",
            date(end),
            entry.info.cert_path,
        )

    def reload(self, contents: Contents | None = None) -> list[str]:
        """Reads again the files that have changed or did not work, and the default certificate.

        Args:
            contents: as for `read_pem`, in place of the earlier ones; None keeps those.

        Returns:
            One line with the reason for each certificate that stays as it was.
        """
        if contents is not None:
            self._contents = contents
        if self._entries:
            self._rules_watch.look()
            self._renew_rules(must_tell=True)
        for entry in self._entries:
            is_changed = entry.watch.look() is not Change.NONE
            if is_changed or entry.error or contents or entry is self._entries[0]:
                self._renew(entry, must_tell=True)
        return [text for text in (self._rules_error, *(e.error for e in self._entries)) if text]

    @property
    def certificates(self) -> list[CertificateStatus]:
        """Every served certificate, the default first; none for an `ssl_context` of the user."""
        return [
            CertificateStatus(entry.info, entry.names, entry.loaded_at, entry.error)
            for entry in self._entries
        ]

    def _renew(self, entry: _Served, *, must_tell: bool) -> bool:
        """Uses the present files if they work; returns whether they do."""
        now = self._now()
        try:
            pair = read_pair(entry.files.cert, entry.files.key, self._contents)
            made = fresh_context(self.options, self._rules, pair, now=now)
        except ConfigError as error:
            if must_tell:
                entry.watch.settle()
                self._keep_old(entry, error)
            return False
        entry.watch.settle()
        assert made.certificate is not None
        if made.certificate.serial != entry.info.serial or entry.error:
            logger.info(
                "serving a new certificate for %s: serial %s, valid until %s",
                called(made.certificate.names, made.certificate.subject, ""),
                made.certificate.serial,
                date(made.certificate.not_after),
            )
        old_names = entry.names
        if entry.context is not None:  # else nobody has asked for it yet
            self._serve(entry, made.context)
        entry.take(made.certificate, now)
        if entry.names != old_names:
            self._table = self._made_table()
        if entry is self._entries[0]:
            self._serve_first()
        return True

    def _keep_old(self, entry: _Served, error: ConfigError) -> None:
        entry.error = str(error)
        logger.error("the old certificate stays in use: %s", error)

    def _renew_rules(self, *, must_tell: bool) -> bool:
        """Checks clients by the present files from now on; returns whether that works."""
        before = self._rules.digest
        try:
            self._rules = read_rules(
                self.options, check=True, contents=self._contents, now=self._now()
            )
        except ConfigError as error:
            if must_tell:
                self._rules_watch.settle()
                self._rules_error = str(error)
                logger.error("clients' certificates are checked by the old rules: %s", error)
            return False
        self._rules_watch.settle()
        self._rules_error = ""
        if self._rules.digest == before:
            return False
        logger.info("clients' certificates are checked by the new rules")
        for entry in self._entries[1:]:
            entry.context = None  # made again when it is asked for
        return self._renew(self._entries[0], must_tell=True)


def _dns_names(info: CertificateInfo) -> tuple[str, ...]:
    """The names in a certificate that a client may ask for; addresses are never asked for."""
    found = []
    for name in info.names:
        try:
            found.append(plain_name(name))
        except ConfigError:
            continue
    return tuple(found)
