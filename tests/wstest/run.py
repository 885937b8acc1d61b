"""All cases of Autobahn's test suite on an echo of Starlette under `lineman serve`.

    python tests/wstest/run.py                  all 517 cases, about ten minutes
    python tests/wstest/run.py --keep-clients   the same, with processes that keep the clients
    python tests/wstest/run.py --cases '1.*'    some of them: does it work?

`tools/setup autobahn` installs the suite into build/autobahn, for Python 2.7. It prints how many
cases had which result, and ends with status 1 if one has failed or has not run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from kit.program import Program, free_ports
from wstest.verdict import judged

HERE = Path(__file__).parent
SUITE = HERE.parents[1] / "build" / "autobahn"


def main() -> int:
    """Runs the suite; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", default="*", help="such as 9.*")
    parser.add_argument("--keep-clients", action="store_true")
    options = parser.parse_args()
    (port,) = free_ports(1)
    words = [sys.executable, "-m", "lineman", "serve", "echo_app:app", "--port", str(port)]
    if options.keep_clients:
        words.append("--keep-clients")
    with tempfile.TemporaryDirectory(prefix="lineman-autobahn-") as place:
        pid_file = ["--pid-file", f"{place}/app.pid"]
        program = Program("serve", [*words, "--app-dir", str(HERE), *pid_file], cwd=Path(place))
        try:
            program.wait_for_line("ready: ")
            cases = ask(port, options.cases, Path(place))
        finally:
            program.stop()
    counts, wrong = judged(cases)
    print(f"{len(cases)} cases:", ", ".join(f"{count} {name}" for name, count in counts.items()))
    if options.cases != "*":
        wrong = wrong[:-1]  # that not all have run
    print("\n".join(wrong) or "no failure")
    return 1 if wrong else 0


def ask(port: int, cases: str, place: Path) -> dict[str, dict[str, str]]:
    """Runs the suite against a server; what it has written."""
    server = {"agent": "lineman", "url": f"ws://127.0.0.1:{port}"}
    task = {"outdir": str(place / "found"), "servers": [server], "cases": [cases]}
    task |= {"exclude-cases": [], "exclude-agent-cases": {}}
    (place / "task.json").write_text(json.dumps(task))
    subprocess.run(suite("fuzzingclient"), cwd=place, check=True, stdout=subprocess.DEVNULL)
    found: dict[str, dict[str, str]] = json.loads((place / "found" / "index.json").read_text())[
        "lineman"
    ]
    return found


def suite(mode: str) -> list[str]:
    """What runs the suite as `fuzzingclient` or `fuzzingserver`, with a file `task.json`."""
    python = (SUITE / "python").read_text().strip()
    start = f"import site; site.addsitedir({str(SUITE)!r})"  # a namespace's .pth counts there
    start += "; from autobahntestsuite.wstest import run; run()"
    return [python, "-c", start, "-m", mode, "-s", "task.json"]


if __name__ == "__main__":
    sys.exit(main())
