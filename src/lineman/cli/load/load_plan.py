"""What a load test does: the options of `lineman bench`, checked."""

from __future__ import annotations

import random
import string
from dataclasses import dataclass
from enum import Enum

from lineman.cli.load.load_talk import StreamOpening
from lineman.errors import UsageError
from lineman.protocols.websocket.client.client_handshake import ClientOpening

MOST_OF_DATAGRAM = 65_507  # bytes, in IPv4


class Mode(Enum):
    """What the clients do."""

    ECHO = "echo"
    IDLE = "idle"
    CONNECT = "connect"
    BROADCAST = "broadcast"


@dataclass(frozen=True, slots=True)
class Plan:
    """One load test.

    Attributes:
        opening: the target of the clients, and their handshake or the protocol without one.
        mode: what they do.
        connections: how many at a time.
        size: bytes of payload of a message.
        depth: messages in flight on each connection; in broadcast mode, messages whose copies are
            still on their way.
        duration: seconds to measure.
        warmup: seconds before that, which are not counted.
        rate: messages per second in all (connections per second in connect mode); None for as fast
            as the answers come.
        is_text: text messages rather than binary ones.
        any_reply: any message counts as the answer.
        batch: send the whole depth at once, when all of the last are answered.
        spin: never sleep, so that the server does not pay for waking us.
        timeout: seconds that a handshake or an answer may take.
        pids: processes of the server, if it runs on this machine, whose CPU time is measured.
    """

    opening: ClientOpening | StreamOpening
    mode: Mode = Mode.ECHO
    connections: int = 100
    size: int = 32
    depth: int = 1
    duration: float = 10.0
    warmup: float = 0.0
    rate: float | None = None
    is_text: bool = False
    any_reply: bool = False
    batch: bool = False
    spin: bool = False
    timeout: float = 10.0
    pids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.rate is not None and self.mode is Mode.IDLE:
            raise UsageError("--mode idle sends nothing; leave --rate out")
        if self.rate is not None and self.batch:
            raise UsageError("--rate and --batch both say when to send; give one of them")
        if self.protocol == "tcp":
            self._check_bytes()
        if self.protocol == "udp":
            self._check_datagrams()

    def _check_bytes(self) -> None:
        if self.size == 0 and self.mode in (Mode.ECHO, Mode.BROADCAST):
            raise UsageError("--size 0 sends nothing over tcp://; give 1 or more")
        if self.any_reply and self.depth > 1:
            raise UsageError(
                "--any-reply takes what one read brings as an answer, and over tcp:// that may be"
                " several answers; leave --depth out"
            )

    def _check_datagrams(self) -> None:
        if self.mode is not Mode.ECHO:
            raise UsageError(
                f"--mode {self.mode.value} needs connections, and udp:// has none; use --mode echo"
            )
        if self.size > MOST_OF_DATAGRAM:
            raise UsageError(
                f"--size {self.size} does not fit into a datagram; {MOST_OF_DATAGRAM} are the most"
            )

    @property
    def protocol(self) -> str:
        """`ws`, `text`, `frame`, `tcp` or `udp`."""
        opening = self.opening
        return opening.target.protocol if isinstance(opening, StreamOpening) else "ws"


def new_payload(size: int) -> bytes:
    """Random letters and digits: the same bytes as text and as binary."""
    return "".join(random.choices(string.ascii_letters + string.digits, k=size)).encode("ascii")
