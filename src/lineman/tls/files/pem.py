"""Reads a PEM file from an operator's path, or explains what is at that path instead.

Only the standard library is needed for a good file: a worker whose files were checked already never
imports `cryptography`, which costs 11 MiB.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import errno
import grp
import os
import pwd
import re
import shlex
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from lineman.errors import ConfigError
from lineman.tls.files import inherited_files

Role = Literal["certificate", "private key", "CA file", "CRL file"]

# The contents of files that this process may not read, by absolute path: its master has read them.
Contents: TypeAlias = Mapping[str, bytes]

_LARGEST_FILE = 4 * 1024 * 1024  # bytes; the bundle of all public authorities has a quarter MiB

_BEGIN = re.compile(rb"([ \t]*)-----BEGIN ([A-Z0-9 ]+)-----[ \t]*")


@dataclass(frozen=True, slots=True)
class PemBlock:
    """The block between one BEGIN line and its END line.

    Args:
        label: the words after BEGIN, such as `CERTIFICATE` or `EC PRIVATE KEY`.
        text: the block with both lines, for a parser of PEM.
        der: its decoded content; still encrypted if `is_encrypted`.
        line: the number of the BEGIN line, counted from 1.
    """

    label: str
    text: bytes
    der: bytes
    line: int

    @property
    def is_encrypted(self) -> bool:
        """Whether a passphrase is needed: PKCS #8 says so in its label, older keys in a header."""
        return self.label.startswith("ENCRYPTED") or b"Proc-Type: 4,ENCRYPTED" in self.text


@dataclass(frozen=True, slots=True)
class PemFile:
    """A file that was read: its absolute path, its name in messages, and at least one block.

    `shown` is the absolute path, together with the operator's path if that was relative;
    `is_public` tells whether every user of this machine may read it.
    """

    path: Path
    shown: str
    blocks: tuple[PemBlock, ...]
    is_public: bool = False

    @property
    def certificates(self) -> tuple[PemBlock, ...]:
        """The blocks that are X.509 certificates, in the file's order."""
        return tuple(b for b in self.blocks if b.label in ("CERTIFICATE", "X509 CERTIFICATE"))

    @property
    def keys(self) -> tuple[PemBlock, ...]:
        """The blocks that are private keys; OpenSSL uses the first."""
        return tuple(
            b
            for b in self.blocks
            if b.label.endswith("PRIVATE KEY") and not b.label.startswith("OPENSSH")
        )

    @property
    def revocations(self) -> tuple[PemBlock, ...]:
        """The blocks that are lists of revoked certificates."""
        return tuple(b for b in self.blocks if b.label == "X509 CRL")

    @property
    def quoted(self) -> str:
        """The path for a command line."""
        return _sh(self.path)


@dataclass(frozen=True, slots=True)
class _Source:
    """The file that a message is about; as text `certificate /etc/server.pem`."""

    path: Path
    shown: str
    role: Role

    def __str__(self) -> str:
        return f"{self.role} {self.shown}"

    @property
    def quoted(self) -> str:
        """The path for a command line."""
        return _sh(self.path)


def read_pem(path: str | Path, role: Role, contents: Contents | None = None) -> PemFile:
    """Return the file's content; it never blocks, whatever kind of file is at the path.

    Args:
        path: a relative one starts at the working directory; messages show the absolute path too.
        role: the purpose of the file, for messages.
        contents: if it has the path, no file is opened.

    Raises:
        ConfigError: the file is missing, unreadable, no regular file, empty, not PEM, or cut off.

    Source: RFC 7468, section 2
    """
    absolute = Path(os.path.abspath(path))
    shown = str(absolute) if os.path.isabs(path) else f"{absolute} (given as {path})"
    source = _Source(absolute, shown, role)
    given = None if contents is None else contents.get(str(absolute))
    try:
        data, is_public = _read_regular(source) if given is None else (given, False)
    except OSError as error:
        raise _cannot_open(error, source) from None
    if not data.strip():
        raise ConfigError(f"the {source} is empty", "copy it again, and look at the disk: df -h")
    blocks = _blocks(data, source)
    if not blocks:
        raise _not_pem(data, source)
    return PemFile(absolute, shown, tuple(blocks), is_public)


@contextlib.contextmanager
def as_path(*blocks: PemBlock, fallback: Path) -> Iterator[str]:
    """A path to a file in memory with these blocks, for OpenSSL, which only reads files.

    So OpenSSL loads the checked bytes, even if the file changes in between; and a key that
    the master has read needs no file. Without /proc it is `fallback`.
    """
    descriptor = os.memfd_create("pem")
    try:
        path = f"/proc/self/fd/{descriptor}"
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(b"".join(block.text for block in blocks))
        yield path if os.path.exists(path) else str(fallback)
    finally:
        os.close(descriptor)


