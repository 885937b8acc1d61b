"""Workerman's `context["ssl"]`, PHP's ssl context: each of its options is served or refused.

Source: https://www.php.net/manual/en/context.ssl.php
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from lineman.base.option_kinds import PEM_FILE, OptionKind, Typed, described
from lineman.errors import ConfigError
from lineman.tls.serving.tls_options import TlsOptions

# Options with the same values as an option of ours.
_SAME = {
    "local_cert": "cert",
    "local_pk": "key",
    "passphrase": "passphrase",
    "cafile": "ca_file",
    "capath": "ca_path",
    "verify_depth": "verify_depth",
    "ciphers": "ciphers",
    "security_level": "security_level",
}

# Options with code of their own below.
_READ = (
    "verify_peer",
    "peer_fingerprint",
    "SNI_server_certs",
    "SNI_enabled",
    "allow_self_signed",
    "verify_peer_name",
    "capture_peer_cert",
    "capture_peer_cert_chain",
    "disable_compression",
)

# Options that are accepted because no value of theirs changes how clients are served, and why.
_IDLE = {
    "honor_cipher_order": "all ciphers are strong, and each client takes the one that is fast for "
    "it",
    "dh_param": "no cipher with DHE is served",
    "single_dh_use": "OpenSSL always does it since 1.1.0",
    "single_ecdh_use": "OpenSSL always does it since 1.1.0",
    "rsa_key_size": "the ciphers that it was for no longer exist",
    "reneg_limit": "renegotiation is refused altogether",
    "reneg_limit_callback": "renegotiation is refused altogether",
    "reneg_window": "renegotiation is refused altogether",
}

_SERVED = (*_SAME, *_READ, *_IDLE)

# PHP's other options: why each is refused, and what to write instead.
_INSTEAD = {
    "peer_name": (
        "is the name that a client expects from its server",
        "leave it out; to let certain clients in only, give peer_fingerprint, or look at "
        "connection.tls.peer_names in on_websocket_connect",
    ),
    "SNI_server_name": (
        "is PHP's old option for the name that a client asks for",
        'leave it out; for several certificates give "SNI_server_certs"',
    ),
    "crypto_method": (
        "chooses versions of TLS, which tls_policy does here",
        'leave it out for TLS 1.2 and 1.3; Worker(..., tls_policy="modern") is 1.3 alone',
    ),
    "min_proto_version": (
        "chooses versions of TLS, which tls_policy does here",
        'leave it out for TLS 1.2 and 1.3; Worker(..., tls_policy="modern") is 1.3 alone',
    ),
    "max_proto_version": ("would keep clients from TLS 1.3", "leave it out"),
    "alpn_protocols": (
        "is always http/1.1, the only protocol that a websocket handshake has here",
        "leave it out",
    ),
    "ecdh_curve": (
        "is OpenSSL's own choice: X25519MLKEM768 first from 3.5 on, X25519 before",
        "leave it out",
    ),
    "no_ticket": (
        "would make every client repeat the full handshake each time it connects",
        "leave it out; or pass your own ssl_context with num_tickets = 0 and OP_NO_TICKET",
    ),
}


def from_php_context(mapping: Mapping[str, object]) -> TlsOptions:
    """Return the options that Workerman's `context["ssl"]` dictionary stands for.

    `local_cert` may hold the key as well; then `local_pk` is left out.

    `verify_peer: True` requires a client certificate, as in PHP, and so needs `cafile` or `capath`.
    `False`, or nothing, asks no client for one; a `cafile` then only completes the chain.

    `allow_self_signed` is accepted where nobody is verified, and changes nothing there. With
    `verify_peer` PHP would let every client in that signs its own certificate, so it is refused.

    The options that `without_effect` lists are accepted with any value.

    `capture_peer_cert` and `capture_peer_cert_chain` change nothing either: a client's certificates
    are always there, in `connection.tls`.

    Args:
        mapping: the value under `"ssl"`, not the whole context. A value of None counts as absent.

    Raises:
        ConfigError: an unknown or unsupported key, or a value of the wrong type.
    """
    if not isinstance(mapping, Mapping):
        raise ConfigError(
            f'context["ssl"] is {described(mapping)}, not a dictionary',
            'write context={"ssl": {"local_cert": "server.pem", "local_pk": "server.key"}}',
        )
    given = {name: value for name, value in mapping.items() if value is not None}
    for name in given:
        if name not in _SERVED:
            raise _refusal(name)
    _refuse_bad_values(given)
    values: dict[str, Any] = {_SAME[name]: value for name, value in given.items() if name in _SAME}
    values["verify_client"] = "required" if given.get("verify_peer") else "none"
    if not given.get("verify_peer"):
        values.pop("verify_depth", None)  # as in PHP, where it is without effect then
    if "peer_fingerprint" in given:
        values["client_fingerprints"] = _fingerprints(given)
    if "SNI_server_certs" in given:
        values["certificates"] = _certificates(given)
    return TlsOptions(**values)


def without_effect(mapping: object) -> list[str]:
    """A line for each option of a context that has no effect here, in its order."""
    names = mapping if isinstance(mapping, Mapping) else {}
    return [
        f"the ssl option {name!r} changes nothing: {_IDLE[name]}" for name in names if name in _IDLE
    ]


def _refuse_bad_values(given: Mapping[str, object]) -> None:
    kinds: dict[str, OptionKind] = dict.fromkeys(("local_cert", "local_pk", "cafile"), PEM_FILE)
    for name in _READ:
        if name not in ("peer_fingerprint", "SNI_server_certs"):
            kinds[name] = Typed((bool,), "True or False")
    for name, kind in kinds.items():
        if given.get(name) is not None:
            kind.check(name, given[name])
    if given.get("verify_peer") and not ("cafile" in given or "capath" in given):
        raise ConfigError(
            "verify_peer is True, which makes a server demand a certificate of every client, "
            "but no cafile says which authority it must come from",
            'write "verify_peer": False (it is not about your own certificate), or add "cafile"',
        )
    if given.get("verify_peer") and given.get("allow_self_signed"):
        raise ConfigError(
            "the ssl option 'allow_self_signed' would let in every client that has signed its own "
            "certificate, and verify_peer would keep nobody out",
            "leave it out, and put the self-signed certificates that may connect into the file "
            "of cafile",
        )
    if given.get("verify_peer_name"):
        raise ConfigError(
            "the ssl option 'verify_peer_name' compares a server's name, and clients have none",
            'write "verify_peer_name": False; to let certain clients in only, give '
            '"peer_fingerprint", or look at connection.tls.peer_names in on_websocket_connect',
        )
    if given.get("disable_compression") is False:
        raise ConfigError(
            "disable_compression is False, but compression in TLS reveals secrets (CRIME), "
            "and is always off",
            "leave it out; messages are compressed by the websocket itself",
        )
    if given.get("SNI_enabled") is False and "SNI_server_certs" in given:
        raise ConfigError(
            "SNI_enabled is False, and SNI_server_certs would have no effect",
            "leave one of the two out",
        )


def _fingerprints(given: Mapping[str, object]) -> list[str]:
    """PHP takes one digest, or a dictionary from the digest's name to it."""
    value = given["peer_fingerprint"]
    how = 'write "peer_fingerprint": {"sha256": "…"}; it is: '
    how += "openssl x509 -noout -fingerprint -sha256 -in client.pem"
    if isinstance(value, Mapping):
        weak = [str(name) for name in value if str(name).lower() != "sha256"]
        if weak or not value:
            raise ConfigError(f"peer_fingerprint is of {', '.join(weak) or 'nothing'}", how)
        value = next(iter(value.values()))
    if not isinstance(value, str):
        raise ConfigError(f"peer_fingerprint is {described(value)}", how)
    if len(value.replace(":", "")) in (32, 40):
        raise ConfigError(
            "peer_fingerprint is an MD5 or SHA-1, which can be forged for another certificate", how
        )
    if not given.get("verify_peer"):
        raise ConfigError(
            "peer_fingerprint is given, but no client is asked for a certificate",
            'write "verify_peer": True and "cafile" as well',
        )
    return [value]


def _certificates(given: Mapping[str, object]) -> dict[str, Any]:
    """PHP's values are a path, or `{"local_cert": …, "local_pk": …}`."""
    value = given["SNI_server_certs"]
    how = 'write "SNI_server_certs": {"chat.example.com": {"local_cert": …, "local_pk": …}}'
    if not isinstance(value, Mapping):
        raise ConfigError(f"SNI_server_certs is {described(value)}", how)
    found: dict[str, Any] = {}
    for name, files in value.items():
        if isinstance(files, Mapping):
            if unknown := set(files) - {"local_cert", "local_pk"}:
                raise ConfigError(f"SNI_server_certs[{name!r}] has {min(unknown)!r}", how)
            files = (files.get("local_cert"), files.get("local_pk"))
        found[name] = files
    return found


def _refusal(name: object) -> ConfigError:
    if name in _INSTEAD:
        why, fix = _INSTEAD[str(name)]
        return ConfigError(f"the ssl option {name!r} {why}", fix)
    close = difflib.get_close_matches(str(name).lower(), _SERVED, n=1)
    served = ", ".join(_SERVED)
    fix = f"write {close[0]!r}" if close else f"leave it out; there are: {served}"
    return ConfigError(f"there is no ssl option {name!r}", fix)
