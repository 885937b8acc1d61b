"""All that a master must know about a program, without running its code: the places of its workers.
Plain data.

It comes from a process of the program's user, and a master that is root trusts it no more than that
user: every value has a type and a range here, and unknown values are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any, Literal, Self, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from lineman.base.option_kinds import MAX_SECONDS
from lineman.errors import ConfigError
from lineman.process.master.model import Key, Seat
from lineman.process.messages.process_rules import MAX_ADDRESSES, MAX_PROCESSES, Rules

Told = TypeVar("Told")

# A text that is shown must not move a terminal's cursor; a path must be valid for the system.
Text: TypeAlias = Annotated[str, Meta(max_length=500, pattern=r"\A[^\x00-\x1f\x7f-\x9f]*\Z")]
FilePath: TypeAlias = Annotated[str, Meta(max_length=4096, pattern=r"\A[^\x00]*\Z")]
Files: TypeAlias = Annotated[tuple[FilePath, ...], Meta(max_length=1000)]


@dataclass(frozen=True, slots=True)
class PlaceAddress:
    """One address at which a worker listens.

    Attributes:
        text: as the program writes it.
        scheme, host, port: where it is; port 0 lets the kernel choose.
        path: the path of a unix socket, in place of host and port.
    """

    text: Text
    scheme: Text
    host: Text
    port: Annotated[int, Meta(ge=0, le=65535)]
    path: FilePath = ""

    @property
    def where(self) -> tuple[str, str, int, str]:
        """The socket that serves it, whatever is spoken there; of port 0 each scheme has its own.

        Otherwise two addresses with port 0 would have one socket, and one of them no clients.
        """
        kind = "udp" if self.scheme == "udp" else "stream"
        is_chosen = not self.port and not self.path
        return self.scheme if is_chosen else kind, self.host, self.port, self.path


@dataclass(frozen=True, slots=True)
class Place:
    """One worker's place.

    Attributes:
        address: its first address as the program writes it; after a reload it identifies the
            worker.
        twin: the number of this worker among those with the same address.
        title: its name in the log and in `status`.
        addresses: where it listens; none for a worker that does not.
        socket_mode: the mode of the files of unix sockets.
        count: the number of processes.
        backlog: connections that may wait to be accepted.
        user, group: the user and group of its processes; empty for those of the user that starts
            the program.
        certificates, keys: files that it reads at its start and that only root may be able to read;
            a file that holds both is among both.
        takes_clients: whether clients connect to it, and not only programs of the operator.
        module: a Python module that is run in place of the program; empty for the program. The
            service continues if this module fails.
        is_checked: whether the files were checked closely for the description.
    """

    address: Text
    twin: Annotated[int, Meta(ge=0, le=MAX_PROCESSES)]
    title: Text
    addresses: Annotated[tuple[PlaceAddress, ...], Meta(max_length=MAX_ADDRESSES)]
    count: Annotated[int, Meta(ge=1, le=MAX_PROCESSES)]
    backlog: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    socket_mode: Annotated[int, Meta(ge=0, le=0o777)] = 0o660
    user: Text = ""
    group: Text = ""
    certificates: Files = ()
    keys: Files = ()
    is_checked: bool = True
    is_reloadable: bool = True
    takes_clients: bool = True
    module: Literal["", "lineman.metrics.exporter"] = ""
    rules: Rules = field(default_factory=Rules)

    @property
    def listens(self) -> bool:
        """Whether clients connect to it."""
        return bool(self.addresses)

    def seats(self) -> list[Key]:
        """The keys of its seats."""
        return [(self.address, self.twin, slot) for slot in range(self.count)]


@dataclass(frozen=True, slots=True)
class ProgramSettings:
    """The settings of the whole program.

    Attributes:
        log_file, log_format, log_level, log_max_size, log_keep: as `LogOptions`.
        metrics: the address for metrics; None for none.
        pid_file: the pid file that the program names; None for none.
        signals: what signals to the master mean: a table of `signal_meanings`.
        has_master_stop: whether the program has an `on_master_stop`.
    """

    log_file: FilePath | None = None
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    log_max_size: Annotated[int, Meta(ge=4096, le=2**50)] | None = None
    log_keep: Annotated[int, Meta(ge=0, le=1000)] = 1
    signals: Literal["lineman", "workerman"] = "lineman"
    metrics: Text | None = None
    pid_file: FilePath | None = None
    has_master_stop: bool = False


class ToldProgram:
    """The base of dataclasses that describe a program, with their form as plain data.

    Attributes:
        places: the places of its workers.
    """

    __slots__ = ()
    places: Any

    def to_json(self) -> dict[str, Any]:
        """The description as plain data."""
        return asdict(self)  # type: ignore[call-overload,no-any-return]

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Reads the plain data of `to_json`.

        Raises:
            ConfigError: the data is invalid.
        """
        found = convert(data, cls)
        check(found.places)
        return found


@dataclass(frozen=True, slots=True)
class Description(ToldProgram):
    """A program.

    Attributes:
        places: one for each worker.
    """

    places: Annotated[tuple[Place, ...], Meta(max_length=1000)]
    settings: ProgramSettings = field(default_factory=ProgramSettings)

    def seats(self, *, at_once: bool) -> tuple[Seat, ...]:
        """A seat for each process of the program.

        Args:
            at_once: whether a reload closes clients at once, without regard to drain_seconds.
        """
        return tuple(
            Seat(
                key,
                f"{place.title} #{key[2]}",
                rules=replace(place.rules, drain_seconds=0.0) if at_once else place.rules,
                is_reloadable=place.is_reloadable,
                is_essential=not place.module,
                takes_clients=place.takes_clients,
            )
            for place in self.places
            for key in place.seats()
        )


def convert(data: object, kind: type[Told]) -> Told:
    """Reads a description from plain data.

    Raises:
        ConfigError: the data is invalid.
    """
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise _strange(str(error)) from None


def check(places: Sequence[Place]) -> None:
    """Checks the rules that the types of places do not contain.

    Raises:
        ConfigError: the places are invalid.
    """
    for place in places:
        for name, seconds in asdict(place.rules).items():
            if not 0 <= seconds <= MAX_SECONDS:
                raise _strange(f"{name} is {seconds}")
    count = sum(place.count for place in places)
    if count > MAX_PROCESSES:
        raise ConfigError(
            f"the program wants {count} processes, more than {MAX_PROCESSES}",
            "give a smaller count=; one for each core is a good start",
        )


def _strange(what: str) -> ConfigError:
    return ConfigError(
        f"the description of the program is invalid: {what}",
        "check whether the program writes to descriptors that it has not opened",
    )
