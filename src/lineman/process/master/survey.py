"""All that `lineman doctor`, `config` and `proxy` must know about a program, without its code.
Plain data.

As with a description, it comes from a process of the program's user, and is trusted no more than
that user: every value has a type and a range here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self, TypeAlias

from msgspec import Meta

from lineman.base.option_kinds import MAX_SECONDS
from lineman.errors import ConfigError
from lineman.process.master.description import Place, Text, ToldProgram
from lineman.process.messages.lines import clean
from lineman.process.messages.process_rules import MAX_ADDRESSES

# The limit of the text of a fault; `clean` makes a line of it.
MAX_WORDS = 2000
Words: TypeAlias = Annotated[
    str, Meta(max_length=MAX_WORDS + 1, pattern=r"\A[^\x00-\x1f\x7f-\x9f]*\Z")
]
Word: TypeAlias = Annotated[str, Meta(pattern=r"\A[a-z-]{0,20}\Z")]
Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=MAX_SECONDS)]
Reaches: TypeAlias = Literal["run_all", "start", ""]


@dataclass(frozen=True, slots=True)
class SurveyedAddress:
    """One address of a worker.

    Attributes:
        url: with the scheme that clients use.
        trusts_neighbour: whether a proxy on this machine is trusted to report the client's address.
        starts_tls: whether connections begin in the clear, and may go on with TLS.
    """

    url: Text
    trusts_neighbour: bool = False
    starts_tls: bool = False


@dataclass(frozen=True, slots=True)
class Surveyed:
    """One worker.

    Attributes:
        name: its name, or its address.
        fault: why it cannot start; then the rest is unknown. `fix`: the remedy.
        place: its place, as in a description.
        addresses: where it listens; none for one that only runs code.
        certificate: SHA-256 of the first one on disk, in hexadecimal; empty if that is unknown.
        has_gateway: whether it is a gateway's, which reaches the clients of all its processes.
        trusts_proxies: whether any proxy is trusted to report the client's address.
        real_ip_header, proxy_protocol: as the options; empty for none.
        ping_interval, ping_timeout: seconds; 0 for never.
        max_message_size: bytes.
    """

    name: Text
    fault: Words = ""
    fix: Words = ""
    place: Place | None = None
    addresses: Annotated[tuple[SurveyedAddress, ...], Meta(max_length=MAX_ADDRESSES)] = ()
    certificate: Annotated[str, Meta(pattern=r"\A([0-9a-f]{64})?\Z")] = ""
    has_gateway: bool = False
    trusts_proxies: bool = False
    real_ip_header: Word = ""
    proxy_protocol: Word = ""
    ping_interval: Seconds = 0.0
    ping_timeout: Seconds = 0.0
    max_message_size: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0

    def failing(self, error: ConfigError) -> Self:
        """The same worker, which cannot start."""
        return replace(
            self, fault=clean(error.seen, MAX_WORDS), fix=clean(error.fix, MAX_WORDS), place=None
        )


@dataclass(frozen=True, slots=True)
class SurveyedOption:
    """One option that is in force, as `config.shown_options` has it."""

    service: Text
    option: Text
    value: Words
    source: Words


@dataclass(frozen=True, slots=True)
class Survey(ToldProgram):
    """A program.

    Attributes:
        workers: all of them.
        sends_to_all: the first line of its source that sends to the connections of one process; 0
            if none was found.
        reaches: the method by which it serves: `run_all`, which starts a master, or `start`; empty
            if it calls neither.
    """

    workers: Annotated[tuple[Surveyed, ...], Meta(min_length=1, max_length=1000)]
    sends_to_all: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    reaches: Reaches = "run_all"
    options: Annotated[tuple[SurveyedOption, ...], Meta(max_length=100_000)] = ()

    @property
    def places(self) -> tuple[Place, ...]:
        """The workers that can start."""
        return tuple(worker.place for worker in self.workers if worker.place is not None)

    def failing(self, error: ConfigError) -> Self:
        """The same program, which cannot start."""
        return replace(self, workers=tuple(each.failing(error) for each in self.workers))
