"""`make fuzz`: random inputs for some seconds.

    python tests/fuzz/run.py --codec 30 --service 30 --callbacks 30

For the codec the plain sources give the right result. A service must continue to run, and keep
nothing of clients that have left. It ends with status 1 at the first finding. `make fuzz` runs it
on extension modules with AddressSanitizer and UndefinedBehaviorSanitizer, which end the process at
a memory error or at undefined behaviour of C.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from itertools import cycle, product
from pathlib import Path
from random import Random, SystemRandom

sys.path.insert(0, str(Path(__file__).parents[1]))

from hypothesis import HealthCheck, seed, settings

from fuzz import live, live_datagrams, properties, reentry, streams
from lineman.runtime import build
from lineman.testing.certificates import TestCA

EXAMPLES = 100  # of one property, then the clock is looked at


def codec(random: Random, deadline: float) -> int:
    """Compares the twins until the deadline; returns how many inputs it tried at most."""
    proved = (*properties.ALL, *streams.ALL)
    for prove in proved:
        settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )(prove)
    tried = 0
    for prove in cycle(proved):
        if time.monotonic() >= deadline:
            return tried
        seed(random.getrandbits(64))(prove)()
        for _ in range(EXAMPLES):
            properties.random_messages(random)
            streams.random_streams(random)
        tried += 3 * EXAMPLES
    raise AssertionError("a cycle does not end")


def service(random: Random, deadline: float, directory: Path) -> Counter[str]:
    """Attacks services until the deadline, every protocol in turn; returns a summary."""
    authority = TestCA(directory)
    done: Counter[str] = Counter()
    rounds = [
        *(partial(live.round_, random, *one) for one in product(live.PROTOCOLS, [None, authority])),
        partial(live_datagrams.round_, random),
    ]
    random.shuffle(rounds)  # a short run does not get through
    for attack in cycle(rounds):
        if time.monotonic() >= deadline:
            return done
        done += attack(count=100, deadline=deadline)
    raise AssertionError("a cycle does not end")


def callbacks(random: Random, deadline: float, directory: Path) -> int:
    """Runs scenes of callbacks until the deadline; returns how many."""
    ground = reentry.Ground(directory)
    profile = settings(
        max_examples=10,
        stateful_step_count=40,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    done = 0
    while time.monotonic() < deadline:
        reentry.prove(ground, bool(done % 20), profile, random.getrandbits(64))
        done += 10
    return done


def main() -> None:
    """Reads the command line and runs the fuzzers that it names."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("--codec", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--service", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--callbacks", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=SystemRandom().getrandbits(32), metavar="N")
    options = parser.parse_args()
    is_checked = "libasan" in os.environ.get("LD_PRELOAD", "")
    print(
        f"fuzz: {build.describe()}, {'with' if is_checked else 'without'} AddressSanitizer,"
        f" --seed {options.seed}",
        flush=True,
    )
    logging.getLogger("lineman").addHandler(logging.NullHandler())
    logging.getLogger("lineman").propagate = False
    random = Random(options.seed)
    if options.codec:
        tried = codec(random, time.monotonic() + options.codec)
        print(f"fuzz: {tried} inputs to both codecs, and no difference", flush=True)
    if options.service:
        with tempfile.TemporaryDirectory() as directory:
            done = service(random, time.monotonic() + options.service, Path(directory))
        print(
            f"fuzz: {done['attacks']} attacks on services of {', '.join(live.PROTOCOLS)} and udp,"
            f" {done['opened']} of them opened a connection, and nothing is left of them",
            flush=True,
        )
    if options.callbacks:
        with tempfile.TemporaryDirectory() as directory:
            scenes = callbacks(random, time.monotonic() + options.callbacks, Path(directory))
        print(f"fuzz: {scenes} scenes of callbacks, and each client read what it was sent")


if __name__ == "__main__":
    main()
