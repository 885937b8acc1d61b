"""Which of the certificates on this machine a command is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineman.cli.commands.cert.authority import chosen
from lineman.errors import ConfigError
from lineman.tls.acme.acme_options import AcmeSettings, from_worker
from lineman.tls.acme.acme_store import AcmeStore


def store(directory: Path, *names: str) -> AcmeSettings:
    """The settings of a certificate that was asked for once."""
    settings = from_worker("", names, None, directory)
    AcmeStore(settings).prepare()
    AcmeStore(settings).save_settings(("http-01",))
    return settings


def domains(found: list[AcmeSettings]) -> list[tuple[str, ...]]:
    return [settings.domains for settings in found]


def test_a_certificate_is_named_by_any_of_its_domains_and_comes_once(tmp_path: Path) -> None:
    store(tmp_path, "a.example.com", "b.example.com")
    store(tmp_path, "chat.example.org")
    assert len(chosen(tmp_path, [])) == 2
    found = chosen(tmp_path, ["b.example.com", "a.example.com"])
    assert domains(found) == [("a.example.com", "b.example.com")]


def test_a_name_that_is_not_among_them_is_refused(tmp_path: Path) -> None:
    store(tmp_path, "chat.example.org")
    with pytest.raises(ConfigError) as caught:
        chosen(tmp_path, ["chat.example.org", "other.example.org"])
    assert caught.value.seen == f"there is no certificate for other.example.org in {tmp_path}"
    assert caught.value.fix == f"lineman cert list --directory {tmp_path}"


def test_where_there_are_none_it_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        chosen(tmp_path, [])
    assert caught.value.seen == f"there are no certificates in {tmp_path}"
    assert caught.value.fix.startswith("lineman cert obtain NAME")
