from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from lineman.errors import ConfigError
from lineman.tls.options import TlsOptions, from_php_context

PHP = {"local_cert": "server.pem", "local_pk": "server.key"}


def refusal(**options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        TlsOptions(**options)
    return str(caught.value)


def php_refusal(mapping: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        from_php_context(mapping)
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


@pytest.mark.parametrize("name", ["cert", "key", "ca_file"])
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


def test_workermans_dictionary_is_understood() -> None:
    given = {**PHP, "verify_peer": False, "allow_self_signed": True, "passphrase": "tom"}
    assert from_php_context(given) == TlsOptions(
        cert="server.pem", key="server.key", passphrase="tom", verify_client="none"
    )


def test_local_cert_may_hold_the_key_as_well() -> None:
    options = from_php_context({"local_cert": "both.pem"})
    assert (options.cert, options.key) == ("both.pem", None)


def test_verify_peer_requires_client_certificates_from_cafile() -> None:
    options = from_php_context({**PHP, "verify_peer": True, "cafile": "ca.pem"})
    assert (options.verify_client, options.ca_file) == ("required", "ca.pem")


def test_verify_peer_without_cafile_is_refused_in_its_own_words() -> None:
    text = php_refusal({**PHP, "verify_peer": True})
    assert text.startswith("verify_peer is True")
    assert 'write "verify_peer": False' in text


@pytest.mark.parametrize("extra", [{}, {"verify_peer": False}])
def test_cafile_without_verify_peer_asks_no_client(extra: dict[str, Any]) -> None:
    options = from_php_context({**PHP, "cafile": "ca.pem", **extra})
    assert (options.verify_client, options.ca_file) == ("none", "ca.pem")


def test_ciphers_are_taken_over() -> None:
    assert from_php_context({**PHP, "ciphers": "HIGH:!aNULL"}).ciphers == "HIGH:!aNULL"


def test_a_value_of_none_counts_as_absent() -> None:
    assert (
        from_php_context({"local_cert": "a.pem", "local_pk": None, "passphrase": None}).key is None
    )


def test_an_empty_dictionary_is_left_to_whoever_needs_a_certificate() -> None:
    assert from_php_context({}).cert is None


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("localcert", "local_cert"),
        ("local_key", "local_pk"),
        ("Local_Cert", "local_cert"),
        ("pass_phrase", "passphrase"),
        ("ca_file", "cafile"),
        ("verify_pear", "verify_peer"),
        ("cipher", "ciphers"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_one(key: str, nearest: str) -> None:
    text = php_refusal({**PHP, key: "x"})
    assert text == f"there is no ssl option {key!r}; fix: write {nearest!r}"


@pytest.mark.parametrize("key", ["capath", "SNI_server_certs", "peer_fingerprint", "verify_depth"])
def test_an_option_of_php_that_is_not_served_says_so(key: str) -> None:
    text = php_refusal({**PHP, key: "x"})
    assert f"the ssl option {key!r} is not supported yet" in text


@pytest.mark.parametrize("key", ["zzz", 7])
def test_a_key_near_nothing_is_refused_with_the_list(key: object) -> None:
    text = php_refusal({**PHP, key: "x"})
    assert f"there is no ssl option {key!r}; fix: leave it out; supported: local_cert" in text


@pytest.mark.parametrize(
    ("key", "value", "seen"),
    [
        ("local_cert", 8282, "local_cert is the int 8282"),
        ("local_pk", True, "local_pk is the bool True"),
        ("cafile", ["ca.pem"], "cafile is of type list"),
        ("verify_peer", "false", "verify_peer is of type str"),
        ("verify_peer", 1, "verify_peer is the int 1"),
        ("allow_self_signed", 0, "allow_self_signed is the int 0"),
        ("passphrase", 123456, "passphrase is of type int"),
        ("ciphers", ["HIGH"], "ciphers is of type list"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_by_its_php_name(
    key: str, value: object, seen: str
) -> None:
    text = php_refusal({**PHP, key: value})
    assert text.startswith(seen)
    assert "123456" not in text


def test_what_is_no_dictionary_is_refused() -> None:
    assert php_refusal("server.pem").startswith('context["ssl"] is of type str, not a dictionary')
