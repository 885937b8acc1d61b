"""`lineman cert renew`: renews what is due; a running service does so by itself."""

from __future__ import annotations

import argparse
import os

from lineman.cli.commands.cert.authority import add_directory, chosen, try_now
from lineman.tls.acme.acme_job import Wish
from lineman.tls.acme.acme_options import HTTP_01
from lineman.tls.acme.acme_store import AcmeStore
from lineman.tls.files import private_files


def add_to(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command and its options."""
    made = words.add_parser(
        "renew",
        help="renew certificates that are due",
        description="Renews the certificates that are due, or that you name, in the way in which "
        "they were obtained. Exit status 1: one could not be renewed.",
    )
    made.set_defaults(run=run)
    made.add_argument(
        "names", nargs="*", metavar="NAME", help="certificates to renew (default: all)"
    )
    made.add_argument("--force", action="store_true", help="also those that are not due")
    add_directory(made)


def run(options: argparse.Namespace) -> int:
    """Renews them one after the other.

    Returns:
        0 when each is good, 1 when one could not be renewed.

    Raises:
        ConfigError: there is no such certificate.
    """
    results = []
    for settings in chosen(options.directory, options.names):
        kinds = settings.kinds or ()
        wish = Wish(settings, kinds, is_forced=options.force, is_patient=False)
        is_answered = HTTP_01 not in kinds or _is_kept_by_service(AcmeStore(settings))
        results.append(try_now(wish, has_port=is_answered))
    return 0 if all(results) else 1


def _is_kept_by_service(store: AcmeStore) -> bool:
    """Whether a running service keeps this certificate, and so answers for it."""
    lock = private_files.try_lock(store.keeper_lock)
    if lock is not None:
        os.close(lock)
    return lock is None
