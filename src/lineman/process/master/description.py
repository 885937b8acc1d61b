"""Everything that a master must know of a program, without its code: the places of its workers.
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
from lineman.process.messages.process_rules import MAX_PROCESSES, Rules

Told = TypeVar("Told")

# What is shown, and so must not move a terminal's cursor; what the system takes as a path.
Text: TypeAlias = Annotated[str, Meta(max_length=500, pattern=r"\A[^\x00-\x1f\x7f-\x9f]*\Z")]
FilePath: TypeAlias = Annotated[str, Meta(max_length=4096, pattern=r"\A[^\x00]*\Z")]
Files: TypeAlias = Annotated[tuple[FilePath, ...], Meta(max_length=1000)]


@dataclass(frozen=True, slots=True)
class Place:
    """One worker's place.

    Attributes:
        address: as the program writes it; after a reload it identifies the worker.
        twin: which one of the workers with the same address.
        title: its name in the log and in `status`.
        scheme, host, port: where it listens; port 0 lets the kernel choose, and without a scheme it
            does not listen.
        path: of a unix socket, in place of host and port.
        socket_mode: of its file.
        count: processes.
        backlog: connections that may wait to be accepted.
        user, group: the user and group of its processes; empty for those of the user that starts
            the program.
        certificates, keys: files that it reads at its start and that only root may be able to read;
            a file that holds both is among both.
        takes_clients: whether clients connect to it, and not this service's own programs alone.
        module: of Python, to be run in place of the program; empty for the program. The service
            does without it if need be.
        is_checked: whether the description was made with a close look at them.
    """

    address: Text
    twin: Annotated[int, Meta(ge=0, le=MAX_PROCESSES)]
    title: Text
    scheme: Text
    host: Text
    port: Annotated[int, Meta(ge=0, le=65535)]
    count: Annotated[int, Meta(ge=1, le=MAX_PROCESSES)]
    backlog: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    path: FilePath = ""
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
        return bool(self.scheme)

    def seats(self) -> list[Key]:
        """The keys of its seats."""
        return [(self.address, self.twin, slot) for slot in range(self.count)]


@dataclass(frozen=True, slots=True)
class ProgramSettings:
    """What concerns the whole program.

    Attributes:
        log_file, log_format, log_level: as `logs.LogOptions`.
        metrics: where metrics are told; None for nowhere.
        pid_file: the one that the program names; None for none.
    """

    log_file: FilePath | None = None
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    metrics: Text | None = None
    pid_file: FilePath | None = None


class ToldProgram:
    """A dataclass of what a program says of itself, and how it goes from process to process.

    Attributes:
        places: those of its workers.
    """

    __slots__ = ()
    places: Any

    def to_json(self) -> dict[str, Any]:
        """It as plain data."""
        return asdict(self)  # type: ignore[call-overload,no-any-return]

    @classmethod
    def from_json(cls, data: object) -> Self:
        """It from what `to_json` gave.

        Raises:
            ConfigError: it holds what no program says.
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
        """A seat for each process that it wants.

        Args:
            at_once: whether a reload lets clients go at once, whatever drain_seconds says.
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
    """What a program says of itself, from plain data.

    Raises:
        ConfigError: it holds what no program says.
    """
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise _strange(str(error)) from None


def check(places: Sequence[Place]) -> None:
    """Looks at what the types of its places do not say.

    Raises:
        ConfigError: no program can be meant by that.
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
