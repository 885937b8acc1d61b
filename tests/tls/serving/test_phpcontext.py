"""Each option of PHP's ssl context does what it says, or is refused by its name."""

from __future__ import annotations

from typing import Any

import pytest

from lineman.errors import ConfigError
from lineman.tls.serving import phpcontext
from lineman.tls.serving.phpcontext import from_php_context
from lineman.tls.serving.tls_options import TlsOptions

PHP: dict[str, Any] = {"local_cert": "server.pem", "local_pk": "server.key"}


def php_refusal(mapping: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        from_php_context(mapping)
    return str(caught.value)


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


@pytest.mark.parametrize("key", sorted(phpcontext._INSTEAD))
def test_an_option_of_php_that_is_refused_says_why_and_what_to_write(key: str) -> None:
    text = php_refusal({**PHP, key: "x"})
    assert text.startswith(f"the ssl option {key!r} ")
    assert "; fix: leave it out" in text


@pytest.mark.parametrize("value", [True, False, 2, "x"])
@pytest.mark.parametrize("key", ["honor_cipher_order", "single_dh_use", "reneg_limit", "dh_param"])
def test_an_option_that_changes_nothing_may_stand_there_and_is_told(key: str, value: Any) -> None:
    given = {"local_cert": "a.pem", key: value}
    assert from_php_context(given) == from_php_context({"local_cert": "a.pem"})
    (line,) = phpcontext.without_effect(given)
    assert line.startswith(f"the ssl option {key!r} changes nothing: ")


def test_an_option_that_would_change_something_is_not_passed_over() -> None:
    for key in ("no_ticket", "ecdh_curve", "max_proto_version", "alpn_protocols"):
        with pytest.raises(ConfigError):
            from_php_context({"local_cert": "a.pem", key: "x"})
    assert phpcontext.without_effect({"local_cert": "a.pem"}) == []
    assert phpcontext.without_effect(None) == []


def test_every_option_that_php_documents_is_served_or_refused_by_its_name() -> None:
    documented = """peer_name verify_peer verify_peer_name allow_self_signed cafile capath
        local_cert local_pk passphrase verify_depth ciphers
        capture_peer_cert capture_peer_cert_chain
        SNI_enabled SNI_server_certs SNI_server_name disable_compression peer_fingerprint
        security_level"""
    assert set(documented.split()) <= {*phpcontext._SERVED, *phpcontext._INSTEAD}


VERIFIED = {**PHP, "verify_peer": True, "cafile": "ca.pem"}


def test_what_judges_clients_is_taken_over() -> None:
    options = from_php_context(
        {**PHP, "verify_peer": True, "capath": "/etc/cas", "verify_depth": 2, "security_level": 3}
    )
    assert options == TlsOptions(
        cert="server.pem",
        key="server.key",
        ca_path="/etc/cas",
        verify_client="required",
        verify_depth=2,
        security_level=3,
    )


def test_verify_depth_has_no_effect_where_nobody_is_verified_as_in_php() -> None:
    assert from_php_context({**PHP, "verify_depth": 2}).verify_depth is None


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("key", ["capture_peer_cert", "capture_peer_cert_chain", "SNI_enabled"])
def test_what_is_always_so_changes_nothing(key: str, value: bool) -> None:
    assert from_php_context({**PHP, key: value}) == from_php_context(PHP)


def test_self_signed_clients_are_let_in_one_by_one() -> None:
    assert from_php_context({**VERIFIED, "allow_self_signed": False}) == from_php_context(VERIFIED)
    text = php_refusal({**VERIFIED, "allow_self_signed": True})
    assert "'allow_self_signed' would let in every client" in text
    assert "put the self-signed certificates that may connect into the file of cafile" in text


def test_compression_stays_off() -> None:
    assert from_php_context({**PHP, "disable_compression": True}) == from_php_context(PHP)
    assert "CRIME" in php_refusal({**PHP, "disable_compression": False})


def test_clients_have_no_name_to_compare() -> None:
    assert from_php_context({**PHP, "verify_peer_name": False}) == from_php_context(PHP)
    text = php_refusal({**VERIFIED, "verify_peer_name": True})
    assert "connection.tls.peer_names" in text


@pytest.mark.parametrize("value", ["ab" * 32, {"sha256": "ab" * 32}])
def test_peer_fingerprint_lets_one_client_in(value: Any) -> None:
    options = from_php_context({**VERIFIED, "peer_fingerprint": value})
    assert options.fingerprints == {"ab" * 32}


@pytest.mark.parametrize("value", ["ab" * 16, "ab" * 20, {"sha1": "ab" * 20}, {"md5": "x"}, {}, 7])
def test_weak_fingerprints_are_refused(value: Any) -> None:
    text = php_refusal({**VERIFIED, "peer_fingerprint": value})
    assert 'write "peer_fingerprint": {"sha256": "…"}' in text


def test_peer_fingerprint_without_verify_peer_is_refused() -> None:
    text = php_refusal({**PHP, "peer_fingerprint": "ab" * 32})
    assert "no client is asked for a certificate" in text


def test_several_certificates_by_name() -> None:
    options = from_php_context(
        {
            **PHP,
            "SNI_enabled": True,
            "SNI_server_certs": {
                "a.example.com": "a.pem",
                "b.example.com": {"local_cert": "b.pem", "local_pk": "b.key"},
            },
        }
    )
    assert [(files.cert, files.key, files.names) for files in options.files()] == [
        ("server.pem", "server.key", ()),
        ("a.pem", None, ("a.example.com",)),
        ("b.pem", "b.key", ("b.example.com",)),
    ]


def test_several_certificates_of_another_shape_are_refused() -> None:
    assert "SNI_server_certs is of type str" in php_refusal({**PHP, "SNI_server_certs": "a.pem"})
    text = php_refusal({**PHP, "SNI_server_certs": {"a": {"cert": "a.pem"}}})
    assert "SNI_server_certs['a'] has 'cert'" in text
    both = {"SNI_server_certs": {"a": "a.pem"}, "SNI_enabled": False}
    assert "SNI_enabled is False" in php_refusal({**PHP, **both})


@pytest.mark.parametrize("key", ["zzz", 7])
def test_a_key_near_nothing_is_refused_with_the_list(key: object) -> None:
    text = php_refusal({**PHP, key: "x"})
    assert f"there is no ssl option {key!r}; fix: leave it out; there are: local_cert" in text


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
