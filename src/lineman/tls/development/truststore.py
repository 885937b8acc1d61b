"""Adds the development authority to the trust stores of this machine, and removes it.

Only the stores that an operator asks for are changed, and each returns what was done. An added
authority is found again by its name, which no other authority has.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lineman.errors import ConfigError
from lineman.tls.files.certificate_check import parsed, wrong_blocks
from lineman.tls.files.pem import read_pem

_NAME = "Lineman development CA"
_OLD_NAME = "lineman-development"  # what the howto used to have people type
_FILE = "lineman-development"
_TIMEOUT = 60.0  # seconds for update-ca-certificates or certutil

# Where Firefox keeps its profiles, below the home directory: its own, Snap's and Flatpak's.
_FIREFOX = (
    ".mozilla/firefox",
    ".config/mozilla/firefox",
    "snap/firefox/common/.mozilla/firefox",
    ".var/app/org.mozilla.firefox/.mozilla/firefox",
)
_CHROMIUM = (".pki/nssdb", ".local/share/pki/nssdb", "snap/chromium/current/.pki/nssdb")


class TrustStore(Protocol):
    """A place where authorities are trusted."""

    @property
    def title(self) -> str:
        """How messages call it."""
        ...

    def trust(self, ca: Path) -> str:
        """Adds the authority in a PEM file; returns what was done, in words.

        Raises:
            ConfigError: it could not be done.
        """
        ...

    def untrust(self, ca: Path | None = None) -> str:
        """Removes the authority in a PEM file; returns what was done, empty for nothing.

        Args:
            ca: the file; None for every authority that Lineman has made.

        Raises:
            ConfigError: it could not be done.
        """
        ...


@dataclass(frozen=True, slots=True)
class SystemStore:
    """The authorities of the whole system, which curl, Python and most programs use.

    Args:
        directory: where an operator adds authorities.
        refresh: the command that applies a change.
        forget: further options of that command after an authority was removed.
    """

    directory: Path
    refresh: tuple[str, ...]
    forget: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """How messages call it."""
        return "the system's store"

    def trust(self, ca: Path) -> str:
        """Copies the authority into the directory and refreshes the store."""
        target = self.directory / f"{_FILE}-{_suffix(ca)}.crt"
        try:
            shutil.copyfile(ca, target)
            target.chmod(0o644)
        except OSError as error:
            raise ConfigError(
                f"cannot write {target}: {error.strerror}",
                f"sudo lineman cert trust --system --ca {shlex.quote(str(ca))}",
            ) from None
        _run(self.refresh)
        return f"added {target}; {shlex.join(self.refresh)}"

    def untrust(self, ca: Path | None = None) -> str:
        """Removes the copy that `trust` has made, or every development authority."""
        which = "*" if ca is None else f"-{_suffix(ca)}"
        found = sorted(self.directory.glob(f"{_FILE}{which}.crt"))
        try:
            for path in found:
                path.unlink()
        except OSError as error:
            raise ConfigError(
                f"cannot remove {error.filename}: {error.strerror}",
                "sudo lineman cert untrust --system"
                + ("" if ca is None else f" --ca {shlex.quote(str(ca))}"),
            ) from None
        if not found:
            return ""
        command = (*self.refresh, *self.forget)
        _run(command)
        return f"removed {', '.join(map(str, found))}; {shlex.join(command)}"


@dataclass(frozen=True, slots=True)
class NssStore:
    """A database of NSS: Chromium has one for each user, Firefox one for each profile.

    Args:
        title: how messages call it.
        directory: made where it is missing.
    """

    title: str
    directory: Path

    def trust(self, ca: Path) -> str:
        """Adds the authority, for servers only."""
        certutil = _certutil()
        if not (self.directory / "cert9.db").exists():
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _run((certutil, *self._where, "-N", "--empty-password"))
        name = f"{_NAME} {_suffix(ca)}"
        if name in self._names(certutil):
            return f"{name} is in {self.directory} already"
        # "C,,": trusted for servers, neither for mail nor for code.
        _run((certutil, *self._where, "-A", "-t", "C,,", "-n", name, "-i", str(ca)))
        return f"added {name} to {self.directory}"

    def untrust(self, ca: Path | None = None) -> str:
        """Removes the authority, or every one that Lineman has made."""
        wanted = None if ca is None else f"{_NAME} {_suffix(ca)}"
        if not (self.directory / "cert9.db").exists():
            return ""
        certutil = _certutil()
        found = [name for name in self._names(certutil) if wanted in (None, name)]
        for name in found:
            _run((certutil, *self._where, "-D", "-n", name))
        return f"removed {', '.join(found)} from {self.directory}" if found else ""

    @property
    def _where(self) -> tuple[str, str]:
        return "-d", f"sql:{self.directory}"

    def _names(self, certutil: str) -> list[str]:
        listed = _run((certutil, *self._where, "-L"))
        names = (line.rstrip().rpartition(" ")[0].rstrip() for line in listed.splitlines())
        return [name for name in names if name.startswith(_NAME) or name == _OLD_NAME]


def system_store() -> SystemStore | None:
    """This system's store; None if it has no known one."""
    known = (
        ("/usr/local/share/ca-certificates", "update-ca-certificates", "--fresh"),  # Debian
        ("/etc/pki/ca-trust/source/anchors", "update-ca-trust", ""),  # Fedora, Red Hat
        ("/etc/ca-certificates/trust-source/anchors", "update-ca-trust", ""),  # Arch
    )
    for directory, program, forget in known:
        path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if path is not None and os.path.isdir(directory):
            return SystemStore(Path(directory), (path,), (forget,) if forget else ())
    return None


def browser_stores(home: Path) -> Iterator[NssStore]:
    """The stores of this user's browsers; Chromium's is included even if it does not exist yet."""
    databases = [home / path for path in _CHROMIUM if (home / path).is_dir()]
    for directory in databases or [home / _CHROMIUM[0]]:
        yield NssStore("Chromium, Chrome, Edge", directory)
    for path in _FIREFOX:
        for database in sorted((home / path).glob("*/cert9.db")):
            yield NssStore(f"Firefox ({database.parent.name})", database.parent)


def _suffix(ca: Path) -> str:
    """The end of an authority's name, which distinguishes it from others.

    Raises:
        ConfigError: it was not made by Lineman.
    """
    from cryptography import x509

    file = read_pem(ca, "CA file")
    if not file.certificates:
        raise wrong_blocks(file, "CA file")
    subject = parsed(file, file.certificates[:1], "CA file")[0].subject
    found = subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    name = str(found[0].value) if found else ""
    if not name.startswith(_NAME + " "):
        raise ConfigError(
            f"{ca} is {name or subject.rfc4514_string()}, which is no development authority of "
            "lineman",
            "leave --ca out, or give the ca.pem that lineman made",
        )
    return name.rpartition(" ")[2]


def _certutil() -> str:
    found = shutil.which("certutil")
    if found is None:
        raise ConfigError(
            "certutil, which changes browsers' stores, is not installed",
            "apt-get install libnss3-tools (Fedora: nss-tools)",
        )
    return found


def _run(command: Sequence[str]) -> str:
    """Runs a program without input, and returns its output."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{shlex.join(command)} fails: {error}", "try it by hand") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split()) or f"status {done.returncode}"
        raise ConfigError(f"{shlex.join(command)} fails: {said}", "try it by hand")
    return done.stdout
