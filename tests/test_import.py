"""What `from lineman import Worker` loads: it is paid at the start of every process."""

from __future__ import annotations

import subprocess
import sys

import pytest

import lineman

# Loaded only by programs that use them; with them the start takes twice as long.
LATE = {
    "acme",
    "cryptography",
    "difflib",
    "lineman.runtime.worker_certificates",
    "lineman.process.master.master",
    "lineman.process.master.model",
    "lineman.tls.acme.acme_options",
    "lineman.tls.acme.keeper",
    "lineman.tls.files.certificate_check",
    "lineman.tls.development.devca",
    "lineman.tls.serving.live_certificates",
    "lineman.tls.serving.phpcontext",
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
    assert "msgspec" not in loaded("import lineman.runtime.child")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("GatewayWorker", "lineman has no GatewayWorker; write Gateway"),
        ("BusinessWorker", "write Gateway(…, workers=4)"),
        ("Channel", "write Gateway"),
        ("GlobalData", "client.session"),
        ("Crontab", "write @worker.cron"),
        ("TcpConnection", "write Connection"),
    ],
)
def test_a_class_of_workermans_that_is_imported_names_ours(name: str, says: str) -> None:
    with pytest.raises(ImportError) as caught:
        exec(f"from lineman import {name}")
    assert says in str(caught.value)


def test_any_other_name_is_an_attribute_that_is_not_there() -> None:
    assert not hasattr(lineman, "Nothing")


def test_the_package_alone_loads_next_to_nothing() -> None:
    modules = loaded("import lineman")
    assert {each for each in modules if each.startswith("lineman")} == {
        "lineman",
        "lineman.base",
        "lineman.base.version",
        "lineman.base.stdio",  # secures the standard descriptors before anything is opened
    }
    assert "asyncio" not in modules
