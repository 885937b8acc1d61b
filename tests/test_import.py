"""What `from lineman import Worker` loads: it is paid at the start of every process."""

from __future__ import annotations

import subprocess
import sys

# Loaded only by programs that use them; with them the start takes twice as long.
LATE = {
    "acme",
    "cryptography",
    "difflib",
    "lineman.certify",
    "lineman.process.master",
    "lineman.process.model",
    "lineman.tls.acme.options",
    "lineman.tls.acme.keeper",
    "lineman.tls.certificates",
    "lineman.tls.devca",
    "lineman.tls.live",
    "lineman.tls.phpcontext",
    "msgspec",
}


def loaded(code: str) -> set[str]:
    """The modules that a fresh interpreter has after this code."""
    code += "; import sys; print(*sys.modules)"
    command = [sys.executable, "-P", "-c", code]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_a_worker_loads_nothing_that_few_programs_need() -> None:
    modules = loaded("import lineman; lineman.Worker")
    assert "lineman.net.service" in modules
    assert modules & LATE == set()


def test_a_process_that_serves_reads_no_descriptions() -> None:
    assert "msgspec" not in loaded("import lineman.child")


def test_the_package_alone_loads_next_to_nothing() -> None:
    modules = loaded("import lineman")
    assert {each for each in modules if each.startswith("lineman")} == {
        "lineman",
        "lineman.build",
        "lineman.stdio",  # secures the standard descriptors before anything is opened
    }
    assert "asyncio" not in modules
