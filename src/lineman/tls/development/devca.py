"""Keeps development certificates: a local authority, made once, and a certificate from it."""

from __future__ import annotations

import os
import shlex
import socket
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from lineman.errors import ConfigError
from lineman.tls.development.issuing import (
    Authority,
    is_permitted,
    make_authority,
    make_leaf,
    name_constraints,
    new_key,
    plain_name,
    refuse_forbidden,
)
from lineman.tls.files import private_files
from lineman.tls.files.certificate_check import check_pair

if TYPE_CHECKING:  # imported where it runs: it costs a process 11 MiB and 40 ms
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_RENEW_BEFORE = timedelta(days=60)  # so a server started today can run for two months
_MOST_NAMES = 100  # each new container may add a name


@dataclass(frozen=True, slots=True)
class DevelopmentCertificate:
    """Files that fit together and are valid for at least two months.

    Args:
        cert: the chain a server sends: the leaf alone, since the authority is the root.
        key: the leaf's key, mode 0600.
        ca: what a browser has to trust.
        names: what the leaf is for.
        created: whether the leaf is new.
        ca_created: whether the authority is new, so that no browser trusts it yet.
    """

    cert: Path
    key: Path
    ca: Path
    names: tuple[str, ...]
    created: bool
    ca_created: bool


def development_certificate(
    directory: Path, names: Sequence[str] = (), *, now: datetime | None = None
) -> DevelopmentCertificate:
    """Return a certificate for this machine, made or renewed where that was needed.

    Afterwards `directory` (0700 where made here) holds `ca.pem`, `ca.key`, `localhost.pem` and
    `localhost.key`; both keys were readable by their owner only from their first byte. Files that
    are half written or damaged are made anew. Processes may do this at once: one makes the files,
    the others find them. The leaf's key outlives its renewals, so a process that loads the files
    meanwhile never gets a certificate and a key that do not match.

    Args:
        directory: its parents are made, too.
        names: further names and addresses besides localhost, 127.0.0.1, ::1 and this machine's
            `.local` name; those the certificate already has stay.
        now: aware; None: now.

    Raises:
        ConfigError: a name that the authority may not vouch for, a directory or key that others
            could have read or written, or files that belong to someone else.
    """
    wanted = tuple(dict.fromkeys(plain_name(name) for name in (*_own_names(), *names)))
    for name in wanted:
        refuse_forbidden(name)
    directory = Path(os.path.abspath(directory))
    moment = now or datetime.now(UTC)
    try:
        private_files.prepare_directory(directory, "replace the authority in it")
        with private_files.locked(directory / ".lock"):
            authority, ca_created = _authority(directory, moment)
            has, created = _leaf(directory, authority, wanted, moment)
    except OSError as error:
        raise ConfigError(
            f"cannot keep development certificates in {directory}: "
            f"{error.filename or ''} {error.strerror}".replace("  ", " "),
            "give a directory that you may write to, or remove the file that is there",
        ) from error
    cert, key = directory / "localhost.pem", directory / "localhost.key"
    return DevelopmentCertificate(cert, key, directory / "ca.pem", has, created, ca_created)


def _own_names() -> tuple[str, ...]:
    """Return the names every certificate is for.

    The bare host name is not among them: the authority would need a constraint for it, and a host
    called `dev` would let it vouch for the whole of that top-level domain.
    """
    own = ("localhost", "127.0.0.1", "::1")
    try:
        host = plain_name(socket.gethostname().partition(".")[0])
    except ConfigError:  # a name that DNS does not allow
        return own
    return own if host == "localhost" else (*own, f"{host}.local")


def _authority(directory: Path, now: datetime) -> tuple[Authority, bool]:
    """Return the authority, and whether it is new."""
    _refuse_others_files(directory)
    key_path = directory / "ca.key"
    if key_path.exists() and not private_files.is_private(key_path):
        raise ConfigError(
            f"the development authority's key {key_path} has the mode "
            f"{stat.S_IMODE(key_path.stat().st_mode):04o}: a user that read it can forge local "
            "names",
            f"if only you use this machine: chmod 600 {shlex.quote(str(key_path))}; else no "
            f"longer trust that authority, and rm -r {shlex.quote(str(directory))}",
        )
    known = _load_authority(directory, now)
    if known is not None:
        return known, False
    made = make_authority(now)
    private_files.write(key_path, _key_pem(made.key), 0o600)
    private_files.write(directory / "ca.pem", _cert_pem(made.cert), 0o644)
    return made, True


def _refuse_others_files(directory: Path) -> None:
    """Raise if a file cannot be read: with a new authority, the trusted one would be useless."""
    for name in ("ca.pem", "ca.key", "localhost.pem", "localhost.key"):
        path = directory / name
        if path.exists() and not os.access(path, os.R_OK, effective_ids=True):
            raise ConfigError(
                f"{path} belongs to the user {path.stat().st_uid}, and this process, running as "
                f"{os.geteuid()}, cannot read it",
                f"sudo chown -R {os.geteuid()} {shlex.quote(str(directory))}",
            )


def _load_authority(directory: Path, now: datetime) -> Authority | None:
    """Return the authority on disk; None if there is none, or it cannot be used."""
    from cryptography import x509

    try:
        info = check_pair(directory / "ca.pem", directory / "ca.key", None, now=now)
    except ConfigError:  # missing, half written, damaged, expired
        return None
    cert = x509.load_pem_x509_certificate(info.cert_path.read_bytes())
    key = _load_key(info.key_path)
    try:
        constraints = cert.extensions.get_extension_for_class(x509.NameConstraints)
    except x509.ExtensionNotFound:
        return None
    is_ours = constraints.critical and constraints.value == name_constraints()
    is_lasting = info.not_after - now >= _RENEW_BEFORE
    return Authority(cert, key) if is_ours and is_lasting and key is not None else None


def _load_key(path: Path) -> EllipticCurvePrivateKey | None:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return key if isinstance(key, EllipticCurvePrivateKey) else None


def _leaf(
    directory: Path, authority: Authority, wanted: Sequence[str], now: datetime
) -> tuple[tuple[str, ...], bool]:
    """Return the names of the certificate, and whether it is new."""
    cert_path, key_path = directory / "localhost.pem", directory / "localhost.key"
    has, is_lasting = _leaf_on_disk(cert_path, key_path, authority, now)
    if is_lasting and set(wanted) <= set(has):
        return has, False
    kept = [name for name in has if is_permitted(name) and name not in wanted]
    names = (*wanted, *kept[: max(0, _MOST_NAMES - len(wanted))])
    key = _load_key(key_path) if key_path.exists() and private_files.is_private(key_path) else None
    if key is None:
        key = new_key()
        private_files.write(key_path, _key_pem(key), 0o600)
    private_files.write(cert_path, _cert_pem(make_leaf(authority, key, names, now)), 0o644)
    return names, True


def _leaf_on_disk(
    cert_path: Path, key_path: Path, authority: Authority, now: datetime
) -> tuple[tuple[str, ...], bool]:
    """Return the names of this authority's leaf (none without a leaf), and if it can be kept."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    try:
        info = check_pair(cert_path, key_path, None, now=now)
        leaf = x509.load_pem_x509_certificate(cert_path.read_bytes())
        leaf.verify_directly_issued_by(authority.cert)
    except (ConfigError, ValueError, TypeError, InvalidSignature):
        return (), False
    is_lasting = info.not_after - now >= _RENEW_BEFORE and private_files.is_private(key_path)
    return info.names, is_lasting


def _key_pem(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _cert_pem(cert: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return cert.public_bytes(Encoding.PEM)
