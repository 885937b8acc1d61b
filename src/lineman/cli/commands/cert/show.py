"""`lineman cert show`: everything about one certificate from an ACME authority."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime

from lineman.cli.commands.cert.authority import add_directory, chosen
from lineman.errors import ConfigError
from lineman.tls.acme import renewal_schedule
from lineman.tls.acme.acme_options import AcmeSettings
from lineman.tls.acme.acme_store import AcmeState, AcmeStore
from lineman.tls.files.certificate_check import check_pair


def add_to(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command and its options."""
    made = words.add_parser(
        "show",
        help="show a certificate: its file, when it is renewed, and the last error",
        description="Shows a certificate that was obtained here: its file, its content, when it is "
        "renewed, and the last error. Exit status 1: it cannot be served.",
    )
    made.set_defaults(run=run)
    made.add_argument("name", metavar="NAME", help="one of its domains, or as `list` prints it")
    add_directory(made)


def run(options: argparse.Namespace) -> int:
    """Prints it.

    Returns:
        0 when it can be served, 1 when it cannot.

    Raises:
        ConfigError: there is no such certificate.
    """
    is_good = True
    for settings in chosen(options.directory, [options.name]):
        store = AcmeStore(settings)
        is_good = is_good and store.is_usable(datetime.now(UTC))
        for word, value in _facts(settings, store, store.state()):
            print(f"{word + ':':<15} {value}")
    return 0 if is_good else 1


def _facts(settings: AcmeSettings, store: AcmeStore, state: AcmeState) -> Iterator[tuple[str, str]]:
    yield "names", ", ".join(settings.domains)
    yield "authority", f"{settings.ca} ({settings.ca_url})"
    yield "challenges", ", ".join(settings.kinds or ())
    yield "file", str(store.certificate_path)
    try:
        info = check_pair(store.certificate_path, None, None, now=datetime.now(UTC))
    except ConfigError as error:
        yield "certificate", str(error)
    else:
        yield "serial", info.serial
        yield "issuer", info.issuer
        yield "key", info.key_type
        yield "valid", f"{_time(info.not_before)} to {_time(info.not_after)}"
        due = renewal_schedule.renew_at(info.not_before, info.not_after, state.luck, state.window)
        asked = " (the authority suggests it)" if state.window is not None else ""
        yield "renewed from", _time(due) + asked
    if state.failures and state.failed_at is not None:
        yield "failed", f"{state.failures} in a row, last on {_time(state.failed_at)}: {state.seen}"
        yield "fix", state.fix
    if state.next_at is not None:
        yield "next look", _time(state.next_at)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
