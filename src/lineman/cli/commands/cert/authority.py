"""What `obtain`, `renew`, `list` and `show` share: the state directory, and one ACME attempt."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
from pathlib import Path

from lineman.base.address import Address
from lineman.errors import ConfigError
from lineman.process.log import log_setup
from lineman.runtime import worker_certificates
from lineman.tls.acme.acme_job import JobReport, Wish
from lineman.tls.acme.acme_options import AcmeSettings, certificate_name, default_directory
from lineman.tls.acme.acme_store import AcmeStore, kept
from lineman.tls.acme.challenge_answers import ChallengeAnswers
from lineman.tls.acme.keeper import attempt


def add_directory(made: argparse.ArgumentParser) -> None:
    """Adds the option that says where certificates are kept."""
    made.add_argument(
        "--directory",
        type=Path,
        default=default_directory(),
        metavar="DIR",
        help="where certificates are kept (default: %(default)s)",
    )


def chosen(directory: Path, names: list[str]) -> list[AcmeSettings]:
    """The certificates with these names, or all of them.

    Args:
        directory: the state directory.
        names: domains, or names as `list` prints them; none for all.

    Raises:
        ConfigError: there is no certificate at all, or none with one of the names.
    """
    found = kept(directory)
    if not found:
        raise ConfigError(
            f"there are no certificates in {directory}",
            "lineman cert obtain NAME, or give --directory",
        )
    if not names:
        return found
    picked: list[AcmeSettings] = []
    for name in names:
        those = [each for each in found if name in (certificate_name(each.domains), *each.domains)]
        if not those:
            raise ConfigError(
                f"there is no certificate for {name} in {directory}",
                f"lineman cert list --directory {directory}",
            )
        picked += [each for each in those if each not in picked]
    return picked


def try_now(wish: Wish, *, has_port: bool) -> bool:
    """Makes one attempt, prints what happens, and returns whether there is a certificate.

    Args:
        wish: what to do.
        has_port: whether a running service answers already, so that no port need be opened.

    Raises:
        ConfigError: this is root, and the certificates are another user's.
    """
    _refuse_as_root(wish.settings.root)
    log_setup.set_up()
    report = asyncio.run(_try(wish, has_port))
    name = ", ".join(wish.settings.domains)
    if report.result == "failed":
        print(f"lineman: no certificate for {name}: {report.seen}; fix: {report.fix}",
              file=sys.stderr)  # fmt: skip
        return False
    word = "is not due yet" if report.result == "kept" else "is here"
    print(f"the certificate for {name} {word}: {AcmeStore(wish.settings).certificate_path}")
    return True


def _refuse_as_root(root: Path) -> None:
    """Refuses root in another user's directory: that user's service could not read new files."""
    owner = root.stat().st_uid if root.is_dir() else 0
    if os.geteuid() == 0 and owner != 0:
        raise ConfigError(
            f"{root} belongs to the user {owner}, and you are root: that user could not read the "
            "new files",
            f"sudo -u '#{owner}' lineman cert …",
        )


async def _try(wish: Wish, has_port: bool) -> JobReport:
    settings = wish.settings
    if has_port:
        return await attempt(wish, print)
    host = "::" if socket.has_dualstack_ipv6() else "0.0.0.0"
    where = Address("wss", host, 443)
    async with worker_certificates.plain_port(settings, where, ChallengeAnswers(settings.root)):
        return await attempt(wish, print)
