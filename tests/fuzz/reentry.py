"""Callbacks do random things at any time; the messages that clients read must be right."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from fuzz.rawclient import BINARY, CLOSE, PING, TEXT, frame
from fuzz.scene import OCCASIONS, Act, Scene
from lineman.testing.certificates import TestCA

KINDS = (
    "send", "send", "send", "send_many", "send_many", "broadcast", "broadcast", "close",
    "close_with", "destroy", "destroy_all", "close_all", "pause", "resume", "flush", "drain",
    "collect", "raise",
)  # fmt: skip
SIZES = st.sampled_from([0, 100, 117, 119, 1000, 4000, 8185, 16375, 16377, 40_000, 65_527, 70_000])
ACTS = st.builds(
    Act,
    st.sampled_from(KINDS),
    st.integers(-1, 3),
    SIZES,
    st.integers(0, 5),
)
PLANS = st.lists(ACTS, min_size=1, max_size=4)


class Ground:
    """The common parts of all scenes: an event loop, a directory, a certificate."""

    def __init__(self, directory: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.directory = directory
        authority = TestCA(directory)
        issued = authority.issue(["localhost"])
        self.pair = issued.cert, issued.key
        self.tls = ssl.create_default_context(cafile=authority.ca_path)


def machine(ground: Ground, is_tls: bool) -> type[RuleBasedStateMachine]:
    """The state machine of a service, with TLS or without."""

    class Machine(RuleBasedStateMachine):
        scene: Scene

        @initialize(
            slow_readers=st.sampled_from(["close", "close", "drop_oldest", "latest"]),
            limit=st.sampled_from([1, 8192, 50_000, 200_000]),
            send_buffer=st.sampled_from([1, 1, 20_000, 200_000]),
            compression=st.sampled_from([False, False, True]),
            clients=st.integers(1, 3),
        )
        def begin(
            self, slow_readers: str, limit: int, send_buffer: int, compression: bool, clients: int
        ) -> None:
            options: dict[str, Any] = {"slow_readers": slow_readers, "compression": compression}
            options |= {"max_send_buffer_size": limit, "ping_interval": 0}
            tls = (ground.pair, ground.tls) if is_tls else (None, None)
            self.scene = Scene(ground.loop, ground.directory, *tls, send_buffer, **options)
            for number in range(clients):
                self.scene.connect(compression and number % 2 == 0)

        @rule(occasion=st.sampled_from(OCCASIONS), acts=PLANS)
        def plan(self, occasion: str, acts: list[Act]) -> None:
            self.scene.plan(occasion, acts)

        @rule(acts=PLANS)
        def act(self, acts: list[Act]) -> None:
            self.scene.plan("task", acts)
            self.scene.loop.call_soon(self.scene.perform_outside)
            self.scene.turn(2)

        @rule(client=st.integers(0, 3), sizes=st.lists(SIZES, min_size=1, max_size=4))
        def talk(self, client: int, sizes: list[int]) -> None:
            said = b"".join(
                frame((TEXT, BINARY)[size % 2], b"x" * min(size, 20_000)) for size in sizes
            )
            self._client(client).send(said)
            self.scene.turn(2)

        @rule(client=st.integers(0, 3), size=st.sampled_from([1, 100, 5000, 300_000]))
        def read(self, client: int, size: int) -> None:
            self._client(client).work(size)
            self.scene.turn(2)

        @rule(client=st.integers(0, 3))
        def ping(self, client: int) -> None:
            self._client(client).send(frame(PING, b"p") * 3)
            self.scene.turn(2)

        @rule(client=st.integers(0, 3), how=st.sampled_from(["close", "end", "kill", "garbage"]))
        def leave(self, client: int, how: str) -> None:
            one = self._client(client)
            if how == "close":
                one.send(frame(CLOSE, b"\x0f\xa0"))
            elif how == "garbage":
                one.send(b"\xff" * 20)
            else:
                self.scene.cut(one)
                one.end_writing() if how == "end" else one.close()
            self.scene.turn(2)

        @precondition(lambda self: len(self.scene.clients) < 4)
        @rule(offers_deflate=st.booleans())
        def come(self, offers_deflate: bool) -> None:
            self.scene.connect(offers_deflate)

        def _client(self, number: int) -> Any:
            return self.scene.clients[number % len(self.scene.clients)]

        @invariant()
        def compare(self) -> None:
            if hasattr(self, "scene"):
                self.scene.judge()

        def teardown(self) -> None:
            if hasattr(self, "scene"):
                self.scene.finish()

    return Machine


def prove(ground: Ground, is_tls: bool, profile: settings, number: int | None = None) -> None:
    """Runs `number` examples.

    Args:
        number: what the examples are made from; None for what the profile says.

    Raises:
        AssertionError: a client did not read what its connection took.
    """
    kind = machine(ground, is_tls)
    run_machine(kind if number is None else seed(number)(kind), settings=profile)
