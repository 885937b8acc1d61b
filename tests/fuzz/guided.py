"""The codecs against their twins, with inputs that follow the branches of the plain ones (atheris).

    python tests/fuzz/guided.py --seconds 20 [--seed N]

`run.py` makes whole messages and cuts them; this program finds values that a comparison needs.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import SystemRandom
from types import FunctionType, ModuleType

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz import properties, streams

try:
    import atheris
except ImportError:  # it has wheels for some Pythons and processors only
    atheris = None

# Where it must be there: what pyproject.toml asks for.
HAS_ATHERIS = sys.version_info < (3, 14) and platform.machine() == "x86_64"

# Longer ones are made by `run.py`; here they would only be slower.
LONGEST = 400
AGREED = (True, True, 15, 15)


def one(data: bytes) -> None:
    """Feeds both twins of one codec the same bytes, cut once."""
    choose = atheris.FuzzedDataProvider(data)
    if choose.ConsumeBool():
        protocol = choose.PickValueInList(sorted(streams.STREAMS))
        limit = choose.PickValueInList([5, 100, 2**31])
        turns = choose.ConsumeIntInRange(0, 2)
        cut = choose.ConsumeIntInRange(0, LONGEST)
        wire = choose.ConsumeBytes(choose.remaining_bytes())
        streams.feeding(protocol, limit, [wire[:cut], wire[cut:]], turns)
        return
    is_masked = choose.ConsumeBool()
    agreed = AGREED if choose.ConsumeBool() else None
    limit = choose.PickValueInList([100, 2**20, 2**63 - 1])
    cut = choose.ConsumeIntInRange(0, LONGEST)
    wire = choose.ConsumeBytes(choose.remaining_bytes())
    properties.decoding([wire[:cut], wire[cut:]], is_masked, limit, agreed)


def functions(module: ModuleType) -> Iterator[FunctionType]:
    """The functions and methods that a module defines."""
    for value in vars(module).values():
        inside = vars(value).values() if isinstance(value, type) else [value]
        for each in inside:
            if isinstance(each, FunctionType) and each.__module__ == module.__name__:
                yield each


def main() -> None:
    """Reads the command line and fuzzes; a finding ends the process with a traceback."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1, 2**31))
    options = parser.parse_args()
    print(f"fuzz: guided, --seed {options.seed}", flush=True)
    if atheris is None:
        if HAS_ATHERIS:
            raise SystemExit("fuzz: atheris is not installed; fix: tools/setup dev")
        print("left out: there is no atheris for this Python and machine", flush=True)
        return
    plain = properties.PLAIN
    names = sorted({stream.module for stream in streams.STREAMS.values()})
    codecs = [getattr(plain, name) for name in (*names, "ready")]
    for module in (plain.messages, plain.deflate, plain.byte_stream, *codecs):
        for each in functions(module):
            atheris.instrument_func(each)
    deadline = time.monotonic() + options.seconds
    tried = 0

    def until_the_deadline(data: bytes) -> None:
        nonlocal tried
        if time.monotonic() >= deadline:
            print(f"{tried} inputs, nothing found", flush=True)
            os._exit(0)  # libFuzzer itself has no orderly end
        tried += 1
        one(data)

    words = [f"-seed={options.seed}", f"-max_len={LONGEST}", "-verbosity=0"]
    words.append(f"-artifact_prefix={os.environ.get('TMPDIR', '/tmp')}/fuzz-")
    atheris.Setup([sys.argv[0], *words], until_the_deadline)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
