"""`lineman cert list`: the certificates from ACME authorities on this machine."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from lineman.cli.commands.cert.authority import add_directory, chosen
from lineman.tls.acme.acme_options import AcmeSettings, certificate_name
from lineman.tls.acme.acme_store import AcmeState, AcmeStore


def add_to(words: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command and its options."""
    made = words.add_parser(
        "list",
        help="list the certificates that were obtained here",
        description="Lists the certificates that were obtained here, when each ends, and the last "
        "error. Exit status 1: one is missing, has ended, or could not be renewed.",
    )
    made.set_defaults(run=run)
    add_directory(made)


def run(options: argparse.Namespace) -> int:
    """Prints a line for each certificate.

    Returns:
        0 when each is good, 1 when one is not.

    Raises:
        ConfigError: there are none, or the directory cannot be read.
    """
    now = datetime.now(UTC)
    is_good = True
    for settings in chosen(options.directory, []):
        store = AcmeStore(settings)
        state = store.state()
        is_good = is_good and not state.failures and store.is_usable(now)
        print(line(settings, state, is_there=store.certificate_path.exists(), now=now))
    return 0 if is_good else 1


def line(settings: AcmeSettings, state: AcmeState, *, is_there: bool, now: datetime) -> str:
    """One certificate in words."""
    name = f"{certificate_name(settings.domains)}  {settings.ca}"
    return "  ".join([name, _condition(state, is_there, now), *_failure(state)])


def _condition(state: AcmeState, is_there: bool, now: datetime) -> str:
    if not is_there:
        return "not obtained yet"
    if state.not_after is None:
        return "there"
    if now >= state.not_after:
        return f"ENDED on {state.not_after:%Y-%m-%d %H:%M} UTC"
    left = state.not_after - now
    span = f"{left.days} days" if left.days > 1 else f"{left.total_seconds() / 3600:.0f} hours"
    return f"valid until {state.not_after:%Y-%m-%d %H:%M} UTC ({span})"


def _failure(state: AcmeState) -> list[str]:
    if not state.failures or state.next_at is None:
        return []
    times = "once" if state.failures == 1 else f"{state.failures} times"
    return [f"FAILED {times}: {state.seen}; next attempt {state.next_at:%Y-%m-%d %H:%M} UTC"]
