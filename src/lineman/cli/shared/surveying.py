"""The process in which `lineman doctor`, `config` and `proxy` run a program, to describe it.

`python -m lineman.cli.shared.surveying FILES SCRIPT`, or in place of SCRIPT the words of
`lineman serve`, started with a role by the caller. It runs the program up to the point where it
would serve, and ends. FILES is one of `FILES`.
"""

from __future__ import annotations

import ast
import hashlib
import logging
import runpy
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from lineman.base.program_words import is_application
from lineman.cli.shared import app_program
from lineman.config import applied_settings, checked_options, shown_options
from lineman.config.checked_options import CheckedOptions
from lineman.config.listen_addresses import ListenAddress, name_of
from lineman.config.settings import OF_PROGRAM
from lineman.errors import ConfigError, UsageError
from lineman.gateway.gateway import Gateway
from lineman.process.master.survey import (
    MAX_WORDS,
    Reaches,
    Survey,
    Surveyed,
    SurveyedAddress,
    SurveyedOption,
)
from lineman.process.messages.lines import clean
from lineman.process.messages.role import take_role
from lineman.runtime import describe
from lineman.runtime.run import apply_settings, check_program
from lineman.tls.files import inherited_files
from lineman.tls.files.pem import read_pem
from lineman.worker import Worker

# Which certificate files are opened: none, those that this process may read (the caller has the
# rest), or all. With `OPTIONS` none, and the answer has the options that are in force.
NONE, READABLE, ALL, OPTIONS = FILES = ("none", "readable", "all", "options")

# The options of the whole program, before it has run.
_DEFAULTS = {name: getattr(Worker, name) for name in OF_PROGRAM}

