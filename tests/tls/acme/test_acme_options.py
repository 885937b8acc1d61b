from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from lineman.errors import ConfigError
from lineman.tls.acme.acme_options import (
    AcmeOptions,
    AcmeSettings,
    authority_name,
    certificate_name,
    default_directory,
    from_worker,
    settings,
)

OWN = "https://ca.corp.example/acme/directory"


def test_an_address_and_names_are_enough(tmp_path: Path) -> None:
    found = from_worker("you@example.com", ["Chat.Example.COM."], None, tmp_path)
    assert found.domains == ("chat.example.com",)
    assert found.ca == "letsencrypt"
    assert found.ca_url.startswith("https://acme-v02.api.letsencrypt.org/")
    assert found.root == tmp_path
    assert found.kinds is None


def test_settings_survive_their_way_to_the_job(tmp_path: Path) -> None:
    options = AcmeOptions(
        "you@example.com", ca=OWN, webroot="/var/www", challenges=["http-01"], ca_file="root.pem",
        directory_path=tmp_path, eab_key_id="kid", eab_hmac_key="c2VjcmV0",
    )  # fmt: skip
    found = settings(options, ["a.example.com", "b.example.com", "a.example.com"])
    assert found.domains == ("a.example.com", "b.example.com")
    assert AcmeSettings.from_json(found.as_json()) == found


def test_a_secret_is_not_shown(tmp_path: Path) -> None:
    options = AcmeOptions("", eab_key_id="kid", eab_hmac_key="c2VjcmV0", directory_path=tmp_path)
    assert "c2VjcmV0" not in repr(options) + repr(settings(options, ["a.example.com"]))


def test_a_name_in_any_script_is_written_as_dns_does(tmp_path: Path) -> None:
    found = from_worker("", ["聊天.中国"], None, tmp_path)
    assert found.domains == ("xn--rss932g.xn--fiqs8s",)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"email": "nobody"}, "no e-mail address"),
        ({"email": "a@b.example, c@d.example"}, "no e-mail address"),
        ({"email": None}, "no e-mail address"),
        ({"ca": "letsencript"}, "acme_ca is 'letsencript'"),
        ({"ca": "http://ca.example/dir"}, "https:// URL"),
        ({"ca": 5}, "acme_ca is 5"),
        ({"challenges": "http-01"}, "give a list"),
        ({"challenges": []}, "give a list"),
        ({"challenges": ["dns-01"]}, "no challenge 'dns-01'"),
        ({"http_port": 0}, "http_port of acme is 0"),
        ({"http_port": True}, "http_port of acme is True"),
        ({"http_port": "80"}, "http_port of acme is '80'"),
        ({"webroot": ""}, "webroot of acme is ''"),
        ({"ca_file": 7}, "ca_file of acme is 7"),
        ({"eab_key_id": "kid"}, "only one of eab_key_id"),
        ({"start_timeout": 0}, "start_timeout of acme is 0"),
        ({"start_timeout": "long"}, "start_timeout"),
    ],
)
def test_what_cannot_work_is_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        AcmeOptions(**{"email": "you@example.com", **given})


@pytest.mark.parametrize(
    ("domains", "why"),
    [
        ((), "names of the certificate"),
        ("chat.example.com", "give a list"),
        (None, "names of the certificate"),
        ([5], "domains holds 5"),
        ([""], "no host name"),
        (["https://chat.example.com/"], "without scheme"),
        (["chat.example.com:443"], "without scheme"),
        (["-chat.example.com"], "no host name"),
        (["chat..example.com"], "no host name"),
        (["../../etc"], "no host name"),
        (["a" * 64 + ".example.com"], "no host name"),
        (["*.example.com"], "dns-01"),
        (["192.0.2.1"], "an IP address"),
        (["[2001:db8::1]"], "an IP address"),
        (["localhost"], "no public authority"),
        (["printer.local"], "no public authority"),
        ([f"n{number}.example.com" for number in range(101)], "101 names"),
    ],
)
def test_names_that_cannot_be_certified_are_refused(domains: Any, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        from_worker("you@example.com", domains, None, None)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("8.8.8.8", "8.8.8.8"),
        ("[2001:4860:0::1]", "2001:4860::1"),
        (" 2001:4860::1 ", "2001:4860::1"),
    ],
)
def test_lets_encrypt_certifies_an_address_with_its_short_lived_profile(
    given: str, name: str
) -> None:
    short = AcmeOptions("you@example.com", profile="shortlived")
    assert from_worker(short, [given], None, None).domains == (name,)
    assert ":" not in certificate_name((name,))
    for profile in (None, "classic", "tlsserver"):
        with pytest.raises(ConfigError, match='profile="shortlived"'):
            from_worker(AcmeOptions("you@example.com", profile=profile), [given], None, None)


@pytest.mark.parametrize("given", ["127.0.0.1", "10.0.0.7", "::1", "192.0.2.1", "fe80::1"])
def test_an_address_that_is_nobodys_on_the_internet_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="no public authority"):
        from_worker(AcmeOptions("you@example.com", profile="shortlived"), [given], None, None)
    assert from_worker("", [given], OWN, None).domains == (given,)


def test_an_authority_of_ones_own_may_certify_local_names(tmp_path: Path) -> None:
    assert from_worker("", ["printer.local"], OWN, tmp_path).domains == ("printer.local",)


def test_options_are_not_given_twice() -> None:
    with pytest.raises(ConfigError, match="given too"):
        from_worker(AcmeOptions("you@example.com"), ["a.example.com"], "letsencrypt", None)
    with pytest.raises(ConfigError, match="acme is True"):
        from_worker(True, ["a.example.com"], None, None)


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"LINEMAN_ACME_DIRECTORY": "/srv/acme", "STATE_DIRECTORY": "/x"}, "/srv/acme"),
        ({"STATE_DIRECTORY": "/var/lib/chat:/var/lib/other"}, "/var/lib/chat/acme"),
    ],
)
def test_the_environment_says_where_certificates_are(environ: dict[str, str], path: str) -> None:
    assert default_directory(environ) == Path(path)


def test_without_a_word_it_depends_on_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_directory({}) == Path("/var/lib/lineman/acme")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert default_directory({"XDG_STATE_HOME": "/home/me/s"}) == Path("/home/me/s/lineman/acme")


def test_certificates_and_authorities_never_share_a_directory() -> None:
    one, two = ("a.example.com",), ("a.example.com", "b.example.com")
    three = ("a.example.com", "c.example.com")
    assert certificate_name(one) == "a.example.com"
    assert len({certificate_name(names) for names in (one, two, three)}) == 3
    assert authority_name("letsencrypt", "https://…") == "letsencrypt"
    assert authority_name("ca:1", "https://ca:1/a") != authority_name("ca:1", "https://ca:1/b")
