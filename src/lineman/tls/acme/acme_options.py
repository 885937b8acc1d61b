"""A worker's options about its certificate authority, and the place of its files."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from lineman.base import option_kinds
from lineman.base.home import home
from lineman.base.option_kinds import SECONDS, CheckedBy, Number, OptionKind, Text, Typed, option
from lineman.errors import ConfigError

AUTHORITIES = {
    "letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
    "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
}
HTTP_01 = "http-01"
TLS_ALPN_01 = "tls-alpn-01"
KINDS = (TLS_ALPN_01, HTTP_01)

DIRECTORY_VARIABLE = "LINEMAN_ACME_DIRECTORY"

_MOST_NAMES = 100  # in one certificate, at Let's Encrypt
SHORT_LIVED = "shortlived"
"""Let's Encrypt's profile of six days, the only one in which it certifies addresses.

Source: https://letsencrypt.org/docs/profiles/
"""
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PRIVATE_ENDS = (
    ".localhost", ".local", ".test", ".example", ".invalid", ".internal", ".lan", ".home.arpa",
)  # fmt: skip


def _check_email(value: object) -> None:
    if not isinstance(value, str) or (value and not _is_address(value)):
        raise ConfigError(
            f"acme is {value!r}, which is no e-mail address",
            'give yours, for the authority: acme="you@example.com"',
        )


def _check_authority(value: object) -> None:
    if value in AUTHORITIES:
        return
    url = urlsplit(value) if isinstance(value, str) else None
    if url is None or url.scheme != "https" or not url.hostname:
        raise ConfigError(
            f"acme_ca is {value!r}",
            f"give {', '.join(map(repr, AUTHORITIES))} or the https:// URL of an authority's "
            "ACME directory",
        )


def _check_challenges(value: object) -> None:
    if isinstance(value, str) or not isinstance(value, Sequence) or not value:
        raise ConfigError(f"challenges of acme is {value!r}", f"give a list of {', '.join(KINDS)}")
    for kind in value:
        if kind not in KINDS:
            fix = f"give {' or '.join(KINDS)}; lineman cannot answer dns-01"
            raise ConfigError(f"there is no challenge {kind!r}", fix)


def _check_port(value: object) -> None:
    if value is not None:
        fix = "give a port, or None to answer no http-01"
        Number(most=65535, remedy=fix).check("http_port of acme", value)


class _Place(OptionKind):
    def check(self, name: str, value: object) -> None:
        if not isinstance(value, str | Path) or not str(value):
            raise ConfigError(f"{name} is {value!r}", "give a path")


_PATH = _Place()


@dataclass(frozen=True, slots=True)
class AcmeOptions:
    """How certificates are obtained; `acme="you@example.com"` is `AcmeOptions("you@example.com")`.

    By giving it you agree to the authority's terms of service; the log names them once.

    Raises:
        ConfigError: a value that cannot work.
    """

    email: str
    """Where the authority can reach the operator; `""` for nowhere."""
    _: KW_ONLY
    ca: str = option("letsencrypt", CheckedBy(_check_authority))
    """`letsencrypt`, `letsencrypt-staging`, or the URL of an authority's ACME directory."""
    directory_path: str | Path | None = option(None, _PATH)
    """Where account, keys and certificates are kept; None: see `default_directory`."""
    challenges: Sequence[str] | None = option(None, CheckedBy(_check_challenges))
    """How to prove that the names are this machine's, best first: `tls-alpn-01`, `http-01`. None:
    `tls-alpn-01` where the worker listens on 443, then `http-01`."""
    http_port: int | None = option(80, CheckedBy(_check_port))
    """Where http-01 is answered and everything else sent on to https; None: nowhere."""
    webroot: str | Path | None = option(None, _PATH)
    """Document root of the web server that has port 80; http-01 is answered with files below it,
    and `http_port` is left alone."""
    ca_file: str | Path | None = option(None, _PATH)
    """PEM file with the roots that vouch for the authority's own API; None: the public ones."""
    eab_key_id: str | None = option(None, Text("kid-1"))
    """External account binding: the key's id, as the authority has given it."""
    eab_hmac_key: str | None = option(None, Typed((str,), "text", is_secret=True), is_shown=False)
    """External account binding: the key."""
    profile: str | None = option(None, Text(SHORT_LIVED))
    """Kind of certificate that the authority shall make, where it offers several; Let's Encrypt
    certifies IP addresses with `shortlived` only."""
    start_timeout: float = option(50.0, SECONDS)
    """Seconds that the start of a worker waits for its first certificate."""

    def __post_init__(self) -> None:
        _check_email(self.email)
        option_kinds.check(AcmeOptions, self, whose=" of acme")
        if (self.eab_key_id is None) != (self.eab_hmac_key is None):
            raise ConfigError(
                "only one of eab_key_id and eab_hmac_key is given",
                "give both as the authority shows them, or neither",
            )


