"""What a worker is told about TLS, in Python's spelling and in that of Workerman's dictionary."""

from __future__ import annotations

import difflib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from lineman.errors import ConfigError

VerifyClient = Literal["none", "optional", "required"]

_LONGEST_PASSPHRASE = 1024  # bytes; OpenSSL's PEM_BUFSIZE, `ssl` refuses a longer one

# PHP's ssl context options that are served, with the Python option that stands for each.
_PHP_SERVED = {
    "local_cert": "cert",
    "local_pk": "key",
    "passphrase": "passphrase",
    "verify_peer": "verify_client",
    "allow_self_signed": None,
    "cafile": "ca_file",
    "ciphers": "ciphers",
}

# The rest of what PHP documents: real options, so "not supported yet" rather than "did you mean".
_PHP_NOT_YET = frozenset(
    {
        "SNI_enabled",
        "SNI_server_certs",
        "SNI_server_name",
        "alpn_protocols",
        "capath",
        "capture_peer_cert",
        "capture_peer_cert_chain",
        "crypto_method",
        "dh_param",
        "disable_compression",
        "ecdh_curve",
        "honor_cipher_order",
        "max_proto_version",
        "min_proto_version",
        "no_ticket",
        "peer_fingerprint",
        "peer_name",
        "reneg_limit",
        "reneg_limit_callback",
        "reneg_window",
        "rsa_key_size",
        "security_level",
        "single_dh_use",
        "single_ecdh_use",
        "verify_depth",
        "verify_peer_name",
    }
)


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """How a worker speaks TLS. An object that exists is consistent; no file was looked at yet.

    Args:
        cert: PEM file with the certificate and, after it, its chain; it may hold the key too.
        key: PEM file with the private key; None: it is in `cert`.
        passphrase: opens an encrypted key; None: the key is in the clear. Never shown by `repr`.
        ssl_context: a finished server-side context, used as it is; then every other option
            stays at None.
        ca_file: PEM file with the authorities that client certificates must come from. OpenSSL
            also completes the server's own chain from it.
        verify_client: whether a client shows a certificate. None means nobody said: no client is
            asked, and a `ca_file` is refused, since it looks as if clients were meant to be.
        ciphers: OpenSSL cipher list for TLS 1.2; None: Mozilla's intermediate list. The suites
            of TLS 1.3 are OpenSSL's own.

    Raises:
        ConfigError: options of a wrong type, or that contradict each other.
    """

    cert: str | Path | None = None
    key: str | Path | None = None
    passphrase: str | bytes | None = field(default=None, repr=False)
    ssl_context: ssl.SSLContext | None = None
    ca_file: str | Path | None = None
    verify_client: VerifyClient | None = None
    ciphers: str | None = None

    def __post_init__(self) -> None:
        for name in ("cert", "key", "ca_file"):
            _refuse_other_types(name, getattr(self, name), (str, Path), "the path of a PEM file")
        _refuse_other_types("passphrase", self.passphrase, (str, bytes), "text or bytes")
        _refuse_other_types("ciphers", self.ciphers, (str,), "an OpenSSL cipher list as text")
        _refuse_other_types(
            "ssl_context", self.ssl_context, (ssl.SSLContext,), "an ssl.SSLContext for servers"
        )
        self._refuse_bad_values()
        self._refuse_contradictions()

    def _refuse_bad_values(self) -> None:
        if self.verify_client is not None and self.verify_client not in get_args(VerifyClient):
            raise ConfigError(
                f"verify_client is {self.verify_client!r}",
                'write verify_client="none", "optional" or "required"',
            )
        if self.passphrase is not None and len(self.passphrase_bytes) > _LONGEST_PASSPHRASE:
            raise ConfigError(
                f"the passphrase has {len(self.passphrase_bytes)} bytes, "
                f"OpenSSL takes at most {_LONGEST_PASSPHRASE}",
                "give the passphrase itself, not a file's content",
            )
        if self.ciphers is not None and not self.ciphers.strip():
            raise ConfigError("ciphers is empty", "leave ciphers out for Mozilla's list")

    def _refuse_contradictions(self) -> None:
        if self.ssl_context is not None:
            others = ("cert", "key", "passphrase", "ca_file", "verify_client", "ciphers")
            given = [name for name in others if getattr(self, name) is not None]
            if given:
                raise ConfigError(
                    f"ssl_context is used as it is, and {', '.join(given)} would have no effect",
                    f"set it on the context, or leave ssl_context out and keep {given[0]}",
                )
        if self.key is not None and self.cert is None:
            raise ConfigError(
                f"a key ({self.key}) is given but no certificate",
                'write cert="server.pem" as well (local_cert in a context dictionary)',
            )
        if self.verify_client in ("optional", "required") and self.ca_file is None:
            raise ConfigError(
                f'verify_client is "{self.verify_client}", but no authority is given that '
                "client certificates must come from",
                'write ca_file="clients-ca.pem" as well (cafile in a context dictionary)',
            )
        if self.ca_file is not None and self.verify_client is None:
            raise ConfigError(
                f"ca_file is {self.ca_file}, but nothing says that clients must show a certificate",
                'write verify_client="required"; or "none" if ca_file only completes the chain',
            )

    @property
    def passphrase_bytes(self) -> bytes:
        """The passphrase as OpenSSL wants it (text as UTF-8); empty if there is none."""
        if isinstance(self.passphrase, str):
            return self.passphrase.encode()
        return self.passphrase or b""


