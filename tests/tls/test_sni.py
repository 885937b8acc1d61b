"""Several certificates on one port, chosen by the name that a client asks for."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lineman.errors import ConfigError
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.tls.serving.live_certificates import LiveTls
from lineman.tls.serving.tls_options import TlsOptions


class Shown:
    """The common name of the certificate that a client is shown."""

    def __init__(self, handshake: Any, client: ssl.SSLContext) -> None:
        self._handshake = handshake
        self.client = client
        client.check_hostname = False

    def __call__(self, tls: LiveTls, name: str | None) -> str:
        client: ssl.SSLObject = self._handshake(tls.context, self.client, name)[1]
        subject: Any = client.getpeercert()
        found: str = subject["subject"][0][0][1]
        return found


@pytest.fixture
def shown(handshake: Any, client_context: ssl.SSLContext) -> Shown:
    return Shown(handshake, client_context)


@pytest.fixture
def pairs(ca: TestCA) -> dict[str, IssuedPair]:
    named = {"a": ["a.test", "www.a.test"], "b": ["*.b.test", "b.test"], "chat": ["chat.b.test"]}
    return {name: ca.issue(names, filename=name) for name, names in named.items()}


def listed(pairs: dict[str, IssuedPair], **options: Any) -> LiveTls:
    given = [(pair.cert, pair.key) for pair in pairs.values()]
    return LiveTls(TlsOptions(certificates=given, **options))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("a.test", "a.test"),
        ("WWW.A.test", "a.test"),
        ("b.test", "*.b.test"),
        ("x.b.test", "*.b.test"),
        ("chat.b.test", "chat.b.test"),
        ("x.chat.b.test", "a.test"),
        ("nobody.test", "a.test"),
        (None, "a.test"),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_a_list_serves_the_names_in_its_certificates_and_the_first_is_the_default(
    pairs: dict[str, IssuedPair], shown: Shown, asked: str | None, found: str, check: bool
) -> None:
    given = [(pair.cert, pair.key) for pair in pairs.values()]
    tls = LiveTls(TlsOptions(certificates=given), check=check)
    assert shown(tls, asked) == found
    assert tls.unknown_names == (asked in ("x.chat.b.test", "nobody.test"))


def test_a_dictionary_serves_its_own_names_and_no_other(
    pairs: dict[str, IssuedPair], shown: Shown
) -> None:
    named = {"Mine.test.": pairs["a"], "*.b.test": pairs["b"], "münchen.test": pairs["chat"]}
    given = {name: (pair.cert, pair.key) for name, pair in named.items()}
    default = pairs["b"]
    tls = LiveTls(TlsOptions(cert=default.cert, key=default.key, certificates=given))
    asked = ("mine.test", "a.test", "x.b.test", "xn--mnchen-3ya.test")
    assert [shown(tls, name) for name in asked] == ["a.test", "*.b.test", "*.b.test", "chat.b.test"]
    assert tls.unknown_names == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_and_the_policy_count_for_each(
    pairs: dict[str, IssuedPair], shown: Shown, version: ssl.TLSVersion
) -> None:
    shown.client.maximum_version = shown.client.minimum_version = version
    assert shown(listed(pairs), "chat.b.test") == "chat.b.test"
    modern = listed(pairs, tls_policy="modern")
    if version is ssl.TLSVersion.TLSv1_3:
        assert shown(modern, "chat.b.test") == "chat.b.test"
    else:
        with pytest.raises(ssl.SSLError, match="UNSUPPORTED_PROTOCOL"):
            shown(modern, "chat.b.test")


def test_clients_are_judged_by_the_same_rules_for_each_name(
    ca: TestCA, pairs: dict[str, IssuedPair], shown: Shown
) -> None:
    shown.client.maximum_version = ssl.TLSVersion.TLSv1_2
    tls = listed(pairs, ca_file=ca.ca_path, verify_client="required")
    for name in ("a.test", "chat.b.test"):
        with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
            shown(tls, name)
    phone = ca.issue("phone", filename="phone", purpose="client")
    shown.client.load_cert_chain(phone.cert, phone.key)
    assert shown(tls, "chat.b.test") == "chat.b.test"


def test_each_certificate_is_followed_by_itself_with_its_names(
    ca: TestCA, pairs: dict[str, IssuedPair], shown: Shown
) -> None:
    tls = listed(pairs)
    old = tls.context
    new = ca.issue(["new.b.test"], filename="new")
    shutil.copy(new.key, pairs["chat"].key)
    shutil.copy(new.cert, pairs["chat"].cert)
    assert tls.look()
    assert tls.context is old
    assert shown(tls, "new.b.test") == "new.b.test"
    assert shown(tls, "chat.b.test") == "*.b.test"
    shutil.copy(ca.issue(["first.test"], filename="first").cert, pairs["a"].cert)
    shutil.copy(ca.directory / "first.key", pairs["a"].key)
    assert tls.look()
    assert tls.context is not old
    assert shown(tls, None) == "first.test"
    assert shown(tls, "new.b.test") == "new.b.test"
    assert [status.names for status in tls.certificates] == [
        ("first.test",), ("*.b.test", "b.test"), ("new.b.test",),
    ]  # fmt: skip


def test_one_that_has_gone_bad_before_anybody_asked_is_told_and_the_default_is_shown(
    pairs: dict[str, IssuedPair], shown: Shown, caplog: pytest.LogCaptureFixture
) -> None:
    tls = listed(pairs)
    pairs["chat"].key.unlink()
    for _ in range(3):
        assert shown(tls, "chat.b.test") == "a.test"
    assert caplog.text.count("the old certificate stays in use: there is no private key") == 1


def test_a_bad_one_among_many_is_refused_at_the_start_by_its_name(
    pairs: dict[str, IssuedPair],
) -> None:
    pairs["chat"].key.write_text("")
    with pytest.raises(ConfigError, match=r"the private key .*chat\.key is empty"):
        listed(pairs)


def test_a_name_in_the_dictionary_that_is_none_is_refused(pairs: dict[str, IssuedPair]) -> None:
    pair = pairs["a"]
    with pytest.raises(ConfigError, match="'a b' is no host name"):
        LiveTls(TlsOptions(certificates={"a b": (pair.cert, pair.key)}))


def test_thousands_have_no_context_before_somebody_asks(
    ca: TestCA, tmp_path: Path, shown: Shown
) -> None:
    pair = ca.issue(["a.test"])
    given = {f"{number}.many.test": (pair.cert, pair.key) for number in range(2000)}
    tls = LiveTls(TlsOptions(certificates=given), check=False)
    assert shown(tls, "1999.many.test") == "a.test"
    assert sum(entry.context is not None for entry in tls._entries) == 2
    assert len(tls.certificates) == 2000


def test_many_that_change_at_once_are_renewed_over_several_looks(ca: TestCA) -> None:
    pairs = [ca.issue([f"{number}.test"], filename=str(number)) for number in range(25)]
    tls = LiveTls(TlsOptions(certificates=[(pair.cert, pair.key) for pair in pairs]))
    old = [status.info.serial for status in tls.certificates]
    for number in range(25):
        ca.issue([f"{number}.test"], filename=str(number))

    def renewed() -> int:
        return sum(old != new.info.serial for old, new in zip(old, tls.certificates, strict=True))

    seen = []
    for _ in range(3):
        assert tls.look()
        seen.append(renewed())
    assert seen == [10, 20, 25]
    assert sum(entry.context is not None for entry in tls._entries) == 1
    assert tls.reload() == []
    assert sum(entry.context is not None for entry in tls._entries) == 1


def test_a_name_that_is_no_ascii_fails_that_handshake_and_prints_nothing(
    pairs: dict[str, IssuedPair],
) -> None:
    program = """
import contextlib, ssl, sys
from lineman.tls.serving.live_certificates import LiveTls
from lineman.tls.serving.tls_options import TlsOptions

tls = LiveTls(TlsOptions(cert=sys.argv[1], key=sys.argv[2]))
client_context = ssl.create_default_context()
hello, answer = ssl.MemoryBIO(), ssl.MemoryBIO()
with contextlib.suppress(ssl.SSLWantReadError):
    client_context.wrap_bio(answer, hello, server_hostname="aaaaaaaa.test").do_handshake()
garbled = ssl.MemoryBIO()
garbled.write(hello.read().replace(b"aaaaaaaa", b"\\xff" * 8))
try:
    tls.context.wrap_bio(garbled, ssl.MemoryBIO(), server_side=True).do_handshake()
except ssl.SSLError as error:
    print(error.reason)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, pairs["a"].cert, pairs["a"].key],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("CALLBACK_FAILED\n", "")
