"""One attempt at a certificate, and what may go wrong with it: Pebble is real, as is the job."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from e2e.support.interceptor import Answer, Interceptor, interceptor
from e2e.support.knocks import Knocks
from e2e.support.pebble import DOMAIN, Pebble, pebble
from kit.program import find_program, free_ports
from kit.waiting import DEADLINE
from lineman.cli.main import main
from lineman.errors import ConfigError
from lineman.tls.acme.acme_job import Report, Wish
from lineman.tls.acme.acme_options import Settings
from lineman.tls.acme.acme_store import Store
from lineman.tls.acme.challenge_answers import Answers
from lineman.tls.acme.keeper import attempt
from lineman.tls.acme.renewalinfo import certificate_id

JOB = "import sys; from lineman.tls.acme.acme_job import main; sys.exit(main())"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def door(root: Path) -> Iterator[type[Knocks]]:
    """What stands where Pebble validates http-01; open unless a test shuts it."""

    class Door(Knocks):
        gate = threading.Event()
        knocked = threading.Event()

    Door.root = root
    Door.gate.set()
    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        Door.port = server.server_port  # type: ignore[attr-defined]
        yield Door
        Door.gate.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def authority(tmp_path: Path, door: Any) -> Iterator[Pebble]:
    with pebble(tmp_path, http_port=door.port, tls_port=free_ports(1)[0]) as found:
        yield found


@pytest.fixture
def between(authority: Pebble) -> Iterator[Interceptor]:
    with interceptor(authority, authority.api_pair) as found:
        yield found


def wish(settings: Settings, **more: Any) -> Wish:
    return Wish(settings, ("http-01",), **more)


def run(wanted: Wish) -> Report:
    return asyncio.run(attempt(wanted, lambda text: None))


def serial(store: Store) -> int:
    return x509.load_pem_x509_certificate(store.certificate_path.read_bytes()).serial_number


def test_an_address_is_certified(authority: Pebble, root: Path, door: Any) -> None:
    settings = authority.settings(root, ("127.0.0.1",))
    assert run(wish(settings)).result == "obtained"
    leaf = x509.load_pem_x509_certificate(Store(settings).certificate_path.read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    Store(settings).check()


def test_an_account_that_was_deactivated_is_told_as_that(
    authority: Pebble, root: Path, door: Any
) -> None:
    from lineman.tls.acme.acme_client import Client

    settings = authority.settings(root)
    assert run(wish(settings)).result == "obtained"
    store = Store(settings)
    client = Client(settings, store.account_key())
    url = store.account_url(client.thumbprint)
    assert url is not None
    client.use(url)
    client.post(url, {"status": "deactivated"})
    failed = run(wish(settings, is_forced=True))
    assert failed.result == "failed"
    assert "the account at the authority is shut: " in failed.seen
    assert "account.key" in failed.fix
    assert "points to this machine" not in failed.fix


# An authority with moods.


def test_nonces_that_are_refused_and_names_that_are_proved_already(
    tmp_path: Path, root: Path, door: Any
) -> None:
    moods = {"PEBBLE_WFE_NONCEREJECT": "60", "PEBBLE_AUTHZREUSE": "100"}
    (unused,) = free_ports(1)
    with pebble(tmp_path, http_port=door.port, tls_port=unused, **moods) as authority:
        settings = authority.settings(root)
        assert run(wish(settings)).result == "obtained"
        first = serial(Store(settings))
        door.knocked.clear()
        assert run(wish(settings, is_forced=True)).result == "obtained"
        assert not door.knocked.is_set()
        assert serial(Store(settings)) != first
        assert re.search(r"nonce", authority.program.output, re.IGNORECASE)


def test_an_authority_that_takes_its_time(tmp_path: Path, root: Path, door: Any) -> None:
    slow = {"PEBBLE_VA_NOSLEEP": "0", "PEBBLE_VA_SLEEPTIME": "1"}
    (unused,) = free_ports(1)
    with pebble(tmp_path, http_port=door.port, tls_port=unused, **slow) as authority:
        assert run(wish(authority.settings(root))).result == "obtained"


def test_an_authority_that_wants_an_external_account(tmp_path: Path, root: Path, door: Any) -> None:
    key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
    (unused,) = free_ports(1)
    with pebble(tmp_path, http_port=door.port, tls_port=unused, eab={"kid-1": key}) as authority:
        refused = run(wish(authority.settings(root)))
        assert refused.result == "failed"
        assert "eab_key_id" in refused.fix
        settings = authority.settings(root, eab_key_id="kid-1", eab_hmac_key=key)
        assert run(wish(settings, is_patient=False)).result == "obtained"
    kept = [path.read_text() for path in root.rglob("*") if path.is_file()]
    assert not any(key in text for text in kept)


def test_an_authority_that_has_forgotten_the_account(
    tmp_path: Path, authority: Pebble, root: Path, door: Any
) -> None:
    """Pebble keeps nothing: another one stands for it after a restart."""
    settings = authority.settings(root)
    assert run(wish(settings)).result == "obtained"
    (tmp_path / "new").mkdir()
    with pebble(tmp_path / "new", http_port=door.port, tls_port=free_ports(1)[0]) as other:
        # The same files, with the address moved: what its account is called, it does not know.
        moved = replace(settings, ca_url=other.url, ca_file=other.ca_file)
        Store(moved).prepare()
        for name in ("account.key", "account.json"):
            text = (Store(settings).authority / name).read_text()
            text = text.replace(authority.url[:-4], other.url[:-4])
            (Store(moved).authority / name).write_text(text)
            (Store(moved).authority / name).chmod(0o600)
        report = run(wish(moved))
        assert report.result == "obtained", report


def test_a_wrong_proof_is_told_with_what_the_authority_saw(
    authority: Pebble, root: Path, door: Any
) -> None:
    door.root = root / "elsewhere"
    report = run(wish(authority.settings(root)))
    assert report.result == "failed"
    assert report.seen.startswith(f"{DOMAIN}: ")
    assert "wrong" in report.seen
    assert "points to this machine" in report.fix
    assert not Answers(root).is_open()


def test_an_address_that_is_no_authority(authority: Pebble, root: Path) -> None:
    settings = replace(authority.settings(root), ca_url=f"{authority.management}/roots/0")
    report = run(wish(settings))
    assert report.result == "failed"
    assert "what is not ACME" in report.seen
    assert "acme_ca" in report.fix


def test_an_authority_whose_own_certificate_nobody_trusts(authority: Pebble, root: Path) -> None:
    report = run(wish(replace(authority.settings(root), ca_file=None)))
    assert report.result == "failed"
    assert "is not trusted" in report.seen
    assert "ca_file" in report.fix


# Several at once, killed, full.


def test_two_that_want_the_same_make_one_order(authority: Pebble, root: Path) -> None:
    async def both() -> list[Report]:
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
    assert door.knocked.wait(DEADLINE)  # the authority is at the door
    job.kill()
    job.wait()
    assert Answers(root).is_open()  # what it has left is no harm
    door.gate.set()
    said: list[str] = []
    report = asyncio.run(attempt(wish(settings), said.append))
    assert report.result == "obtained"
    assert "going on with the order of a job that was interrupted" in said
    assert authority.orders == 1
    assert not Store(settings).directory.joinpath("order.json").exists()


def limited(wanted: Wish, size: int) -> Report:
    """A job whose files may not grow past `size` bytes: to the kernel a disk that is full."""
    done = subprocess.run(
        [sys.executable, "-c", JOB],
        input=wanted.encode(),
        stdout=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
        timeout=DEADLINE,
        check=False,
    )
    return Report(**json.loads(done.stdout.splitlines()[-1]))


def test_a_disk_that_is_full_loses_no_certificate(authority: Pebble, root: Path) -> None:
    settings = authority.settings(root)
    assert run(wish(settings)).result == "obtained"
    store = Store(settings)
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
    path = Store(settings).certificate_path
    path.chmod(0o644)
    report = run(wish(settings))
    assert report.result == "failed"
    assert f"others may read the private key in {path} (mode 0644)" in report.seen
    with pytest.raises(ConfigError, match="chmod 600"):
        Store(settings).prepare()


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_damaged_files_are_made_anew(authority: Pebble, root: Path, damage: bytes | None) -> None:
    settings = authority.settings(root)
    assert run(wish(settings)).result == "obtained"
    store = Store(settings)
    for path in (store.authority / "account.key", store.directory / "state.json",
                 store.certificate_path):  # fmt: skip
        path.write_bytes(path.read_bytes()[:100] if damage is None else damage)
    assert run(wish(settings)).result == "obtained"


# What Debian's Pebble cannot say: rate limits and renewal information. These answers are ours.


def test_a_rate_limit_is_told_in_words_and_kept_to(
    authority: Pebble, between: Interceptor, root: Path
) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=30)
    detail = (
        "too many certificates (5) already issued for this exact set of identifiers in the last "
        f"168h0m0s, retry after {until:%Y-%m-%d %H:%M:%S} UTC"
    )
    problem = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": detail, "status": 429}
    between.instead["/order-plz"] = Answer(429, problem, {"Replay-Nonce": "bm9uY2U"})
    settings = authority.settings(root, ca=between.url)
    report = run(wish(settings))
    assert report.result == "failed"
    assert "the same certificate was issued too often" in report.seen
    assert f"no more before {until:%Y-%m-%d %H:%M} UTC" in report.seen
    assert datetime.fromisoformat(report.next_at) == until
    asked = len(between.requests)
    for more in ({}, {"is_patient": False}, {"is_forced": True}):
        assert run(wish(settings, **more)).result == "failed"  # nobody may hurry it
    assert len(between.requests) == asked


def test_retry_after_in_a_header_is_kept_to(
    authority: Pebble, between: Interceptor, root: Path
) -> None:
    problem = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "slow down"}
    headers = {"Replay-Nonce": "bm9uY2U", "Retry-After": "7200"}
    between.instead["/sign-me-up"] = Answer(429, problem, headers)
    now = datetime.now(UTC)
    report = run(wish(authority.settings(root, ca=between.url)))
    wait = datetime.fromisoformat(report.next_at) - now
    assert timedelta(hours=2) <= wait < timedelta(hours=2, minutes=1)


def test_the_authority_may_call_for_a_renewal(
    authority: Pebble, between: Interceptor, root: Path
) -> None:
    between.directory["renewalInfo"] = "{base}/renewal-info"
    far = datetime.now(UTC) + timedelta(days=100)
    answer = {"suggestedWindow": {"start": far.isoformat(),
                                  "end": (far + timedelta(days=1)).isoformat()}}  # fmt: skip
    between.instead["/renewal-info"] = Answer(200, answer, {"Retry-After": "60"})
    settings = authority.settings(root, ca=between.url)
    store = Store(settings)
    assert run(wish(settings)).result == "obtained"
    leaf = x509.load_pem_x509_certificate(store.certificate_path.read_bytes())
    name = certificate_id(leaf)
    assert f"GET /renewal-info/{name}" in between.requests
    assert run(wish(settings)).result == "kept"
    state = store.state()
    assert state.window is not None
    assert state.ask_at is not None

    # Revoked: now. It is asked again only when its time has come.
    past = datetime.now(UTC) - timedelta(days=3)
    between.instead["/renewal-info"] = Answer(
        200,
        {"suggestedWindow": {"start": past.isoformat(),
                             "end": (past + timedelta(days=1)).isoformat()}},
    )  # fmt: skip
    assert run(wish(settings)).result == "kept"
    store.save_state(replace(store.state(), ask_at=past))
    assert run(wish(settings)).result == "obtained"
    assert serial(store) != leaf.serial_number


def test_an_authority_that_does_not_take_the_old_certificate_for_the_predecessor(
    authority: Pebble, between: Interceptor, root: Path
) -> None:
    between.directory["renewalInfo"] = "{base}/renewal-info"
    between.instead["/renewal-info"] = Answer(404, {"type": "about:blank"})
    settings = authority.settings(root, ca=between.url)
    assert run(wish(settings)).result == "obtained"
    problem = {"type": "urn:ietf:params:acme:error:alreadyReplaced", "detail": "replaced"}
    headers = {"Replay-Nonce": "bm9uY2U"}
    between.instead["/order-plz"] = Answer(409, problem, headers, is_once=True)
    assert run(wish(settings, is_forced=True)).result == "obtained"
    assert between.requests.count("POST /order-plz") == 3


def test_a_suggestion_that_cannot_be_had_is_no_hindrance(
    authority: Pebble, between: Interceptor, root: Path
) -> None:
    between.directory["renewalInfo"] = "{base}/renewal-info"
    between.instead["/renewal-info"] = Answer(503, {"type": "about:blank"})
    assert run(wish(authority.settings(root, ca=between.url))).result == "obtained"


# On the command line.


def test_a_certificate_by_hand(
    authority: Pebble, root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    where = ["--directory", str(root)]
    obtain = ["cert", "obtain", DOMAIN, *where, "--ca", authority.url, "--email",
              "you@example.com", "--ca-file", str(authority.ca_file),
              "--http-port", str(free_ports(1)[0])]  # fmt: skip
    assert main(["cert", "list", *where]) == 1
    assert "there are no certificates" in capfd.readouterr().err
    assert main(obtain) == 0
    assert "is here: " in capfd.readouterr().out
    assert main(obtain) == 0
    assert "is not due yet" in capfd.readouterr().out
    assert main(["cert", "list", *where]) == 0
    assert re.search(rf"{DOMAIN}  \S+  valid until \d{{4}}-", capfd.readouterr().out)
    assert main(["cert", "show", DOMAIN, *where]) == 0
    shown = capfd.readouterr().out
    path = root.glob(f"*/{DOMAIN}/certificate.pem").__next__()
    assert f"file:           {path}" in shown
    assert "renewed from:" in shown
    assert "next look:" in shown
    assert f"{x509.load_pem_x509_certificate(path.read_bytes()).serial_number:x}" in shown
    assert main(["cert", "renew", *where]) == 0
    assert authority.orders == 1
    assert main(["cert", "renew", "--force", *where]) == 0
    assert authority.orders == 2
    find_program("openssl", "openssl")
    said = subprocess.run(
        ["openssl", "pkey", "-in", path, "-noout", "-text"], capture_output=True, check=True
    )
    assert b"prime256v1" in said.stdout

    authority.program.stop()
    before = path.read_bytes()
    assert main(["cert", "renew", "--force", *where]) == 1
    assert "cannot be reached" in capfd.readouterr().err
    assert path.read_bytes() == before
    assert main(["cert", "list", *where]) == 1
    assert "FAILED once" in capfd.readouterr().out


def test_a_name_that_is_not_there(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["cert", "show", "other.example.net", "--directory", str(root)]) == 1
    assert "lineman cert obtain" in capfd.readouterr().err


def test_root_does_not_write_into_another_users_directory(
    root: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(root, 65534, 65534)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert main(["cert", "obtain", "a.example.com", "--directory", str(root)]) == 1
    assert "sudo -u" in capfd.readouterr().err
    assert list(root.iterdir()) == []
