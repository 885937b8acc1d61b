"""Where the development authority lies, and the addresses that it may vouch for."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineman.tls.development.issuing import is_permitted
from lineman.tls.development.machine import dev_directory, ipv4_addresses, private_addresses


def test_the_directory_is_the_users_and_all_programs_share_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert dev_directory() == tmp_path / "lineman" / "dev"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert dev_directory() == tmp_path / ".local" / "share" / "lineman" / "dev"


def test_the_private_addresses_are_those_that_the_authority_may_vouch_for() -> None:
    found = ipv4_addresses()
    assert "127.0.0.1" in found
    assert len(found) == len(set(found))
    assert private_addresses() == [each for each in found if is_permitted(each)]