@dataclass(frozen=True, slots=True)
class AcmeSettings:
    """All that is needed to obtain one certificate, checked; it is sent to the job as JSON.

    Attributes:
        domains: its names, the first one first, as DNS writes them.
        ca: the authority's name in logs: a name or a host.
        ca_url: its ACME directory.
        root: the state directory.
    """

    domains: tuple[str, ...]
    ca: str
    ca_url: str
    root: Path
    email: str
    kinds: tuple[str, ...] | None
    http_port: int | None
    webroot: Path | None
    ca_file: Path | None
    eab_key_id: str | None
    eab_hmac_key: str | None = field(repr=False)
    profile: str | None
    start_timeout: float

    def as_json(self) -> dict[str, Any]:
        """Plain values, for `from_json`."""
        plain = asdict(self)
        return {name: str(v) if isinstance(v, Path) else v for name, v in plain.items()}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """What `as_json` has made."""
        values = dict(plain)
        for name in ("root", "webroot", "ca_file"):
            values[name] = None if values[name] is None else Path(values[name])
        values["domains"] = tuple(values["domains"])
        values["kinds"] = None if values["kinds"] is None else tuple(values["kinds"])
        return cls(**values)


def from_worker(
    acme: object, domains: object, ca: str | None, directory_path: str | Path | None
) -> AcmeSettings:
    """The settings that a worker's four options describe, checked.

    Args:
        acme: an e-mail address or `AcmeOptions`.
        domains: names of the certificate.
        ca, directory_path: as in `AcmeOptions`; None where not given.

    Raises:
        ConfigError: what cannot work, and the fix.
    """
    if isinstance(acme, str):
        options = AcmeOptions(acme, ca=ca or "letsencrypt", directory_path=directory_path)
    elif not isinstance(acme, AcmeOptions):
        raise ConfigError(f"acme is {acme!r}", "give your e-mail address, or AcmeOptions(...)")
    elif ca is not None or directory_path is not None:
        raise ConfigError(
            "acme is an AcmeOptions, and acme_ca or acme_directory_path is given too",
            "write AcmeOptions(..., ca=…, directory_path=…)",
        )
    else:
        options = acme
    return settings(options, domains)


def settings(options: AcmeOptions, domains: object) -> AcmeSettings:
    """The options and the names together, checked.

    Raises:
        ConfigError: names that the authority cannot certify, and the fix.
    """
    is_public = options.ca in AUTHORITIES
    root = options.directory_path
    return AcmeSettings(
        domains=_names(domains, is_public, options.profile),
        ca=options.ca if is_public else urlsplit(options.ca).netloc,
        ca_url=AUTHORITIES.get(options.ca, options.ca),
        root=default_directory() if root is None else Path(os.path.abspath(root)),
        email=options.email,
        kinds=None if options.challenges is None else tuple(options.challenges),
        http_port=None if options.webroot is not None else options.http_port,
        webroot=_absolute(options.webroot),
        ca_file=_absolute(options.ca_file),
        eab_key_id=options.eab_key_id,
        eab_hmac_key=options.eab_hmac_key,
        profile=options.profile,
        start_timeout=options.start_timeout,
    )


def default_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """The directory of certificates if no option names one.

    `$LINEMAN_ACME_DIRECTORY`; else below systemd's `$STATE_DIRECTORY`; else
    `/var/lib/lineman/acme` for root, and `$XDG_STATE_HOME/lineman/acme` for others.
    """
    if environ.get(DIRECTORY_VARIABLE):
        return Path(os.path.abspath(environ[DIRECTORY_VARIABLE]))
    if environ.get("STATE_DIRECTORY"):
        return Path(environ["STATE_DIRECTORY"].split(":")[0], "acme")
    if os.geteuid() == 0:
        return Path("/var/lib/lineman/acme")
    state = environ.get("XDG_STATE_HOME")
    parent = Path(state) if state else home(DIRECTORY_VARIABLE) / ".local" / "state"
    return parent / "lineman" / "acme"


