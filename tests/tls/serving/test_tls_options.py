from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from lineman.errors import ConfigError
from lineman.tls.serving.tls_options import CertificateFiles, TlsOptions


def refusal(**options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        TlsOptions(**options)
    return str(caught.value)


def test_nothing_given_is_consistent_and_asks_no_client() -> None:
    assert TlsOptions() == TlsOptions(cert=None, key=None, verify_client=None)


def test_paths_may_be_text_or_path() -> None:
    options = TlsOptions(cert="server.pem", key=Path("server.key"))
    assert (options.cert, options.key) == ("server.pem", Path("server.key"))


def test_repr_does_not_show_the_passphrase() -> None:
    assert "tom" not in repr(TlsOptions(cert="a.pem", passphrase="tom"))
    assert "a.pem" in repr(TlsOptions(cert="a.pem", passphrase=b"tom"))


@pytest.mark.parametrize(
    ("given", "wanted"), [("pässword", "pässword".encode()), (b"\xff", b"\xff"), (None, b"")]
)
def test_the_passphrase_reaches_openssl_as_bytes(given: Any, wanted: bytes) -> None:
    assert TlsOptions(cert="a.pem", passphrase=given).passphrase_bytes == wanted


@pytest.mark.parametrize("name", ["cert", "key", "ca_file", "crl_file"])
@pytest.mark.parametrize("value", [8282, b"server.pem", ["server.pem"], "", "a\0b", Path("a\0b")])
def test_what_cannot_be_a_path_is_refused_by_its_name(name: str, value: object) -> None:
    text = refusal(**{"cert": "server.pem", "verify_client": "none", name: value})
    assert text.startswith(f"{name} is ")
    assert text.endswith("the path of a PEM file")


def test_a_passphrase_of_the_wrong_type_is_refused_without_being_shown() -> None:
    text = refusal(cert="server.pem", passphrase=123456)
    assert text == "passphrase is of type int; fix: give passphrase text or bytes"


def test_a_passphrase_longer_than_openssl_takes_is_refused() -> None:
    assert "1025 bytes" in refusal(cert="server.pem", passphrase="x" * 1025)
    assert TlsOptions(cert="server.pem", passphrase="x" * 1024)


def test_a_verify_client_that_does_not_exist_is_refused() -> None:
    text = refusal(cert="server.pem", ca_file="ca.pem", verify_client="yes")
    assert 'write verify_client="none", "optional" or "required"' in text


def test_an_empty_cipher_list_is_refused() -> None:
    assert refusal(cert="server.pem", ciphers=" ").startswith("ciphers is empty")


def test_something_else_than_an_ssl_context_is_refused() -> None:
    text = refusal(ssl_context="server.pem")
    assert text == "ssl_context is of type str; fix: give ssl_context an ssl.SSLContext for servers"


def test_an_ssl_context_beside_a_certificate_is_refused() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    assert "cert, key would have no effect" in refusal(ssl_context=context, cert="a", key="b")
    assert TlsOptions(ssl_context=context).ssl_context is context


def test_a_key_without_a_certificate_is_refused() -> None:
    assert 'write cert="server.pem" as well' in refusal(key="server.key")


@pytest.mark.parametrize("verify", ["optional", "required"])
def test_asking_clients_without_an_authority_is_refused(verify: str) -> None:
    assert 'write ca_file="clients-ca.pem"' in refusal(cert="a.pem", verify_client=verify)


def test_an_authority_without_a_word_on_clients_is_refused() -> None:
    assert 'write verify_client="required"' in refusal(cert="a.pem", ca_file="ca.pem")
    assert TlsOptions(cert="a.pem", ca_file="ca.pem", verify_client="none").ca_file == "ca.pem"


# Several certificates.


def test_a_list_and_a_dictionary_of_certificates_are_understood_and_the_default_is_first() -> None:
    pairs = [("a.pem", "a.key"), ("both.pem", None), "c.pem"]
    options = TlsOptions(cert="default.pem", key="default.key", certificates=pairs)  # type: ignore[arg-type]
    assert list(options.files()) == [
        CertificateFiles("default.pem", "default.key"),
        CertificateFiles("a.pem", "a.key"),
        CertificateFiles("both.pem", None),
        CertificateFiles("c.pem", None),
    ]
    named = TlsOptions(certificates={"*.example.com": ("a.pem", "a.key")})
    assert list(named.files()) == [CertificateFiles("a.pem", "a.key", ("*.example.com",))]
    assert named.has_certificate


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ([], "certificates is empty"),
        ({}, "certificates is empty"),
        ("a.pem", "certificates is of type str"),
        (7, "certificates is the int 7"),
        ([("a.pem", "a.key", "b")], "certificates holds ('a.pem', 'a.key', 'b')"),
        ([(None, "a.key")], "certificates holds a pair without a certificate"),
        ([(7, "a.key")], "cert in certificates is the int 7"),
        ([("a.pem", "")], "key in certificates is ''"),
        ({7: ("a.pem", "a.key")}, "certificates has the name 7"),
    ],
)
def test_certificates_of_another_shape_are_refused(value: Any, seen: str) -> None:
    assert refusal(certificates=value).startswith(seen)


# Clients' certificates and the policy.


@pytest.mark.parametrize(
    ("name", "value"),
    [("crl_file", "crl.pem"), ("verify_depth", 1), ("client_fingerprints", ["ab" * 32])],
)
def test_a_rule_on_clients_without_asking_them_is_refused(name: str, value: Any) -> None:
    text = refusal(cert="a.pem", **{name: value})
    assert text.startswith(f"{name} is about clients' certificates, and no client is asked for one")
    assert TlsOptions(cert="a.pem", ca_file="c", verify_client="required", **{name: value})


@pytest.mark.parametrize("value", ["ab" * 32, [], ["ab" * 20], [7], ["xy" * 32]])
def test_fingerprints_that_are_none_are_refused_with_the_command(value: Any) -> None:
    text = refusal(cert="a", ca_file="c", verify_client="required", client_fingerprints=value)
    assert "openssl x509 -noout -fingerprint -sha256" in text


def test_fingerprints_may_be_written_as_openssl_does() -> None:
    given = ":".join(["AB"] * 32)
    options = TlsOptions(
        cert="a", ca_file="c", verify_client="required", client_fingerprints=[given]
    )
    assert options.fingerprints == {"ab" * 32}


@pytest.mark.parametrize(
    ("name", "value"),
    [("verify_depth", -1), ("verify_depth", True), ("security_level", 6), ("security_level", "2")],
)
def test_a_number_out_of_its_range_is_refused(name: str, value: Any) -> None:
    text = refusal(cert="a", ca_file="c", verify_client="required", **{name: value})
    assert text.startswith(f"{name} is {value!r}; fix: give a number from 0 to ")


def test_a_policy_that_does_not_exist_or_has_no_use_for_ciphers_is_refused() -> None:
    assert 'write tls_policy="intermediate" or "modern"' in refusal(cert="a", tls_policy="old")
    assert "1.3 only" in refusal(cert="a", tls_policy="modern", ciphers="HIGH")
