"""One attempt to get a certificate, in a process of its own, which `keeper` starts.

The packages that it needs take memory (52 MiB in all) and block; no serving process ever imports
them. It reads a `Wish` as JSON from its standard input and writes lines of JSON to its standard
output: `{"say": …}` for the log, and in the end one `JobReport`.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from lineman.errors import ConfigError
from lineman.tls.acme import renewal_schedule
from lineman.tls.acme.acme_options import AcmeSettings
from lineman.tls.acme.acme_store import AcmeState, AcmeStore
from lineman.tls.acme.problems import Problem
from lineman.tls.files import private_files

if TYPE_CHECKING:
    from cryptography import x509

    from lineman.tls.acme.acme_client import AcmeClient

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """The task of one attempt.

    Attributes:
        settings: for which certificate.
        kinds: challenges that can be answered here, best first.
        is_forced: whether to renew a certificate that is not due yet.
        is_patient: whether to wait for the back-off after failures.
    """

    settings: AcmeSettings
    kinds: tuple[str, ...]
    is_forced: bool = False
    is_patient: bool = True

    def encode(self) -> bytes:
        """As the job reads it."""
        plain = {**self._flags(), "settings": self.settings.as_json(), "kinds": self.kinds}
        return json.dumps(plain).encode()

    def _flags(self) -> dict[str, bool]:
        return {"is_forced": self.is_forced, "is_patient": self.is_patient}

    @classmethod
    def decode(cls, data: bytes) -> Wish:
        """What `encode` has made."""
        plain = json.loads(data)
        return cls(
            AcmeSettings.from_json(plain["settings"]),
            tuple(plain["kinds"]),
            plain["is_forced"],
            plain["is_patient"],
        )


@dataclass(frozen=True, slots=True)
class JobReport:
    """The result of an attempt.

    Attributes:
        result: `kept` for a certificate that is not due, `obtained` for a new one, or `failed`.
        next_at: when the next attempt is due, ISO 8601; empty where that is not known.
        seen, fix: why it failed.
    """

    result: Literal["kept", "obtained", "failed"]
    next_at: str
    seen: str = ""
    fix: str = ""


class Attempt:
    """Checks whether a certificate is due, and if so obtains it.

    Args:
        wish: the task.
        say: takes a line for the log.
        connect: makes the client, given the account's key.
    """

    def __init__(
        self, wish: Wish, say: Say, connect: Callable[[AcmeSettings, bytes], AcmeClient]
    ) -> None:
        self._wish = wish
        self._settings = wish.settings
        self._say = say
        self._connect = connect
        self._store = AcmeStore(wish.settings)
        self._client: AcmeClient | None = None

    def run(self) -> JobReport:
        """Makes one attempt under a lock: another process waits, and then finds the certificate.

        Raises:
            ConfigError: the state directory cannot be used.
        """
        self._store.prepare()
        with private_files.locked(self._store.job_lock):
            state = self._store.state()
            leaf = self._store.certificate()
            state = self._looked_at(state, leaf)
            now = datetime.now(UTC)
            if self._is_kept(state, leaf, now):
                calm = replace(state, failures=0, failed_at=None, seen="", fix="")
                return self._end(self._planned(calm, leaf), "kept")
            if self._is_too_early(state, now):
                return self._end(state, "failed")
            return self._try(state, leaf)

    def _is_kept(self, state: AcmeState, leaf: x509.Certificate | None, now: datetime) -> bool:
        """Whether the certificate is not due yet."""
        is_forced = self._wish.is_forced
        return leaf is not None and not is_forced and now < self._renew_at(state, leaf)

    def _is_too_early(self, state: AcmeState, now: datetime) -> bool:
        """Whether it is too early for another attempt after one that failed."""
        if state.retry_at is not None and now < state.retry_at:
            return True  # the authority would refuse it and count it
        in_back_off = state.failures > 0 and state.next_at is not None and now < state.next_at
        return in_back_off and self._wish.is_patient

    def _renew_at(self, state: AcmeState, leaf: x509.Certificate) -> datetime:
        life = leaf.not_valid_before_utc, leaf.not_valid_after_utc
        return renewal_schedule.renew_at(*life, state.luck, state.window)

    def _looked_at(self, state: AcmeState, leaf: x509.Certificate | None) -> AcmeState:
        """The state with the authority's suggestion, if it is time to ask for that."""
        from lineman.tls.acme.acme_client import AcmeFailure
        from lineman.tls.acme.renewalinfo import certificate_id

        now = datetime.now(UTC)
        if leaf is None:
            return replace(state, window=None, ask_at=None)
        name = certificate_id(leaf)
        is_due = state.ask_at is None or now >= state.ask_at
        if name is not None and is_due and now < leaf.not_valid_after_utc:
            try:
                window, wait = self._connected().renewal_info(name)
            except AcmeFailure:  # then its life decides (RFC 9773, section 4.3.3)
                window, wait = state.window, None
            state = replace(state, window=window, ask_at=renewal_schedule.ask_again_at(now, wait))
        return state

    def _planned(self, state: AcmeState, leaf: x509.Certificate | None) -> AcmeState:
        """The state with the time at which the next attempt is due."""
        assert leaf is not None
        moments = [self._renew_at(state, leaf)]
        if state.ask_at is not None:
            moments.append(state.ask_at)
        return replace(state, next_at=min(moments), not_after=leaf.not_valid_after_utc)

    def _connected(self) -> AcmeClient:
        if self._client is None:
            with private_files.locked(self._store.account_lock):
                key = self._store.account_key()
            self._client = self._connect(self._settings, key)
        return self._client

    def _try(self, state: AcmeState, leaf: x509.Certificate | None) -> JobReport:
        from lineman.tls.acme.acme_client import AcmeFailure

        try:
            self._obtain(state, leaf)
        except AcmeFailure as failure:
            return self._fail(state, leaf, failure.problem)
        except OSError as error:
            what = f"cannot write {error.filename or self._store.directory}: {error.strerror}"
            return self._fail(state, leaf, Problem(what, "check the disk: df -h, df -i"))
        new = self._store.certificate()
        if new is None:
            return self._fail(
                state,
                leaf,
                Problem("the authority's certificate differs from the request", "see it in order"),
            )
        fresh = replace(AcmeState(), luck=random.random())
        return self._end(self._planned(self._looked_at(fresh, new), new), "obtained")

    def _obtain(self, state: AcmeState, leaf: x509.Certificate | None) -> None:
        from lineman.tls.acme.acme_client import AcmeFailure
        from lineman.tls.acme.ordering import Ordering
        from lineman.tls.acme.renewalinfo import certificate_id

        names, settings = ", ".join(self._settings.domains), self._settings
        if not self._wish.kinds:
            raise AcmeFailure(
                Problem(
                    "no challenge can be answered here: the worker does not listen on 443, and "
                    "http-01 has no port and no webroot",
                    "listen on 443, or give the worker port 80, or give the web server's webroot",
                )
            )
        self._store.save_settings(self._wish.kinds)
        self._say(f"asking {settings.ca} for a certificate for {names}")
        client = self._connected()
        self._log_in(client)
        ordering = Ordering(settings, self._store, client, self._say)
        kinds = renewal_schedule.kinds_to_try(self._wish.kinds, state.failures)
        replaces = certificate_id(leaf) if leaf is not None else None
        try:
            chain = ordering.obtain(kinds, replaces)
        except AcmeFailure as failure:
            if failure.code != "accountDoesNotExist":
                raise
            self._register(client)  # the authority has forgotten it
            chain = ordering.obtain(kinds, replaces)
        self._store.save_certificate(chain, self._store.order_key())
        self._store.forget_order(with_key=True)

    def _log_in(self, client: AcmeClient) -> None:
        with private_files.locked(self._store.account_lock):
            url = self._store.account_url(client.thumbprint)
            if url is not None:
                client.use(url)
                return
            self._register(client)

    def _register(self, client: AcmeClient) -> None:
        url = client.register()
        self._store.save_account_url(url, client.thumbprint)
        if client.terms:
            self._say(f"with acme= you agree to the terms of {self._settings.ca}: {client.terms}")

    def _fail(self, state: AcmeState, leaf: x509.Certificate | None, problem: Problem) -> JobReport:
        now = datetime.now(UTC)
        failures = state.failures + 1
        next_at = renewal_schedule.try_again_at(
            now,
            failures,
            random.random(),
            not_before=leaf.not_valid_before_utc if leaf is not None else None,
            not_after=leaf.not_valid_after_utc if leaf is not None else None,
            retry_at=problem.retry_at,
        )
        state = replace(
            state,
            next_at=next_at,
            failures=failures,
            failed_at=now,
            seen=problem.seen,
            fix=problem.fix,
            retry_at=problem.retry_at,
        )
        return self._end(state, "failed")

    def _end(self, state: AcmeState, result: Literal["kept", "obtained", "failed"]) -> JobReport:
        try:
            self._store.save_state(state)
        except OSError as error:  # the report still says it to the process that waits for it
            self._say(f"cannot write {self._store.directory}: {error.strerror}; fix: df -h, df -i")
        next_at = "" if state.next_at is None else state.next_at.isoformat()
        return JobReport(result, next_at, state.seen, state.fix)


def main() -> int:
    """Carries out the task on standard input."""

    def write(line: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    wish = Wish.decode(sys.stdin.buffer.read())
    os.umask(0o077)
    try:
        from lineman.tls.acme.acme_client import AcmeClient, AcmeFailure
    except ImportError as error:
        fix = "pip install 'lineman[acme]'"
        write(
            asdict(JobReport("failed", "", f"acme needs a package that is missing: {error}", fix))
        )
        return 1
    attempt = Attempt(wish, lambda text: write({"say": text}), AcmeClient)
    try:
        report = attempt.run()
    except ConfigError as error:
        report = JobReport("failed", "", error.seen, error.fix)
    except AcmeFailure as failure:
        report = JobReport("failed", "", failure.problem.seen, failure.problem.fix)
    write(asdict(report))
    return 0 if report.result != "failed" else 1
