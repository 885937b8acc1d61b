"""The rules for clients' certificates: their authorities and lists of revoked certificates."""

from __future__ import annotations

import hashlib
import os
import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lineman.errors import ConfigError
from lineman.tls.files.certificate_check import parsed, wrong_blocks
from lineman.tls.files.certificate_info import date, span
from lineman.tls.files.pem import Contents, PemFile, as_path, read_pem
from lineman.tls.openssl import access as openssl
from lineman.tls.serving.loading import opensslese
from lineman.tls.serving.tls_options import TlsOptions

if TYPE_CHECKING:  # imported where it runs: it costs a process 11 MiB and 40 ms
    from cryptography import x509

_VERIFY_MODES = {
    None: ssl.CERT_NONE,
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}

_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")  # an authority's name from `openssl rehash`


@dataclass(frozen=True, slots=True)
class ClientRules:
    """The rules by which clients' certificates are checked, as read from the files.

    Args:
        options: the operator's options.
        ca_file, crl_file: None if none was given.
        ca_path: a directory of authorities, absolute.
        listing: its files and their times.
    """

    options: TlsOptions
    ca_file: PemFile | None
    crl_file: PemFile | None
    ca_path: Path | None
    listing: str

    @property
    def digest(self) -> bytes:
        """A value that differs if one set of rules may refuse a client that the other accepts."""
        options = self.options
        found = hashlib.sha256(
            repr(
                (options.verify_client, options.verify_depth, sorted(options.fingerprints))
            ).encode()
        )
        for file in (self.ca_file, self.crl_file):
            found.update(b"".join(block.der for block in file.blocks) if file else b"-")
        found.update(f"{self.ca_path} {self.listing}".encode(errors="surrogateescape"))
        return found.digest()

    def apply(self, context: ssl.SSLContext) -> None:
        """Make a context check clients by these rules.

        Raises:
            ConfigError: OpenSSL does not accept them.
        """
        context.verify_mode = _VERIFY_MODES[self.options.verify_client]
        for file in (self.ca_file, self.crl_file):
            if file is not None:
                _add(context, file)
        if self.ca_path is not None:
            context.load_verify_locations(capath=self.ca_path)
        if self.crl_file is not None:
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        if self.options.verify_depth is not None:
            _set_depth(context, self.options.verify_depth)


def read_rules(
    options: TlsOptions,
    *,
    check: bool,
    contents: Contents | None = None,
    now: datetime | None = None,
) -> ClientRules:
    """Read the files with the rules for clients' certificates.

    Args:
        options: where they are.
        check: False leaves out the checks with `cryptography`: for a process whose parent has
            checked the files.
        contents: as for `read_pem`.
        now: the time at which a CRL must be valid, aware; None: now.

    Raises:
        ConfigError: a file is missing or cannot be used.
    """
    ca_file = crl_file = None
    if options.ca_file is not None:
        ca_file = read_pem(options.ca_file, "CA file", contents)
        if not ca_file.certificates:
            raise wrong_blocks(ca_file, "CA file")
    if options.crl_file is not None:
        crl_file = read_pem(options.crl_file, "CRL file", contents)
        if not crl_file.revocations:
            raise wrong_blocks(crl_file, "CRL file")
    if check and ca_file is not None:
        authorities = parsed(ca_file, ca_file.certificates, "CA file")
        if crl_file is not None:
            _refuse_bad_lists(crl_file, authorities, ca_file, now or datetime.now(UTC))
    if options.ca_path is None:
        return ClientRules(options, ca_file, crl_file, None, "")
    directory = Path(os.path.abspath(options.ca_path))
    return ClientRules(options, ca_file, crl_file, directory, _listing(directory))


def _listing(directory: Path) -> str:
    """The files in a directory of authorities, with their times.

    Raises:
        ConfigError: it has no file that OpenSSL would look for.
    """
    try:
        found = {each.name: each.stat().st_mtime_ns for each in os.scandir(directory)}
    except OSError as error:
        raise ConfigError(
            f"cannot read the directory of authorities {directory}: {error.strerror}",
            "give a directory with one PEM file for each authority, or ca_file",
        ) from None
    if not any(_HASHED.fullmatch(name) for name in found):
        raise ConfigError(
            f"the directory of authorities {directory} has no file that OpenSSL would look for "
            "(such as 4f2a1b3c.0)",
            f"openssl rehash {directory}",
        )
    return repr(sorted(found.items()))


def _refuse_bad_lists(
    file: PemFile, authorities: list[x509.Certificate], ca_file: PemFile, now: datetime
) -> None:
    """Raise if OpenSSL would refuse every client because of a list, or would ignore it."""
    from cryptography import x509

    for block in file.revocations:
        seen = f"the list in line {block.line} of the CRL file {file.shown}"
        try:
            found = x509.load_der_x509_crl(block.der)
        except ValueError:
            raise ConfigError(f"{seen} is truncated or garbled", "fetch it again") from None
        issuers = [each for each in authorities if each.subject == found.issuer]
        if not any(found.is_signature_valid(each.public_key()) for each in issuers):  # type: ignore[arg-type]
            raise ConfigError(
                f"{seen} is of {found.issuer.rfc4514_string()}, and no authority in "
                f"{ca_file.shown} has signed it",
                "give the CRL of the authority that your clients' certificates come from",
            )
        until = found.next_update_utc
        if until is not None and until < now:
            raise ConfigError(
                f"{seen} is out of date since {date(until)}, {span(now - until)} ago: with it "
                "every client would be refused",
                "fetch the authority's new CRL; it is read anew when the file changes",
            )


def _add(context: ssl.SSLContext, file: PemFile) -> None:
    try:
        with as_path(*file.blocks, fallback=file.path) as path:
            context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise ConfigError(
            f"cannot load the CA file {file.shown}: {opensslese(error.reason)}",
            f"look at it: openssl x509 -noout -text -in {file.quoted}",
        ) from None


def _set_depth(context: ssl.SSLContext, depth: int) -> None:
    library, pointer = openssl.library(), openssl.context_pointer(context)
    if library is None or pointer is None:
        raise ConfigError(
            f"verify_depth is {depth}, and this Python does not let it be set",
            "leave verify_depth out; which authorities count is up to ca_file",
        )
    from ctypes import c_int, c_void_p

    library.SSL_CTX_set_verify_depth.argtypes = [c_void_p, c_int]
    library.SSL_CTX_set_verify_depth.restype = None
    library.SSL_CTX_set_verify_depth(pointer, depth)
