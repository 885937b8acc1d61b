"""Keeps a certificate valid while the service runs: starts the job when an attempt is due.

Every process of a service has a keeper, and the one that holds the lock leads. When that
process ends, the kernel frees the lock and another one leads.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lineman.errors import ConfigError
from lineman.tls.acme.acme_job import JobReport, Wish
from lineman.tls.acme.acme_options import AcmeSettings
from lineman.tls.acme.acme_store import AcmeStore
from lineman.tls.files import private_files

logger = logging.getLogger("lineman")

_LONGEST_JOB = 900.0  # seconds; the job has its own deadlines for each step
_AFTER_DEFECT = timedelta(minutes=10)


async def attempt(wish: Wish, on_say: Callable[[str], None]) -> JobReport:
    """Makes one attempt in a process of its own; a cancellation ends that process.

    Args:
        wish: what to do.
        on_say: takes what the job says while it works.
    """
    # -P: a `queue.py` in the current directory must not replace the one of the standard library.
    home = str(Path(__file__).parents[3])
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-c",
        "import sys; from lineman.tls.acme.acme_job import main; sys.exit(main())",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,  # Ctrl-C is this process' matter
    )
    report: JobReport | None = None
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_LONGEST_JOB):
            with contextlib.suppress(ConnectionError):
                process.stdin.write(wish.encode())
                await process.stdin.drain()
            process.stdin.close()
            async for line in process.stdout:
                said = json.loads(line)
                if "say" in said:
                    on_say(said["say"])
                else:
                    report = JobReport(**said)
            status = await process.wait()
    except BaseException as error:
        # Not process.kill(): it would reap a child that has just ended, which asyncio must do.
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        await process.stdout.read()  # to its end, so that no child of it is left
        await process.wait()
        if isinstance(error, TimeoutError):
            return _broken(f"the job did not end within {_LONGEST_JOB:.0f} s")
        raise
    return report if report is not None else _broken(f"the job ended with status {status}")


def _tell(task: asyncio.Task[None]) -> None:
    """Logs a defect: nobody awaits the keeper while it works."""
    if not task.cancelled() and task.exception() is not None:
        logger.error("defect in lineman: the keeper has ended", exc_info=task.exception())


def _broken(seen: str) -> JobReport:
    return JobReport("failed", "", seen, "see the lines before; the worker tries again")


class CertificateKeeper:
    """Keeps one certificate.

    Args:
        settings: which one.
        kinds: challenges that can be answered here, best first.
        on_lead: entered when this process begins to lead, left when it ends; opens the port for
            http-01. It must not raise.
        look_every: seconds between checks of the lock and of the time.
        first_look_every: seconds between checks for the first certificate.
    """

    def __init__(
        self,
        settings: AcmeSettings,
        kinds: Callable[[], tuple[str, ...]],
        on_lead: Callable[[], contextlib.AbstractAsyncContextManager[None]],
        *,
        look_every: float = 1.0,
        first_look_every: float = 0.1,
    ) -> None:
        self._look_every = look_every
        self._first_look_every = first_look_every
        self._settings = settings
        self._kinds = kinds
        self._on_lead = on_lead
        self._store = AcmeStore(settings)
        self._task: asyncio.Task[None] | None = None
        self._stuck: JobReport | None = None  # a failure that no later attempt mends by itself

    @property
    def certificate_path(self) -> Path:
        """The file with chain and key, once there is one."""
        return self._store.certificate_path

    def start(self) -> None:
        """Begins, inside the running event loop.

        Raises:
            ConfigError: the state directory cannot be used.
        """
        self._store.prepare()
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(_tell)

    async def stop(self) -> None:
        """Ends, together with a running job; the next job continues its order."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    @property
    def has_certificate(self) -> bool:
        """Whether there is a pair that loads and has not expired."""
        return self._store.is_usable(datetime.now(UTC))

    async def first_certificate(self) -> None:
        """Waits until there is a certificate.

        Raises:
            ConfigError: there is none within `start_timeout`, and why.
        """
        names, ca = ", ".join(self._settings.domains), self._settings.ca
        timeout = self._settings.start_timeout
        logger.info(
            "waiting for the first certificate for %s from %s, at most %.0f s; until then only the "
            "authority is answered", names, ca, timeout,
        )  # fmt: skip
        deadline = time.monotonic() + timeout
        end = datetime.now(UTC) + timedelta(seconds=timeout)
        while not self.has_certificate:
            state = self._store.state()
            is_hopeless = state.failures and state.next_at is not None and state.next_at > end
            if is_hopeless or time.monotonic() >= deadline or self._stuck is not None:
                raise self._no_certificate(f"there is no certificate for {names} from {ca}")
            if self._task is not None and self._task.done():
                await self._task  # it has failed
            await asyncio.sleep(self._first_look_every)

    def _no_certificate(self, what: str) -> ConfigError:
        state = self._store.state()
        if self._stuck is not None:
            return ConfigError(f"{what}: {self._stuck.seen}", self._stuck.fix)
        if not state.failures or state.failed_at is None or state.next_at is None:
            return ConfigError(
                f"{what} within {self._settings.start_timeout:.0f} s",
                "see the lines before; AcmeOptions(..., start_timeout=…) waits longer",
            )
        return ConfigError(
            f"{what}: {state.seen}",
            f"{state.fix}. The next attempt is not before {state.next_at:%Y-%m-%d %H:%M:%S} UTC "
            f"({state.failures} failures in a row); after the fix, try at once with: lineman cert "
            "obtain "
            f"--ca {self._settings.ca_url} --directory {self._settings.root} "
            f"{' '.join(self._settings.domains)}",
        )

    async def _run(self) -> None:
        while (lock := self._lock()) is None:
            await asyncio.sleep(self._look_every)
        try:
            async with self._on_lead():
                await self._lead()
        finally:
            os.close(lock)

    def _lock(self) -> int | None:
        """A descriptor with the lock; None while another process has it, or without a directory."""
        try:
            return private_files.try_lock(self._store.keeper_lock)
        except OSError:
            with contextlib.suppress(ConfigError):
                self._store.prepare()
            return None

    async def _lead(self) -> None:
        next_at = self._due()
        while True:
            # In small steps: the clock may be set, the machine may sleep, an operator may run the
            # job.
            while datetime.now(UTC) < next_at:
                await asyncio.sleep(self._look_every)
                if self._is_lost():
                    break
            try:
                report = await attempt(Wish(self._settings, self._kinds()), logger.info)
            except Exception:
                logger.exception("defect in lineman: the certificate's job cannot be run")
                report = _broken("the job cannot be run")
            self._log(report)
            self._stuck = report if report.result == "failed" and not report.next_at else None
            next_at = self._after(report)

    def _due(self) -> datetime:
        """When the first attempt of this process should be."""
        state = self._store.state()
        if state.next_at is None or not self.has_certificate:
            return datetime.now(UTC)
        return state.next_at

    def _is_lost(self) -> bool:
        """Whether the certificate's file was removed."""
        return not self.certificate_path.exists() and not self._store.state().failures

    def _after(self, report: JobReport) -> datetime:
        if report.next_at:
            return max(datetime.fromisoformat(report.next_at), datetime.now(UTC))
        return datetime.now(UTC) + _AFTER_DEFECT

    def _log(self, report: JobReport) -> None:
        names = ", ".join(self._settings.domains)
        until = f"; next: {report.next_at[:16].replace('T', ' ')} UTC" if report.next_at else ""
        if report.result == "obtained":
            logger.info("new certificate for %s from %s%s", names, self._settings.ca, until)
        elif report.result == "failed":
            left = "the old certificate is still served" if self.has_certificate else ""
            logger.error(
                "no new certificate for %s: %s; fix: %s%s%s",
                names, report.seen, report.fix, until, f"; {left}" if left else "",
            )  # fmt: skip
