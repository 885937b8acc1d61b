"""Keeps files between attempts: account, certificate, order in progress, time of the next attempt.

DIRECTORY/                          0700
    challenges/                     only while one is open, see `answers`
    AUTHORITY/
        account.key  account.json   0600
        NAME/
            certificate.pem         0600: chain and key in one file, replaced as one
            state.json              when the next attempt is due, and the last error
            order.json  order.key   an order in progress, so that a killed job loses nothing
"""

from __future__ import annotations

import contextlib
import json
import os
import ssl
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineman.errors import ConfigError
from lineman.tls.acme.acme_options import AcmeSettings, authority_name, certificate_name
from lineman.tls.acme.renewal_schedule import Window
from lineman.tls.files import private_files

if TYPE_CHECKING:  # imported where it runs: it costs a process 11 MiB and 40 ms
    from cryptography import x509

SETTINGS = "settings.json"
DANGER = "replace the keys in it"


@dataclass(frozen=True, slots=True)
class AcmeState:
    """The state that an attempt leaves for the next one; all times aware, in UTC.

    Attributes:
        next_at: when the next attempt is due; None: now.
        luck: this certificate's random number from 0 to 1.
        window: what the authority suggests for its renewal.
        ask_at: when to ask for that again.
        failures: attempts that failed in a row.
        failed_at: when the last of them failed.
        seen, fix: why it failed, and what to do.
        retry_at: when the authority accepts requests again.
        not_after: when the certificate ends.
    """

    next_at: datetime | None = None
    luck: float = 0.0
    window: Window | None = None
    ask_at: datetime | None = None
    failures: int = 0
    failed_at: datetime | None = None
    seen: str = ""
    fix: str = ""
    retry_at: datetime | None = None
    not_after: datetime | None = None

    def as_json(self) -> str:
        """The content of the file."""
        return json.dumps(asdict(self), default=datetime.isoformat, indent=1)

    @classmethod
    def from_json(cls, text: str) -> AcmeState:
        """The content of the file; a damaged one counts as missing."""
        try:
            plain = json.loads(text)
            window = plain["window"]
            return cls(
                next_at=_moment(plain["next_at"]),
                luck=min(max(float(plain["luck"]), 0.0), 1.0),
                window=window and Window(*(_sure(window[end]) for end in ("start", "end"))),
                ask_at=_moment(plain["ask_at"]),
                failures=int(plain["failures"]),
                failed_at=_moment(plain["failed_at"]),
                seen=str(plain["seen"]),
                fix=str(plain["fix"]),
                retry_at=_moment(plain["retry_at"]),
                not_after=_moment(plain["not_after"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            return cls()


def _moment(value: Any) -> datetime | None:
    return None if value is None else _sure(value)


def _sure(value: Any) -> datetime:
    return datetime.fromisoformat(value).astimezone(UTC)


class AcmeStore:
    """The files of one certificate.

    Args:
        settings: its root, authority and domains determine the paths.
    """

    def __init__(self, settings: AcmeSettings) -> None:
        self.root = settings.root
        self.authority = self.root / authority_name(settings.ca, settings.ca_url)
        self.directory = self.authority / certificate_name(settings.domains)
        self.certificate_path = self.directory / "certificate.pem"
        self.keeper_lock = self.directory / "keeper.lock"
        self.job_lock = self.directory / "job.lock"
        self.account_lock = self.authority / "account.lock"
        self._settings = settings

    def prepare(self) -> None:
        """Make the directories.

        Raises:
            ConfigError: one cannot be made, or others may write to it or read its keys.
        """
        try:
            for directory in (self.root, self.authority, self.directory):
                private_files.prepare_directory(directory, DANGER)
            self._refuse_open_keys()
        except OSError as error:
            raise self._unusable(error) from None

    def check(self) -> None:
        """Checks what exists, and makes nothing: a serving process may run as another user.

        Raises:
            ConfigError: others may write to a directory, or read a key.
        """
        try:
            for directory in (self.root, self.authority, self.directory):
                if directory.exists():
                    private_files.check_directory(directory, DANGER)
            self._refuse_open_keys()
        except OSError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: OSError) -> ConfigError:
        return ConfigError(
            f"cannot keep certificates in {self.root}: "
            f"{(error.strerror or str(error)).lower()} ({error.filename})",
            'give another directory: acme_directory_path="/var/lib/chat/acme"; under '
            "systemd: StateDirectory=chat",
        )

    def _refuse_open_keys(self) -> None:
        for path in (self.authority / "account.key", self.certificate_path):
            if path.exists() and not private_files.is_private(path):
                raise ConfigError(
                    f"others may read the private key in {path} (mode "
                    f"{path.stat().st_mode & 0o7777:04o})",
                    f"chmod 600 {path}; if somebody may have read it, rm {path} for a new one",
                )

    def state(self) -> AcmeState:
        """The state after the last attempt."""
        try:
            return AcmeState.from_json((self.directory / "state.json").read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            return AcmeState()

    def save_state(self, state: AcmeState) -> None:
        """Writes it; raises OSError if that fails."""
        private_files.write(self.directory / "state.json", state.as_json().encode(), 0o600)

    def is_usable(self, now: datetime) -> bool:
        """Whether the pair can be served: it loads, and has not expired. Cheap if it exists."""
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate_path)
        except OSError:  # ssl.SSLError is one
            return False
        end = self.state().not_after
        return end is None or now < end

    # Only the job calls what follows: it needs `cryptography`.

    def certificate(self) -> x509.Certificate | None:
        """The leaf on disk if the pair is whole and has just these names, expired or not."""
        from cryptography import x509

        from lineman.tls.files.certificate_check import check_pair

        try:
            leaf = x509.load_pem_x509_certificate(self.certificate_path.read_bytes())
            # The check uses the start of its life as the time: the schedule looks at its end.
            moment = leaf.not_valid_before_utc
            info = check_pair(self.certificate_path, None, None, now=moment)
        except (OSError, ValueError, ConfigError):
            return None
        return leaf if set(info.names) == set(self._settings.domains) else None

    def save_settings(self, kinds: tuple[str, ...]) -> None:
        """Writes the settings of the certificate without secrets; raises OSError if that fails.

        Args:
            kinds: the challenges that could be answered.
        """
        kept = replace(self._settings, kinds=kinds, eab_key_id=None, eab_hmac_key=None)
        content = json.dumps(kept.as_json(), indent=1).encode()
        private_files.write(self.directory / SETTINGS, content, 0o600)

    def save_certificate(self, chain: str, key: bytes) -> None:
        """Writes chain and key in one step; raises OSError if that fails."""
        private_files.write(self.certificate_path, chain.encode().rstrip() + b"\n" + key, 0o600)

    def account_key(self) -> bytes:
        """The account's private key (PEM), made if there is none."""
        return _key_at(self.authority / "account.key")

    def account_url(self, thumbprint: str) -> str | None:
        """The account's URL at the authority; None before it was registered."""
        try:
            plain = json.loads((self.authority / "account.json").read_bytes())
            return str(plain["url"]) if plain["thumbprint"] == thumbprint else None
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def save_account_url(self, url: str, thumbprint: str) -> None:
        """Writes the account's URL."""
        content = json.dumps({"url": url, "thumbprint": thumbprint}).encode()
        private_files.write(self.authority / "account.json", content, 0o600)

    def order_key(self) -> bytes:
        """The private key for the next certificate (PEM), the same until the order is over."""
        return _key_at(self.directory / "order.key")

    def order_url(self) -> str | None:
        """The URL of the order of a job that did not finish."""
        try:
            return str(json.loads((self.directory / "order.json").read_bytes())["url"])
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def save_order_url(self, url: str) -> None:
        """Writes the URL of the order in progress."""
        private_files.write(self.directory / "order.json", json.dumps({"url": url}).encode(), 0o600)

    def forget_order(self, *, with_key: bool) -> None:
        """Deletes a finished order, and its key once that is in a certificate."""
        (self.directory / "order.json").unlink(missing_ok=True)
        if with_key:
            (self.directory / "order.key").unlink(missing_ok=True)


def kept(root: Path) -> list[AcmeSettings]:
    """The settings of every certificate below a state directory, by name.

    Raises:
        ConfigError: the directory cannot be read.
    """
    try:
        found = sorted(root.glob(f"*/*/{SETTINGS}")) if os.listdir(root) else []
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(
            f"cannot read {root}: {(error.strerror or '').lower()}",
            "run this as the user whose service keeps its certificates there, or give --directory",
        ) from None
    read = []
    for path in found:
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            read.append(AcmeSettings.from_json(json.loads(path.read_bytes())))
    return read


def _key_at(path: Path) -> bytes:
    """The P-256 key in a file; a new one replaces a damaged one."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

    from lineman.tls.development.issuing import new_key

    try:
        content = path.read_bytes()
        if isinstance(serialization.load_pem_private_key(content, None), EllipticCurvePrivateKey):
            return content
    except (FileNotFoundError, ValueError, TypeError):
        pass
    content = new_key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    private_files.write(path, content, 0o600)
    return content
