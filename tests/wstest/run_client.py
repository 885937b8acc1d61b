"""All cases of Autobahn's fuzzing server on an echo by `connect`.

    python tests/wstest/run_client.py                  all 517 cases, some minutes
    python tests/wstest/run_client.py --cases '1.*'    some of them: does it work?

`tools/setup autobahn` installs the suite into build/autobahn, for Python 2.7. It prints how many
cases had which result, and ends with status 1 if one has failed or has not run, or is right only
in another order than the suite would choose.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from kit.program import free_ports
from lineman import ConnectError, connect
from wstest.run import suite
from wstest.verdict import judged

AGENT = "lineman"
OPTIONS = {"compression": True, "max_message_size": 32 * 1024 * 1024}


async def echo_all(url: str) -> None:
    """Takes part in each case of a fuzzing server, and has it write its reports."""
    async with connect(f"{url}/getCaseCount") as line:
        count = int(await anext(aiter(line)))
    for case in range(1, count + 1):
        async with connect(f"{url}/runCase?case={case}&agent={AGENT}", **OPTIONS) as line:
            async for message in line:
                line.send(message)
        if sys.stderr.isatty():
            print(f"\rcase {case} of {count}", end="", file=sys.stderr, flush=True)
    async with connect(f"{url}/updateReports?agent={AGENT}") as line:
        async for _ in line:
            pass


async def until_it_listens(url: str) -> None:
    """Returns when a server accepts connections."""
    deadline = time.monotonic() + 60
    while True:
        try:
            async with connect(f"{url}/getCaseCount"):
                return
        except ConnectError:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.1)


async def run(url: str) -> None:
    """Waits for the server, and does the cases."""
    await until_it_listens(url)
    await echo_all(url)


def main() -> int:
    """Runs the suite; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", default="*", help="such as 9.*")
    options = parser.parse_args()
    (port,) = free_ports(1)
    url = f"ws://127.0.0.1:{port}"
    task = {"url": url, "outdir": "found", "cases": [options.cases], "exclude-cases": []}
    with tempfile.TemporaryDirectory(prefix="lineman-autobahn-") as name:
        place = Path(name)
        (place / "task.json").write_text(json.dumps(task | {"exclude-agent-cases": {}}))
        command = suite("fuzzingserver")
        server = subprocess.Popen(command, cwd=place, stdout=subprocess.DEVNULL)
        try:
            asyncio.run(run(url))
        finally:
            server.terminate()
            server.wait()
        cases = json.loads((place / "found" / "index.json").read_text())[AGENT]
    counts, wrong = judged(cases, is_strict=True)
    print(f"{len(cases)} cases:", ", ".join(f"{count} {name}" for name, count in counts.items()))
    if options.cases != "*":
        wrong = wrong[:-1]  # that not all have run
    print("\n".join(wrong) or "no failure")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
