"""The state of an attempt: several at once, killed, with a full disk, with damaged files."""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from e2e.support.jobs import JOB, run, wish
from e2e.support.pebble import Pebble
from kit.waiting import DEADLINE
from lineman.errors import ConfigError
from lineman.tls.acme.acme_job import JobReport, Wish
from lineman.tls.acme.acme_store import AcmeStore
from lineman.tls.acme.challenge_answers import ChallengeAnswers
from lineman.tls.acme.keeper import attempt

# Several at once, killed, full.


def test_two_that_want_the_same_make_one_order(authority: Pebble, root: Path) -> None:
    async def both() -> list[JobReport]:
        wanted = wish(authority.settings(root))
        return await asyncio.gather(*(attempt(wanted, lambda text: None) for _ in range(2)))

    reports = asyncio.run(both())
    assert sorted(report.result for report in reports) == ["kept", "obtained"]
    assert authority.orders == 1


def test_a_job_that_is_killed_in_the_middle_loses_nothing(
    authority: Pebble, root: Path, door: Any
) -> None:
    door.gate.clear()
    settings = authority.settings(root)
    job = subprocess.Popen(
        [sys.executable, "-c", JOB], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    assert job.stdin is not None
    with job.stdin:
        job.stdin.write(wish(settings).encode())
    assert door.knocked.wait(DEADLINE)  # the authority validates
    job.kill()
    job.wait()
    assert ChallengeAnswers(root).is_open()  # what it has left is no harm
    door.gate.set()
    said: list[str] = []
    report = asyncio.run(attempt(wish(settings), said.append))
    assert report.result == "obtained"
    assert "continuing the order of a job that was interrupted" in said
    assert authority.orders == 1
    assert not AcmeStore(settings).directory.joinpath("order.json").exists()


def limited(wanted: Wish, size: int) -> JobReport:
    """A job whose files may not grow past `size` bytes, which acts like a full disk."""
    done = subprocess.run(
        [sys.executable, "-c", JOB],
        input=wanted.encode(),
        stdout=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
        timeout=DEADLINE,
        check=False,
    )
    return JobReport(**json.loads(done.stdout.splitlines()[-1]))


def test_a_disk_that_is_full_loses_no_certificate(authority: Pebble, root: Path) -> None:
    settings = authority.settings(root)
    assert run(wish(settings)).result == "obtained"
    store = AcmeStore(settings)
    before = store.certificate_path.read_bytes()
    report = limited(wish(settings, is_forced=True), 1500)  # all fits but the certificate
    assert report.result == "failed"
    assert "cannot write" in report.seen
    assert "df -h" in report.fix
    assert store.certificate_path.read_bytes() == before
    assert run(wish(settings, is_forced=True, is_patient=False)).result == "obtained"
    assert authority.orders == 2  # what was issued meanwhile is fetched, not ordered again
    assert store.certificate_path.read_bytes() != before


def test_nothing_is_ordered_that_could_not_be_kept(authority: Pebble, root: Path) -> None:
    settings = authority.settings(root)
    report = limited(wish(settings), 50)
    assert report.result == "failed"
    assert authority.orders == 0


# The state directory.


def test_a_directory_that_others_may_write_to_is_refused(authority: Pebble, root: Path) -> None:
    root.mkdir(mode=0o777)
    root.chmod(0o777)
    report = run(wish(authority.settings(root)))
    assert report.result == "failed"
    assert "others may write" in report.seen
    assert report.fix == f"chmod 700 {root}"
    assert "POST" not in authority.program.output


def test_a_key_that_others_may_read_is_refused(authority: Pebble, root: Path) -> None:
    settings = authority.settings(root)
    assert run(wish(settings)).result == "obtained"
    path = AcmeStore(settings).certificate_path
    path.chmod(0o644)
    report = run(wish(settings))
    assert report.result == "failed"
    assert f"others may read the private key in {path} (mode 0644)" in report.seen
    with pytest.raises(ConfigError, match="chmod 600"):
        AcmeStore(settings).prepare()


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_damaged_files_are_made_anew(authority: Pebble, root: Path, damage: bytes | None) -> None:
    settings = authority.settings(root)
    assert run(wish(settings)).result == "obtained"
    store = AcmeStore(settings)
    for path in (store.authority / "account.key", store.directory / "state.json",
                 store.certificate_path):  # fmt: skip
        path.write_bytes(path.read_bytes()[:100] if damage is None else damage)
    assert run(wish(settings)).result == "obtained"
