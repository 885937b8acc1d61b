"""What a master has to know of a program: its workers' places, without its code. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from lineman.process.model import Key, Rules


@dataclass(frozen=True, slots=True)
class Place:
    """One worker's place.

    Attributes:
        address: as the program writes it; it tells the worker again after a reload.
        twin: which one of the workers with the same address.
        title: how the log and `status` call it.
        scheme, host, port: where it listens; port 0 lets the kernel choose, and without a scheme
            it does not listen.
        path: of a unix socket, in place of host and port.
        socket_mode: of its file.
        count: processes.
        backlog: connections that may wait to be accepted.
        user, group: whom its processes run as; empty for whoever starts the program.
        files: those that it reads at its start and that only root may be able to read.
        module: of Python, to be run in place of the program; empty for the program. The service
            does without it if need be.
        is_checked: whether the description was made with a close look at them.
    """

    address: str
    twin: int
    title: str
    scheme: str
    host: str
    port: int
    count: int
    backlog: int
    path: str = ""
    socket_mode: int = 0o660
    user: str = ""
    group: str = ""
    files: tuple[str, ...] = ()
    is_checked: bool = True
    is_reloadable: bool = True
    module: str = ""
    rules: Rules = field(default_factory=Rules)

    @property
    def listens(self) -> bool:
        """Whether clients connect to it."""
        return bool(self.scheme)

    def seats(self) -> list[Key]:
        """The keys of its seats."""
        return [(self.address, self.twin, slot) for slot in range(self.count)]


@dataclass(frozen=True, slots=True)
class Description:
    """A program.

    Attributes:
        places: one for each worker.
        settings: what concerns the whole program, such as `log_file`.
    """

    places: tuple[Place, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The description as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The description from what `to_json` gave."""
        places = tuple(
            Place(**{**place, "files": tuple(place["files"]), "rules": Rules(**place["rules"])})
            for place in data["places"]
        )
        return cls(places, data["settings"])
