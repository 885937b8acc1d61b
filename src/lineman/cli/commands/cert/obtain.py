"""`lineman cert obtain`: a certificate from an ACME authority, without a running service."""

from __future__ import annotations

import argparse
from pathlib import Path

from lineman.cli.commands.cert.authority import add_directory, try_now
from lineman.errors import ConfigError
from lineman.tls.acme.acme_job import Wish
from lineman.tls.acme.acme_options import AUTHORITIES, HTTP_01, KINDS, AcmeOptions, settings


def add_to(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command and its options."""
    made = words.add_parser(
        "obtain",
        help="get a certificate from Let's Encrypt or another ACME authority",
        description="Gets a certificate from an ACME authority, once; by calling it you agree to "
        "the authority's terms. (A worker with acme= gets its certificate itself.) It answers "
        "http-01 on port 80 itself, or through the web server there (--webroot). Exit status 1: "
        "there is no certificate.",
    )
    made.set_defaults(run=run)
    add = made.add_argument
    add("names", nargs="+", metavar="NAME", help="name that clients connect to: chat.example.com")
    add("--email", default="", help="e-mail address for the authority")
    authorities = f"{', '.join(AUTHORITIES)}, or the URL of an ACME directory"
    add("--ca", default="letsencrypt", help=f"{authorities} (default: %(default)s)")
    add("--ca-file", metavar="FILE", help="root certificate for the API of a private authority")
    add("--challenge", action="append", choices=KINDS, metavar="KIND",
        help="http-01 (default), or tls-alpn-01, which a running service answers")  # fmt: skip
    add("--http-port", type=int, default=80, metavar="PORT", help="for http-01 (default: 80)")
    add("--webroot", metavar="DIR", help="document root of the web server that has the port")
    add("--profile", help="kind of certificate, if the authority offers several")
    add("--eab-key-id", metavar="ID", help="external account binding, as the authority gave it")
    add(
        "--eab-hmac-key-file", type=Path, metavar="FILE", help="a file with the key of --eab-key-id"
    )
    add("--force", action="store_true", help="also if the present certificate is not due")
    add_directory(made)


def run(options: argparse.Namespace) -> int:
    """Gets the certificate.

    Returns:
        0 when there is a certificate, 1 when there is none.

    Raises:
        ConfigError: options that cannot work.
    """
    given = AcmeOptions(
        options.email,
        ca=options.ca,
        directory_path=options.directory,
        challenges=options.challenge or [HTTP_01],
        http_port=options.http_port,
        webroot=options.webroot,
        ca_file=options.ca_file,
        eab_key_id=options.eab_key_id,
        eab_hmac_key=_secret(options.eab_hmac_key_file),
        profile=options.profile,
    )
    wanted = settings(given, options.names)
    assert wanted.kinds is not None
    wish = Wish(wanted, wanted.kinds, is_forced=options.force, is_patient=False)
    return 0 if try_now(wish, has_port=HTTP_01 not in wanted.kinds) else 1


def _secret(path: Path | None) -> str | None:
    """The key in a file: every user of the machine could see it on the command line."""
    if path is None:
        return None
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot read the key in {path}: {error}", "give a file that holds only the key"
        ) from None
