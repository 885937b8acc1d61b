"""`lineman cert check`: explains a certificate file, and what clients would say to it."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from lineman.base.finding import Level
from lineman.errors import ConfigError
from lineman.tls.advice.certificate_facts import CertificateFacts, look_at, roots_of
from lineman.tls.advice.verdict import Judgement, judge
from lineman.tls.files.certificate_check import check_files, read_pair, wrong_blocks
from lineman.tls.files.pem import PemFile, read_pem
from lineman.tls.files.sni_names import plain_name

_MARKS = {Level.OK: "ok  ", Level.INFO: "note", Level.ERROR: "BAD "}
_CLIENTS = (("a browser", "browser"), ("Java", "java"), ("a WeChat mini-program", "wechat"))


def add_to(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command and its options."""
    made = words.add_parser(
        "check",
        help="explain a certificate: chain, names, dates, key, and which clients refuse it",
        description="Explains a certificate: its chain, names, dates and key, and what a browser, "
        "Java and a WeChat mini-program would say to it. Exit status 1: some client refuses it.",
    )
    made.set_defaults(run=run)
    add = made.add_argument
    add("file", type=Path, metavar="FILE", help="PEM: the certificate, then its chain")
    add("--key", type=Path, metavar="FILE", help="its private key: does it belong to it?")
    add("--name", action="append", default=[], metavar="NAME",
        help="what clients connect to, such as chat.example.com (may be repeated)")  # fmt: skip
    add("--ca", type=Path, metavar="FILE", help="authorities in place of the system's (PEM)")


def run(options: argparse.Namespace) -> int:
    """Prints the explanation.

    Returns:
        0 when every client would accept it, 1 when one would refuse it.

    Raises:
        ConfigError: the file holds no certificate, or a name is invalid.
    """
    names = [name if ":" in name else plain_name(name) for name in options.name]
    file = read_pem(options.file, "certificate")
    if not file.certificates:
        raise wrong_blocks(file, "certificate")
    roots = roots_of(options.ca)
    facts = look_at(file, roots.trusted, roots.own)
    findings = [*judge(facts, names, datetime.now(UTC)), *_key_findings(options, file, facts)]
    print("\n".join(_lines(file, facts, findings)))
    return 1 if any(finding.level is Level.ERROR for finding in findings) else 0


def _key_findings(
    options: argparse.Namespace, file: PemFile, facts: CertificateFacts
) -> Iterator[Judgement]:
    """Whether the key belongs to the certificate; nothing if neither option nor file has a key."""
    if options.key is None and not file.keys:
        return
    try:
        cert, key = read_pair(options.file, options.key)
        # The dates are reported elsewhere, so this check uses a time at which it was valid.
        check_files(cert, key, _passphrase(key), now=facts.not_before)
    except ConfigError as error:
        yield Judgement(Level.ERROR, "", error.seen, error.fix)
    else:
        yield Judgement(Level.OK, "", f"the private key {key.shown} belongs to it")
        mode = os.stat(key.path).st_mode & 0o777
        if mode & 0o007:
            text = f"everybody on this machine may read {key.shown} (mode {mode:04o})"
            yield Judgement(Level.INFO, "", text, f"chmod o= {key.quoted}")


def _passphrase(key: PemFile) -> str | None:
    if key.keys[0].is_encrypted and sys.stdin.isatty():
        return getpass.getpass(f"passphrase of {key.shown}: ")
    return None


def _lines(file: PemFile, facts: CertificateFacts, findings: Sequence[Judgement]) -> Iterator[str]:
    count = len(file.certificates)
    yield f"{file.shown}: {count} certificate{'s' if count > 1 else ''}"
    yield f"  subject  {facts.subject or '(none)'}"
    yield f"  issuer   {facts.issuer}"
    yield f"  serial   {facts.serial}"
    yield ""
    for finding in findings:
        yield f"  {_MARKS[finding.level]} {finding.seen}"
        if finding.fix:
            yield f"       fix: {finding.fix}"
    yield ""
    for who, attribute in _CLIENTS:
        said = dict.fromkeys(getattr(finding, attribute) for finding in findings)
        words = "; ".join(word for word in said if word)
        yield f"  {who} {f'refuses it: {words}' if words else 'takes it'}"
