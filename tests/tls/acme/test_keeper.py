"""Which process leads, and how the leader handles the job's reports; the job itself is not run."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lineman.errors import ConfigError
from lineman.testing.certificates import TestCA
from lineman.tls.acme import keeper
from lineman.tls.acme.acme_job import JobReport, Wish
from lineman.tls.acme.acme_options import AcmeOptions, AcmeSettings, settings
from lineman.tls.acme.acme_store import AcmeState, AcmeStore
from lineman.tls.acme.keeper import CertificateKeeper

NAME = "chat.example.com"
DEADLINE = 20.0


@pytest.fixture
def wanted(tmp_path: Path) -> AcmeSettings:
    options = AcmeOptions("", directory_path=tmp_path / "state", start_timeout=600)
    return settings(options, [NAME])


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[JobReport]:
    """The reports of the next jobs; the jobs' wishes replace them."""
    reports: list[JobReport] = []

    async def attempt(wish: Wish, on_say: Callable[[str], None]) -> JobReport:
        while not reports:
            await asyncio.sleep(0.005)
        return reports.pop(0)

    monkeypatch.setattr(keeper, "attempt", attempt)
    return reports


class Leads:
    """Whether a keeper leads."""

    def __init__(self) -> None:
        self.is_now = asyncio.Event()

    @contextlib.asynccontextmanager
    async def __call__(self) -> AsyncIterator[None]:
        self.is_now.set()
        try:
            yield
        finally:
            self.is_now.clear()


def keeping(wanted: AcmeSettings, leads: Leads) -> CertificateKeeper:
    quick = {"look_every": 0.005, "first_look_every": 0.005}
    return CertificateKeeper(wanted, lambda: ("http-01",), leads, **quick)


def put(wanted: AcmeSettings, ca: TestCA, next_at: datetime) -> None:
    store = AcmeStore(wanted)
    store.prepare()
    pair = ca.issue([NAME])
    store.save_certificate(pair.cert.read_text(), pair.key.read_bytes())
    store.save_state(AcmeState(next_at=next_at, not_after=next_at + timedelta(days=30)))


def hand_over(
    wanted: AcmeSettings, meanwhile: Callable[[CertificateKeeper, Leads], Awaitable[None]]
) -> None:
    """One keeper leads and ends; another, which `meanwhile` starts before that, leads then."""

    async def run() -> None:
        leads = [Leads(), Leads()]
        first, second = (keeping(wanted, each) for each in leads)
        first.start()
        await asyncio.wait_for(leads[0].is_now.wait(), DEADLINE)
        await meanwhile(second, leads[1])
        await first.stop()
        assert not leads[0].is_now.is_set()
        await asyncio.wait_for(leads[1].is_now.wait(), DEADLINE)
        await second.stop()

    asyncio.run(run())


def test_one_leads_and_the_next_one_when_it_is_gone(
    wanted: AcmeSettings, jobs: list[JobReport], ca: TestCA
) -> None:
    put(wanted, ca, datetime.now(UTC) + timedelta(days=1))

    async def wait_in_vain(second: CertificateKeeper, leads: Leads) -> None:
        second.start()
        await asyncio.sleep(0.05)
        assert not leads.is_now.is_set()

    hand_over(wanted, wait_in_vain)


def run_until_logged(
    wanted: AcmeSettings, words: str, caplog: pytest.LogCaptureFixture, count: int = 1
) -> None:
    async def run() -> None:
        found = keeping(wanted, Leads())
        found.start()
        async with asyncio.timeout(DEADLINE):
            while caplog.text.count(words) < count:
                await asyncio.sleep(0.005)
        await found.stop()

    with caplog.at_level(logging.INFO, "lineman"):
        asyncio.run(run())


def test_the_job_is_run_when_its_time_has_come(
    wanted: AcmeSettings, jobs: list[JobReport], ca: TestCA, caplog: pytest.LogCaptureFixture
) -> None:
    put(wanted, ca, datetime.now(UTC) + timedelta(seconds=0.3))
    later = datetime.now(UTC) + timedelta(days=1)
    jobs.append(JobReport("obtained", later.isoformat()))
    run_until_logged(wanted, f"new certificate for {NAME} from letsencrypt", caplog)


def test_a_failure_is_told_and_tried_again_in_its_time(
    wanted: AcmeSettings, jobs: list[JobReport], ca: TestCA, caplog: pytest.LogCaptureFixture
) -> None:
    put(wanted, ca, datetime.now(UTC) - timedelta(days=1))
    soon = (datetime.now(UTC) + timedelta(seconds=0.1)).isoformat()
    jobs += [JobReport("failed", soon, "a reason", "a remedy")] * 2
    run_until_logged(wanted, "a reason; fix: a remedy", caplog, count=2)
    assert "the old certificate is still served" in caplog.text


def test_a_certificate_that_was_taken_away_is_asked_for_again(
    wanted: AcmeSettings, jobs: list[JobReport], ca: TestCA, caplog: pytest.LogCaptureFixture
) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    put(wanted, ca, later)
    AcmeStore(wanted).certificate_path.unlink()
    jobs.append(JobReport("obtained", later.isoformat()))
    run_until_logged(wanted, "new certificate", caplog)


def test_a_directory_that_somebody_removes_is_made_again(
    wanted: AcmeSettings, jobs: list[JobReport], ca: TestCA
) -> None:
    put(wanted, ca, datetime.now(UTC) + timedelta(days=1))

    async def remove_it(second: CertificateKeeper, leads: Leads) -> None:
        shutil.rmtree(wanted.root)
        second.start()

    hand_over(wanted, remove_it)


def test_a_start_that_no_later_attempt_mends_fails_at_once(
    wanted: AcmeSettings, jobs: list[JobReport]
) -> None:
    jobs.append(JobReport("failed", "", "a package is missing", "pip install it"))

    async def run() -> None:
        found = keeping(wanted, Leads())
        found.start()
        try:
            await asyncio.wait_for(found.first_certificate(), DEADLINE)
        finally:
            await found.stop()

    with pytest.raises(ConfigError, match="a package is missing; fix: pip install it"):
        asyncio.run(run())


def test_a_start_waits_no_longer_than_it_may(wanted: AcmeSettings, jobs: list[JobReport]) -> None:
    async def run() -> None:
        found = keeping(settings(AcmeOptions(
            "", directory_path=wanted.root, start_timeout=0.05), [NAME]), Leads())  # fmt: skip
        found.start()
        try:
            await found.first_certificate()
        finally:
            await found.stop()

    with pytest.raises(ConfigError, match=r"within 0 s; fix: see the lines before"):
        asyncio.run(run())


def test_a_process_that_serves_has_none_of_the_jobs_packages() -> None:
    heavy = "{'acme', 'josepy', 'requests', 'cryptography'}"
    serving = "lineman.runtime.worker_certificates"
    program = f"import sys, {serving}; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
