"""`lineman cert trust` and `untrust`: the development authority in the stores of this machine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from lineman.base.home import home
from lineman.errors import ConfigError
from lineman.tls.development import devca, truststore
from lineman.tls.development.machine import dev_directory, private_addresses
from lineman.tls.development.truststore import SystemStore, TrustStore


def add_to(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds both words and their options."""
    for word, run, text in (
        ("trust", trust, "make this machine trust the development authority"),
        ("untrust", untrust, "remove the development authority from this machine's stores"),
    ):
        made = words.add_parser(
            word, help=text, description=text.capitalize() + ". Restart browsers afterwards."
        )
        made.set_defaults(run=run)
        add = made.add_argument
        default = 'the authority of tls="dev", which is made if there is none'
        if word == "untrust":
            default = "every development authority"
        add("--ca", type=Path, metavar="FILE", help=f"the authority (default: {default})")
        only = made.add_mutually_exclusive_group()
        only.add_argument("--system", action="store_true", help="the system's store only")
        only.add_argument("--browsers", action="store_true", help="the browsers' stores only")
        add("--system-directory", type=Path, metavar="DIRECTORY", help=argparse.SUPPRESS)


def trust(options: argparse.Namespace) -> int:
    """Adds the authority to each store, and prints the result.

    Returns:
        0 when every store accepted it, 1 when one did not.
    """
    ca = options.ca or devca.development_certificate(dev_directory(), private_addresses()).ca
    print(f"the authority {ca}")
    return _each(options, lambda store: store.trust(ca.absolute()))


def untrust(options: argparse.Namespace) -> int:
    """Removes the authority, or every development authority, from each store, and prints it.

    Returns:
        0 when none is left in any, 1 when one could not be changed.
    """
    return _each(options, lambda store: store.untrust(options.ca) or "nothing to remove")


def _each(options: argparse.Namespace, change: Callable[[TrustStore], str]) -> int:
    status = 0
    for store in _stores(options):
        try:
            print(f"  {store.title}: {change(store)}")
        except ConfigError as error:
            print(f"  {store.title}: {error}", file=sys.stderr)
            status = 1
    return status


def _stores(options: argparse.Namespace) -> Iterator[TrustStore]:
    if not options.browsers:
        system = truststore.system_store()
        if options.system_directory is not None:
            system = SystemStore(options.system_directory, ("true",))
        if system is not None:
            yield system
        else:
            print("  the system's store: Lineman knows none on this system", file=sys.stderr)
    if not options.system:
        yield from truststore.browser_stores(home("--system for the system's store alone"))
