"""Trusted proxies by the name of a list: `cloudflare` is a file of networks that is kept elsewhere.

A list that changes is read again while the service runs; one that has become bad is not, and the
old one stays.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from lineman.errors import ConfigError
from lineman.net.connection.context import ConnectionContext
from lineman.net.loop.wheel import Timed
from lineman.protocols.proxies.forwarded import UNIX, TrustedProxies

logger = logging.getLogger("lineman")

DIRECTORY = Path("/etc/lineman/proxies")
"""Where `cloudflare` is `cloudflare.txt`."""

LOOK_AGAIN = 5.0  # seconds between looks at whether a list has changed

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_FORM = "write one network a line, such as 192.0.2.0/24; # begins a comment"


class ProxyLists:
    """The option `trusted_proxies` with its lists.

    Args:
        entries: networks, `unix`, names of lists, and `file:` with a file or a directory of files.
        directory: where the named lists are.
    """

    def __init__(self, entries: Sequence[str], directory: Path = DIRECTORY) -> None:
        self._networks = [entry for entry in entries if not _is_list(entry)]
        self._places = [_place(entry, directory) for entry in entries if _is_list(entry)]
        self._seen = self._look()

    @property
    def has_files(self) -> bool:
        """Whether there is anything that may change."""
        return bool(self._places)

    def load(self) -> TrustedProxies:
        """All of them, read now.

        Raises:
            ConfigError: a list cannot be read, or an entry is no network; which file and line.
        """
        self._seen = self._look()
        TrustedProxies(self._networks)  # complains about the program's own entries first
        listed = [network for place in self._places for network in _read_place(place)]
        return TrustedProxies([*self._networks, *listed])

    def has_changed(self) -> bool:
        """Whether a file is another one, or newer, than when it was last read."""
        return self._look() != self._seen

    def _look(self) -> list[tuple[Path, int, int, int]]:
        found = []
        for place in self._places:
            for path in (place, *_files(place)):
                try:
                    stat = path.stat()
                except OSError:
                    continue
                found.append((path, stat.st_ino, stat.st_size, stat.st_mtime_ns))
        return found


class ListWatch(Timed):
    """Gives a service its lists anew when they change; an item of the timing wheel."""

    def __init__(self, service: ConnectionContext, lists: ProxyLists) -> None:
        super().__init__()
        self._service = service
        self._lists = lists
        service.wheel.file(self, service.wheel.now + LOOK_AGAIN)

    def on_deadline(self, now: float) -> float:
        """Looks at the files."""
        if self._lists.has_changed():
            try:
                self._service.trusted_proxies = self._lists.load()
            except ConfigError as error:
                logger.error("the trusted proxies stay as they were: %s", error)
            else:
                logger.info("the trusted proxies were read again")
        return now + LOOK_AGAIN


def _is_list(entry: str) -> bool:
    return entry.startswith("file:") or (entry != UNIX and _NAME.fullmatch(entry) is not None)


def _place(entry: str, directory: Path) -> Path:
    if not entry.startswith("file:"):
        return directory / f"{entry}.txt"
    path = Path(entry.removeprefix("file:"))
    if not path.is_absolute():
        raise ConfigError(
            f"the trusted proxies {entry!r} are no absolute path",
            "write it like file:/etc/lineman/cloudflare.txt",
        )
    return path


def _files(place: Path) -> list[Path]:
    """The files of a list: itself, or what a directory of lists holds."""
    return sorted(place.glob("*.txt")) if place.is_dir() else [place]


def _read_place(place: Path) -> list[str]:
    files = _files(place)
    if not files:
        raise ConfigError(f"the directory {place} of trusted proxies has no *.txt in it", _FORM)
    return [network for path in files for network in _read_file(path)]


def _read_file(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        words = (error.strerror or str(error)) if isinstance(error, OSError) else "it is no text"
        raise ConfigError(
            f"cannot read the list of trusted proxies {path}: {words.lower()}",
            f'make that file: {_FORM}; or name networks: trusted_proxies=["127.0.0.1/32"]',
        ) from None
    networks = []
    for number, line in enumerate(text.splitlines(), 1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        try:
            TrustedProxies([entry])
        except ConfigError as error:
            raise ConfigError(f"{path}, line {number}: {error.seen}", error.fix) from None
        networks.append(entry)
    if not networks:
        # An empty file is a download that failed, more likely than a wish to trust nobody.
        raise ConfigError(f"the list of trusted proxies {path} has no network in it", _FORM)
    return networks
