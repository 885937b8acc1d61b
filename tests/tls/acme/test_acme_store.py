from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lineman.errors import ConfigError
from lineman.testing.certificates import TestCA
from lineman.tls.acme.acme_options import AcmeSettings, from_worker
from lineman.tls.acme.acme_store import AcmeState, AcmeStore, kept
from lineman.tls.acme.renewal_schedule import Window

NAME = "chat.example.com"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
FULL = AcmeState(
    next_at=NOW,
    luck=0.25,
    window=Window(NOW, NOW + timedelta(days=1)),
    ask_at=NOW,
    failures=3,
    failed_at=NOW,
    seen="a reason",
    fix="a remedy",
    retry_at=NOW,
    not_after=NOW + timedelta(days=60),
)


@pytest.fixture
def settings(tmp_path: Path) -> AcmeSettings:
    return from_worker("you@example.com", [NAME], None, tmp_path / "state")


@pytest.fixture
def store(settings: AcmeSettings) -> AcmeStore:
    found = AcmeStore(settings)
    found.prepare()
    return found


def put(store: AcmeStore, ca: TestCA, *names: str) -> None:
    """A certificate for these names, as the job would have written it."""
    pair = ca.issue(list(names))
    store.save_certificate(pair.cert.read_text(), pair.key.read_bytes())


@pytest.mark.parametrize("state", [AcmeState(), FULL])
def test_a_state_is_what_it_was(store: AcmeStore, state: AcmeState) -> None:
    store.save_state(state)
    assert store.state() == state


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"next_at": 5}', b"\xff\xfe", b'{"next_at": "2026"}',
     FULL.as_json().replace("0.25", '"much"').encode(),
     FULL.as_json().replace('"failures": 3', '"failures": {}').encode()],
)  # fmt: skip
def test_a_damaged_state_is_as_good_as_none(store: AcmeStore, content: bytes) -> None:
    (store.directory / "state.json").write_bytes(content)
    assert store.state() == AcmeState()


def test_a_pair_is_usable_until_it_ends(store: AcmeStore, ca: TestCA) -> None:
    assert not store.is_usable(NOW)
    put(store, ca, NAME)
    assert store.is_usable(NOW)
    store.save_state(FULL)
    assert store.is_usable(NOW + timedelta(days=59))
    assert not store.is_usable(NOW + timedelta(days=60))
    store.certificate_path.write_bytes(store.certificate_path.read_bytes()[:900])
    assert not store.is_usable(NOW)


def test_a_certificate_for_other_names_is_none(store: AcmeStore, ca: TestCA) -> None:
    put(store, ca, NAME, "www.example.com")
    assert store.certificate() is None
    put(store, ca, NAME)
    assert store.certificate() is not None


def test_keys_are_made_once_and_private(store: AcmeStore) -> None:
    assert store.account_key() == store.account_key()
    assert store.order_key() != store.account_key()
    for path in store.root.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_an_account_belongs_to_its_key(store: AcmeStore) -> None:
    store.save_account_url("https://ca.example/1", "thumbprint")
    assert store.account_url("thumbprint") == "https://ca.example/1"
    assert store.account_url("other") is None


def test_an_order_in_progress_is_forgotten_with_or_without_its_key(store: AcmeStore) -> None:
    key = store.order_key()
    store.save_order_url("https://ca.example/order/1")
    assert store.order_url() == "https://ca.example/order/1"
    store.forget_order(with_key=False)
    assert store.order_url() is None
    assert store.order_key() == key
    store.forget_order(with_key=True)
    assert store.order_key() != key


def test_all_that_is_kept_is_found_without_secrets(
    store: AcmeStore, settings: AcmeSettings
) -> None:
    store.save_settings(("http-01",))
    (found,) = kept(settings.root)
    assert found.domains == (NAME,)
    assert found.kinds == ("http-01",)
    assert found.eab_hmac_key is None
    (store.directory / "settings.json").write_text("garbage")
    assert kept(settings.root) == []
    assert kept(settings.root / "nowhere") == []


def test_a_place_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = AcmeStore(from_worker("", [NAME], None, tmp_path / "file" / "state"))
    with pytest.raises(ConfigError, match=r"cannot keep certificates in .*acme_directory_path"):
        store.prepare()


def test_another_users_place_is_told(
    open_directory: Path, unprivileged: Callable[[], contextlib.AbstractContextManager[None]]
) -> None:
    settings = from_worker("", [NAME], None, open_directory / "state")
    AcmeStore(settings).prepare()
    if os.geteuid() == 0:  # else it is this user's own
        with unprivileged():
            for use in (AcmeStore(settings).prepare, AcmeStore(settings).check):
                with pytest.raises(ConfigError, match=r"belongs to the user 0|cannot keep"):
                    use()
            assert not AcmeStore(settings).is_usable(NOW)
    blocked = open_directory / "blocked"
    blocked.mkdir(mode=0o500)
    with unprivileged():
        store = AcmeStore(from_worker("", [NAME], None, blocked / "inner" / "state"))
        with pytest.raises(ConfigError, match="cannot keep certificates in"):
            store.prepare()
