"""One attempt to get a certificate, and its possible failures: Pebble and the job are real."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509

from e2e.support.interceptor import Answer, Interceptor
from e2e.support.jobs import run, serial, wish
from e2e.support.pebble import DOMAIN, Pebble, pebble
from kit.program import free_ports
from lineman.tls.acme.acme_store import AcmeStore
from lineman.tls.acme.challenge_answers import ChallengeAnswers
from lineman.tls.acme.renewalinfo import certificate_id


def test_an_address_is_certified(authority: Pebble, root: Path, door: Any) -> None:
    settings = authority.settings(root, ("127.0.0.1",))
    assert run(wish(settings)).result == "obtained"
    leaf = x509.load_pem_x509_certificate(AcmeStore(settings).certificate_path.read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    AcmeStore(settings).check()


def test_an_account_that_was_deactivated_is_told_as_that(
    authority: Pebble, root: Path, door: Any
) -> None:
    from lineman.tls.acme.acme_client import AcmeClient

    settings = authority.settings(root)
    assert run(wish(settings)).result == "obtained"
    store = AcmeStore(settings)
    client = AcmeClient(settings, store.account_key())
    url = store.account_url(client.thumbprint)
    assert url is not None
    client.use(url)
    client.post(url, {"status": "deactivated"})
    failed = run(wish(settings, is_forced=True))
    assert failed.result == "failed"
    assert "the account at the authority is closed: " in failed.seen
    assert "account.key" in failed.fix
    assert "points to this machine" not in failed.fix


# An authority that refuses requests or has changed its settings.


def test_nonces_that_are_refused_and_names_that_are_proved_already(
    tmp_path: Path, root: Path, door: Any
) -> None:
    moods = {"PEBBLE_WFE_NONCEREJECT": "60", "PEBBLE_AUTHZREUSE": "100"}
    (unused,) = free_ports(1)
    with pebble(tmp_path, http_port=door.port, tls_port=unused, **moods) as authority:
        settings = authority.settings(root)
        assert run(wish(settings)).result == "obtained"
        first = serial(AcmeStore(settings))
        door.knocked.clear()
        assert run(wish(settings, is_forced=True)).result == "obtained"
        assert not door.knocked.is_set()
        assert serial(AcmeStore(settings)) != first
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
    """Pebble stores nothing, so another Pebble plays the same one after a restart."""
    settings = authority.settings(root)
    assert run(wish(settings)).result == "obtained"
    (tmp_path / "new").mkdir()
    with pebble(tmp_path / "new", http_port=door.port, tls_port=free_ports(1)[0]) as other:
        # The same files, with the address moved: what its account is called, it does not know.
        moved = replace(settings, ca_url=other.url, ca_file=other.ca_file)
        AcmeStore(moved).prepare()
        for name in ("account.key", "account.json"):
            text = (AcmeStore(settings).authority / name).read_text()
            text = text.replace(authority.url[:-4], other.url[:-4])
            (AcmeStore(moved).authority / name).write_text(text)
            (AcmeStore(moved).authority / name).chmod(0o600)
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
    assert not ChallengeAnswers(root).is_open()


def test_an_address_that_is_no_authority(authority: Pebble, root: Path) -> None:
    settings = replace(authority.settings(root), ca_url=f"{authority.management}/roots/0")
    report = run(wish(settings))
    assert report.result == "failed"
    assert "something that is not ACME" in report.seen
    assert "acme_ca" in report.fix


def test_an_authority_whose_own_certificate_nobody_trusts(authority: Pebble, root: Path) -> None:
    report = run(wish(replace(authority.settings(root), ca_file=None)))
    assert report.result == "failed"
    assert "is not trusted" in report.seen
    assert "ca_file" in report.fix


# Debian's Pebble has no rate limits and no renewal information. The tests make these answers.


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
    store = AcmeStore(settings)
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