def certificate_name(domains: Sequence[str]) -> str:
    """The name of a certificate's directory: its domain; for several domains, a unique name."""
    first = domains[0].replace(":", "-")  # of an IPv6 address
    if len(domains) == 1:
        return first
    digest = hashlib.sha256(" ".join(sorted(domains)).encode()).hexdigest()[:8]
    return f"{first}-and-{len(domains) - 1}-more-{digest}"


def authority_name(ca: str, ca_url: str) -> str:
    """The name of an authority's directory; authorities with different URLs never share one."""
    if ca in AUTHORITIES:
        return ca
    host = re.sub(r"[^a-z0-9.-]", "-", ca.lower())
    return f"{host}-{hashlib.sha256(ca_url.encode()).hexdigest()[:8]}"


def _absolute(path: str | Path | None) -> Path | None:
    return None if path is None else Path(os.path.abspath(path))


def _is_address(text: str) -> bool:
    return re.fullmatch(r"[^@\s,;:<>]+@[^@\s,;:<>]+\.[^@\s,;:<>.]+", text) is not None


def _names(domains: object, is_public: bool, profile: str | None) -> tuple[str, ...]:
    if isinstance(domains, str) or not isinstance(domains, Sequence) or not domains:
        raise ConfigError(
            f"acme needs the names of the certificate, and domains is {domains!r}",
            'give a list: domains=["chat.example.com"]',
        )
    if len(domains) > _MOST_NAMES:
        raise ConfigError(
            f"domains has {len(domains)} names, a certificate takes {_MOST_NAMES}", "use several"
        )
    return tuple(dict.fromkeys(_name(domain, is_public, profile) for domain in domains))


def _name(domain: object, is_public: bool, profile: str | None) -> str:
    """A domain as DNS writes it or an address, or why the authority would refuse it."""
    if not isinstance(domain, str):
        raise ConfigError(f"domains holds {domain!r}", "give names as text")
    plain = domain.strip().lower().removesuffix(".")
    if plain.startswith("*."):
        raise ConfigError(
            f"domains holds {domain!r}: authorities prove a wildcard by dns-01 only, which lineman "
            "cannot answer",
            "list the names one by one, or get the wildcard with certbot and give cert= and key=",
        )
    address = as_address(plain.removeprefix("[").removesuffix("]"))
    if address is not None:
        _refuse_address(domain, address, is_public, profile)
        return str(address)
    try:
        plain = plain.encode("idna").decode("ascii")
        labels = plain.split(".")
        is_good = len(plain) <= 253 and all(_LABEL.fullmatch(label) for label in labels)
    except UnicodeError:
        is_good = False
    if not is_good:
        raise ConfigError(
            f"domains holds {domain!r}, which is no host name",
            'give the name alone, without scheme, port and path: "chat.example.com"',
        )
    if is_public and (len(labels) == 1 or plain.endswith(_PRIVATE_ENDS)):
        raise ConfigError(
            f"domains holds {domain!r}, which no public authority certifies",
            'give a name of the public DNS; for development: tls="dev"',
        )
    return plain


def _refuse_address(
    domain: str, address: IPv4Address | IPv6Address, is_public: bool, profile: str | None
) -> None:
    """Raises if the authority does not certify this address."""
    if not is_public:
        return
    if profile != SHORT_LIVED:
        raise ConfigError(
            f"domains holds {domain!r}, an IP address, and the profile is {profile!r}",
            f"give the name that clients connect to; or acme=AcmeOptions(…, profile="
            f'"{SHORT_LIVED}"), for a certificate of six days, which may be for addresses',
        )
    if not address.is_global:
        raise ConfigError(
            f"domains holds {domain!r}, which no public authority certifies",
            'give your public address; for development: tls="dev"',
        )


def as_address(text: str) -> IPv4Address | IPv6Address | None:
    """The text as an address; None for a name."""
    try:
        return ip_address(text)
    except ValueError:
        return None
