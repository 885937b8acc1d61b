"""The fuzzers themselves, for a moment: `make fuzz` is the real thing."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, settings

from fuzz import live, live_datagrams, properties, streams
from lineman.runtime import build
from lineman.testing.certificates import TestCA

PROVED = (*properties.ALL, *streams.ALL)
for prove in PROVED:
    settings(
        max_examples=20,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )(prove)


def test_the_twins_are_two() -> None:
    assert properties.BUILT.is_compiled == build.is_compiled()
    assert not properties.PLAIN.is_compiled
    assert properties.PLAIN.errors.ProtocolError is not properties.BUILT.errors.ProtocolError
    for stream in streams.STREAMS.values():
        built, plain = (getattr(one, stream.module) for one in (properties.BUILT, properties.PLAIN))
        assert str(built.__file__).endswith(".py") != build.is_compiled()
        assert str(plain.__file__).endswith(".py")


@pytest.mark.parametrize("prove", PROVED, ids=lambda prove: prove.__name__)
def test_both_codecs_say_the_same(prove: Callable[[], None]) -> None:
    prove()


def test_both_decoders_say_the_same_of_random_messages() -> None:
    random = Random(20261125)
    for _ in range(300):
        properties.random_messages(random)
        streams.random_streams(random)


def test_the_guided_one_runs() -> None:
    script = Path(__file__).with_name("guided.py")
    command = [sys.executable, str(script), "--seconds", "0.5", "--seed", "20261125"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing found" in done.stdout or "left out" in done.stdout


@pytest.mark.parametrize(("has_wheels", "status"), [(True, 1), (False, 0)])
def test_the_guided_one_is_left_out_only_where_it_cannot_be_had(
    has_wheels: bool, status: int
) -> None:
    script = (
        "import sys\nsys.modules['atheris'] = None\nfrom fuzz import guided\n"
        f"guided.HAS_ATHERIS = {has_wheels}\nguided.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False,
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert done.returncode == status
    assert "tools/setup dev" in done.stderr if has_wheels else "left out" in done.stdout


def test_a_difference_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Deaf:
        is_mid_message = False

        def __init__(self, *_: object) -> None:
            pass

        def feed(self, data: memoryview) -> list[object]:
            return []

    monkeypatch.setattr(properties.PLAIN.messages, "Decoder", Deaf)
    with pytest.raises(AssertionError, match="built: "):
        properties.decoding([b"\x82\x80abcd"], True, 100, None)


@pytest.mark.parametrize("protocol", sorted(streams.STREAMS))
def test_a_wrong_codec_is_found_by_what_the_stream_means(
    protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf:
        has_more = False

        def __init__(self, *_: object) -> None:
            pass

        def next(self, data: memoryview) -> None:
            return None

        def unfinished(self) -> None:
            return None

        def held(self) -> int:
            return 0

        def ask_now(self) -> bool:
            return False

    wire = streams.STREAMS[protocol].framed(b"hello")
    streams.feeding(protocol, 100, [wire], 0)
    module = streams.STREAMS[protocol].module
    session = "CodecSession" if module == "own" else f"{module.title()}Session"
    for twin in (properties.PLAIN, properties.BUILT):
        monkeypatch.setattr(getattr(twin, module), session, Deaf)
        with pytest.raises(AssertionError):
            streams.feeding(protocol, 100, [wire], 0)


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("protocol", live.PROTOCOLS)
def test_a_service_survives_a_round(
    protocol: str, is_tls: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    authority = TestCA(tmp_path_factory.mktemp("authority")) if is_tls else None
    done = live.round_(Random(20261125), protocol, authority, 40, time.monotonic() + 20)
    assert done["attacks"] == 40
    assert done["opened"] > 0


def test_a_service_of_datagrams_survives_a_round() -> None:
    done = live_datagrams.round_(Random(20261130), 40, time.monotonic() + 20)
    assert done["attacks"] == 40
    assert done["opened"] > 0