_TO_ALL = frozenset({"broadcast", "connections"})
# The address at which a proxy on the same machine reaches a worker, by the worker's host. A worker
# on localhost listens on its IPv4 address only.
NEIGHBOURS = {"0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}


class _Reached(BaseException):
    """The program has reached the point where it would begin to serve."""


def main() -> None:
    """Sends the survey to the caller; does not return."""
    role = take_role()
    if role is None or len(sys.argv) < 3 or sys.argv[1] not in FILES:
        sys.exit(
            "lineman.cli.shared.surveying is run by `lineman doctor`, `config` and `proxy` alone"
        )
    logging.basicConfig(format="%(message)s", level=logging.WARNING)  # the caller shows it
    inherited_files.use(role.files)
    files, words = sys.argv[1], sys.argv[2:]
    role.tell(lambda: _told(words, files))
    sys.exit(0)


def _told(words: Sequence[str], files: str) -> dict[str, Any]:
    script = Path(words[0])
    is_served = is_application(words[0])
    workers, reaches = workers_that_serve(words) if is_served else workers_of(script)
    found = survey(script, workers, reaches, NONE if files == OPTIONS else files)
    if files == OPTIONS:
        found = replace(
            found, options=_options(workers), workers=(*found.workers, *_faults_of_program(workers))
        )
    told: dict[str, Any] = found.to_json()
    return told


def _faults_of_program(workers: Sequence[Worker]) -> tuple[Surveyed, ...]:
    try:
        check_program(Worker, [each for each in workers if each.takes_settings])
    except ConfigError as error:
        return (Surveyed("program").failing(error),)
    return ()


def _options(workers: Sequence[Worker]) -> tuple[SurveyedOption, ...]:
    services = [*applied_settings.gateways]
    services += [each for worker in workers if (each := applied_settings.apply_to_worker(worker))]
    shown = [*shown_options.of_program(Worker, _DEFAULTS), *shown_options.of_services(services)]
    return tuple(
        SurveyedOption(
            clean(each.service, describe.MAX_TITLE),
            each.option,
            clean(each.value, MAX_WORDS),
            clean(each.source, MAX_WORDS),
        )
        for each in shown
    )


def survey(script: Path, workers: Sequence[Worker], reaches: Reaches, files: str) -> Survey:
    """Describes a program.

    Args:
        script: its file.
        workers: that it makes.
        reaches: as `Survey` has it.
        files: what is opened of them, as the module says.
    """
    twins: Counter[str] = Counter()
    found = []
    for worker in workers:
        name = name_of(worker.address)
        found.append(_surveyed(worker, twins[name], files))
        twins[name] += 1
    return Survey(tuple(found), _sends_to_all(script), reaches)


def _surveyed(worker: Worker, twin: int, files: str) -> Surveyed:
    name = clean(worker.name or name_of(worker.address), describe.MAX_TITLE)
    try:
        opens = files == ALL or (files == READABLE and describe.can_read_files(worker))
        plan = checked_options.read(worker, check_files=files != NONE, open_files=opens)
        place = describe.place_of(worker, twin, plan, opens)
    except (ConfigError, UsageError) as error:
        seen, fix = getattr(error, "seen", str(error)), getattr(error, "fix", "")
        return Surveyed(name, fault=clean(seen, MAX_WORDS), fix=clean(fix, MAX_WORDS))
    return Surveyed(
        name,
        place=place,
        addresses=tuple(_address(plan, each) for each in plan.addresses),
        certificate=_fingerprint(plan),
        has_gateway=worker.name in Gateway.all_names,
        trusts_proxies=bool(worker.trusted_proxies),
        real_ip_header=plan.real_ip_header or "",
        proxy_protocol=plan.given.proxy_protocol or "",
        ping_interval=plan.limits.ping_interval,
        ping_timeout=plan.limits.ping_timeout,
        max_message_size=max(plan.limits.max_message_size, plan.limits.max_upload_size),
    )


def _address(plan: CheckedOptions, listen: ListenAddress) -> SurveyedAddress:
    where = "unix" if listen.address.path else neighbour(listen.address.host)
    starts_tls = plan.given.start_tls and listen.may_start_tls
    return SurveyedAddress(listen.url, where in plan.trusted_proxies, starts_tls)


def neighbour(host: str) -> str:
    """Where a program on the same machine reaches a worker that listens on a host."""
    return NEIGHBOURS.get(host.lower(), host)


def _fingerprint(plan: CheckedOptions) -> str:
    cert = plan.tls.options.cert if plan.tls is not None else None
    try:
        found = read_pem(cert, "certificate").certificates if cert is not None else ()
    except ConfigError:
        return ""
    return hashlib.sha256(found[0].der).hexdigest() if found else ""


def _sends_to_all(script: Path) -> int:
    """The first line that uses `worker.broadcast` or `worker.connections`."""
    try:
        tree = ast.parse(script.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return 0
    lines = (
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in _TO_ALL
    )
    return min(lines, default=0)


# The program itself.


def workers_of(script: Path) -> tuple[list[Worker], Reaches]:
    """Runs a program up to the point where it would serve.

    The code before `Worker.run_all()` is executed: its imports, and the other code at its top
    level. No port is opened and no callback is called.

    Returns:
        Its workers, and what it calls there, as `Survey` has it.

    Raises:
        ConfigError: it cannot be run, or makes no worker.
    """
    if not script.is_file():
        raise ConfigError(f"there is no program {script}", "give the path of your app.py")
    before = len(Worker.all_workers)
    applied_settings.forget()
    with _not_serving() as reached, _as_script(script):
        try:
            runpy.run_path(str(script), run_name="__main__")
        except _Reached:
            pass
        except SystemExit as ended:
            raise ConfigError(
                f"{script} ended with status {ended.code!r} before it came to its workers",
                f"run `python {script}` and read its output",
            ) from None
        except Exception as error:
            raise ConfigError(
                f"{script} cannot be read: {type(error).__name__}: {error}",
                f"run it: python {script}",
            ) from error
        apply_settings(Worker, Worker.all_workers[before:])
    found = Worker.all_workers[before:]
    del Worker.all_workers[before:]
    if not found:
        raise ConfigError(f"{script} makes no Worker", "give the program that makes it")
    return found, reached[0] if reached else ""


def workers_that_serve(words: Sequence[str]) -> tuple[list[Worker], Reaches]:
    """The same of an application, with the words of `lineman serve`.

    Raises:
        ConfigError: the application is not found, or an option cannot work.
    """
    before = len(Worker.all_workers)
    applied_settings.forget()
    app_program.worker_of(app_program.read(words))
    apply_settings(Worker, Worker.all_workers[before:])
    found = Worker.all_workers[before:]
    del Worker.all_workers[before:]
    return found, "run_all"


@contextmanager
def _not_serving() -> Iterator[list[Reaches]]:
    """Ends a program where it would serve; the list then holds the function that it called."""
    called: list[Reaches] = []

    def ending(name: Reaches) -> Callable[..., None]:
        def reached(*args: Any, **kwargs: Any) -> None:
            called.append(name)
            raise _Reached

        return reached

    names: tuple[Reaches, ...] = ("run_all", "start")
    kept = {name: Worker.__dict__[name] for name in names}
    for name in kept:
        setattr(Worker, name, ending(name))
    try:
        yield called
    finally:
        for name, function in kept.items():
            setattr(Worker, name, function)


@contextmanager
def _as_script(script: Path) -> Iterator[None]:
    """Arguments and search path as `python script` would have them."""
    arguments, path = sys.argv, sys.path
    sys.argv = [str(script)]
    sys.path = [str(script.absolute().parent), *path]
    try:
        yield
    finally:
        sys.argv, sys.path = arguments, path


if __name__ == "__main__":
    main()