def from_php_context(mapping: Mapping[str, object]) -> TlsOptions:
    """Return the options that Workerman's `context["ssl"]` dictionary stands for.

    `local_cert`, `local_pk`, `passphrase`, `cafile` and `ciphers` are `cert`, `key`, `passphrase`,
    `ca_file` and `ciphers`. A `local_cert` may hold the key as well; then `local_pk` is left out.

    `verify_peer: True` requires a client certificate, as in PHP, and so needs `cafile`.
    `False`, or nothing, asks no client for one; a `cafile` then only completes the chain.

    `allow_self_signed` is accepted and changes nothing: it is about certificates that a client is
    shown. (PHP would also let a self-signed *client* certificate pass `verify_peer`, which is
    to let everybody in; here such a certificate has to be in `cafile`.)

    Args:
        mapping: the value under `"ssl"`, not the whole context. A value of None counts as absent.

    Raises:
        ConfigError: an unknown or unsupported key, or a value of the wrong type.

    Source: https://www.php.net/manual/en/context.ssl.php
    """
    if not isinstance(mapping, Mapping):
        raise ConfigError(
            f'context["ssl"] is {_described(mapping)}, not a dictionary',
            'write context={"ssl": {"local_cert": "server.pem", "local_pk": "server.key"}}',
        )
    given = {name: value for name, value in mapping.items() if value is not None}
    for name in given:
        if name not in _PHP_SERVED:
            raise _unknown_option(name)
    for name in ("local_cert", "local_pk", "cafile"):
        _refuse_other_types(name, given.get(name), (str, Path), "the path of a PEM file")
    for name in ("verify_peer", "allow_self_signed"):
        _refuse_other_types(name, given.get(name), (bool,), "True or False")
    if given.get("verify_peer") and "cafile" not in given:
        raise ConfigError(
            "verify_peer is True, which makes a server demand a certificate of every client, "
            "but no cafile says which authority it must come from",
            'write "verify_peer": False (it is not about your own certificate), or add "cafile"',
        )
    values = {_PHP_SERVED[name]: value for name, value in given.items() if _PHP_SERVED[name]}
    values["verify_client"] = "required" if given.get("verify_peer") else "none"
    return TlsOptions(**values)  # type: ignore[arg-type]  # every type is checked by the class


def _unknown_option(name: object) -> ConfigError:
    if name in _PHP_NOT_YET:
        return ConfigError(
            f"the ssl option {name!r} is not supported yet",
            f"leave it out; supported: {', '.join(_PHP_SERVED)}",
        )
    close = difflib.get_close_matches(str(name).lower(), _PHP_SERVED, n=1)
    supported = ", ".join(_PHP_SERVED)
    fix = f"write {close[0]!r}" if close else f"leave it out; supported: {supported}"
    return ConfigError(f"there is no ssl option {name!r}", fix)


def _refuse_other_types(name: str, value: object, accepted: tuple[type, ...], wanted: str) -> None:
    """Raise unless `value` is None or of a type in `accepted`; empty paths and NULs count too."""
    if value is not None and not isinstance(value, accepted):
        seen = _described(value) if name != "passphrase" else f"of type {type(value).__name__}"
        raise ConfigError(f"{name} is {seen}", f"give {name} {wanted}")
    if value is not None and Path in accepted and (value == "" or "\0" in str(value)):
        raise ConfigError(f"{name} is {str(value)!r}, which names no file", f"give {name} {wanted}")


def _described(value: object) -> str:
    """`the int 8282`: a number or truth value with its type, of anything else only the type."""
    kind = type(value).__name__
    return f"the {kind} {value!r}" if isinstance(value, bool | int | float) else f"of type {kind}"