def _read_regular(source: _Source) -> tuple[bytes, bool]:
    # O_NONBLOCK: without it, opening a FIFO waits for a writer that may never come.
    descriptor = os.open(
        inherited_files.where(source.path), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    )
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ConfigError(
                f"the {source} is {_kind(found.st_mode)}, not a file",
                f"give the path of a PEM file; what it is: ls -ld {source.quoted}",
            )
        if found.st_size > _LARGEST_FILE:
            raise ConfigError(
                f"the {source} has {found.st_size} bytes, far more than a PEM file needs",
                f"give the path of a PEM file; what it is: file {source.quoted}",
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(_LARGEST_FILE), _is_public(source.path)
    finally:
        os.close(descriptor)


def _is_public(path: Path) -> bool:
    """Whether every user may read a file, and enter all of the directories above it.

    The path itself is examined: this process may have read a copy from its master.
    """
    real = Path(os.path.realpath(path))
    # From the root down: below the first closed directory this process may see nothing.
    try:
        return all(each.stat().st_mode & stat.S_IXOTH for each in reversed(real.parents)) and bool(
            real.stat().st_mode & stat.S_IROTH
        )
    except OSError:  # it, or a directory above it, was just replaced
        return False


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a directory"
    if stat.S_ISFIFO(mode):
        return "a named pipe (FIFO)"
    return "a device"


def _cannot_open(error: OSError, source: _Source) -> ConfigError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return _missing(source)
    if isinstance(error, PermissionError):
        return _denied(source)
    if error.errno == errno.ENXIO:
        return ConfigError(f"the {source} is a socket, not a file", "give the path of a PEM file")
    return ConfigError(
        f"cannot read the {source}: {error.strerror}", f"look at it: ls -l {source.quoted}"
    )


class NoSuchFileError(ConfigError):
    """Return the error for a path without a file."""


def _missing(source: _Source) -> ConfigError:
    path = source.path
    if path.is_symlink():
        return ConfigError(
            f"the {source} is a symbolic link to {os.readlink(path)}, which does not exist",
            f"point it at the file: ln -sf FILE {source.quoted}",
        )
    nearest = path.parent
    while not nearest.is_dir():
        nearest = nearest.parent
    why = "no such file" if nearest == path.parent else f"only {nearest} exists of its path"
    return NoSuchFileError(
        f"there is no {source}: {why}",
        f"write the absolute path of the file; what is there: ls {_sh(nearest)}",
    )


def _denied(source: _Source) -> ConfigError:
    """Return the error for a file that this process may not read: its owner, and the fix."""
    path = source.path
    real = Path(os.path.realpath(path))
    blocked = [d for d in (*reversed(path.parents), *reversed(real.parents)) if not _passable(d)]
    user, group = _running_as()
    if blocked:
        directory = blocked[0]
        return ConfigError(
            f"cannot read the {source}: its directory {directory} has "
            f"{_mode_and_owner(directory)}, running as {user}",
            f"chgrp {group} {_sh(directory)} && chmod g+x {_sh(directory)}",
        )
    seen = f"cannot read the {source}: {_mode_and_owner(path)}, running as {user}"
    found = path.stat()
    if found.st_mode & stat.S_IROTH:
        return ConfigError(
            f"{seen}; the mode allows it, so an access list, SELinux or AppArmor forbids it",
            f"look at: getfacl {source.quoted}; ls -Z {source.quoted}; journalctl -k -g denied",
        )
    if found.st_uid == os.geteuid():
        return ConfigError(seen, f"chmod u+r {source.quoted}")
    if source.role == "private key":
        return ConfigError(seen, f"chgrp {group} {source.quoted} && chmod 640 {source.quoted}")
    return ConfigError(seen, f"chmod a+r {source.quoted}")


def _passable(directory: Path) -> bool:
    return os.access(directory, os.X_OK, effective_ids=True)


def _mode_and_owner(path: Path) -> str:
    found = path.stat()
    return f"mode {stat.S_IMODE(found.st_mode):04o}, owner {_user_name(found.st_uid)}"


def _running_as() -> tuple[str, str]:
    """Return the names of this process's user and group; a number where none has a name."""
    try:
        group = grp.getgrgid(os.getegid()).gr_name
    except KeyError:
        group = str(os.getegid())
    return _user_name(os.geteuid()), group


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container often runs as a user without a name
        return str(uid)


def _blocks(data: bytes, source: _Source) -> list[PemBlock]:
    lines = data.removeprefix(b"\xef\xbb\xbf").splitlines()  # OpenSSL skips this mark, too
    blocks: list[PemBlock] = []
    index = 0
    while index < len(lines):
        begin = _BEGIN.fullmatch(lines[index])
        if begin is None:
            index += 1
            continue
        if begin[1]:
            raise ConfigError(
                f"line {index + 1} of the {source} is indented; PEM lines start at the margin",
                f"sed -i 's/^[ \\t]*//' {source.quoted}",
            )
        end = _end_of(lines, index, begin[2])
        if end is None:
            raise ConfigError(
                f"the {source} is cut off: line {index + 1} begins a {begin[2].decode()}, "
                "and no line ends it",
                "copy the whole file again",
            )
        blocks.append(_block(begin[2].decode(), lines, index, end, source))
        index = end + 1
    return blocks


def _end_of(lines: list[bytes], begin: int, label: bytes) -> int | None:
    """Return the index of the END line of the block; None if another block begins before it."""
    for index in range(begin + 1, len(lines)):
        line = lines[index].rstrip()
        if line == b"-----END " + label + b"-----":
            return index
        if line.startswith(b"-----BEGIN "):
            return None
    return None


def _block(label: str, lines: list[bytes], begin: int, end: int, source: _Source) -> PemBlock:
    body = lines[begin + 1 : end]
    if any(b":" in line for line in body):  # RFC 1421 headers of older keys end at an empty line
        body = body[next((i for i, line in enumerate(body) if not line.strip()), 0) :]
    try:
        der = base64.b64decode(b"".join(line.strip() for line in body), validate=True)
    except binascii.Error as error:
        raise ConfigError(
            f"the {label} in lines {begin + 1} to {end + 1} of the {source} is garbled: "
            f"not base64 ({error})",
            "copy the file again, as plain text and whole",
        ) from None
    return PemBlock(label, b"\n".join((*lines[begin : end + 1], b"")), der, begin + 1)


def _not_pem(data: bytes, source: _Source) -> ConfigError:
    seen = f"the {source} is not PEM (it has no -----BEGIN ...----- line)"
    path = source.path
    target = path.with_suffix(".key" if source.role == "private key" else ".pem")
    if target == path:
        target = path.with_suffix(f".pem{path.suffix}")
    into = _sh(target)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ConfigError(
            f"{seen} but UTF-16 text", f"iconv -f UTF-16 -t ASCII {source.quoted} > {into}"
        )
    if data.startswith(b"\xfe\xed\xfe\xed"):
        return ConfigError(
            f"{seen} but a Java key store",
            f"keytool -importkeystore -srckeystore {source.quoted} -destkeystore server.p12 "
            f"-deststoretype PKCS12 && openssl pkcs12 -nodes -in server.p12 -out {into}",
        )
    what, command = _der_kind(data)
    if what:
        return ConfigError(f"{seen} but {what}", f"{command} -in {source.quoted} -out {into}")
    return ConfigError(seen, f"give a PEM file; what it is: file {source.quoted}")


def _der_kind(data: bytes) -> tuple[str, str]:
    """Return the kind of a binary file, and the start of the command that makes PEM of it."""
    if not data.startswith(b"\x30"):
        return "", ""
    # Imported only here: the file is refused anyway, so what it costs no longer matters.
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    for load, what, command in (
        (x509.load_der_x509_certificate, "a DER certificate", "openssl x509 -inform DER"),
        (x509.load_der_x509_crl, "a DER list of revoked certificates", "openssl crl -inform DER"),
    ):
        with contextlib.suppress(ValueError):
            load(data)
            return what, command
    if b"\x2a\x86\x48\x86\xf7\x0d\x01\x07" in data[:64]:  # the object identifiers of PKCS #7
        if b"\x02\x01\x03" in data[:8]:  # version 3, which only PKCS #12 begins with
            return "PKCS #12 (.pfx, .p12)", "openssl pkcs12 -nodes"
        return "PKCS #7 (.p7b)", "openssl pkcs7 -inform DER -print_certs"
    try:
        load_der_private_key(data, None)
    except TypeError:  # encrypted, and no passphrase was given: still a key
        pass
    except Exception:  # a parser may raise any error for other bytes
        return "", ""
    return "a DER private key", "openssl pkey -inform DER"


def _sh(path: Path) -> str:
    return shlex.quote(str(path))
