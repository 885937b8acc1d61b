"""`Worker.run_all`: runs the role of this process, or hands the command to `lineman`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn, Self

from lineman.config import applied_settings
from lineman.config.worker_description import WorkerDescription
from lineman.errors import ConfigError, UsageError
from lineman.process.log import log_setup
from lineman.process.log.log_setup import LogOptions
from lineman.process.log.outlet import PATIENCE
from lineman.process.master.children import Program
from lineman.process.master.handoff import Handoff
from lineman.process.master.signal_meanings import TABLES
from lineman.process.messages.role import PROGRAM_VARIABLE, Role, take_role
from lineman.runtime import child
from lineman.runtime.describe import describe, metrics_place
from lineman.runtime.running_worker import RunningWorker
from lineman.sharing import in_use

# The commands that start the program, so that its options must be correct.
STARTING = ("start", "restart")


@dataclass(frozen=True, slots=True)
class ProgramOptions:
    """The settings of the whole program: the attributes of `Worker` with the same names.

    Attributes:
        callbacks: `on_master_reload` and `on_master_stop`, by `Role.moment`.
    """

    pid_file: str | Path | None
    log_file: str | Path | None
    log_format: str
    log_level: str | int
    metrics: str | None
    log_max_size: int | None = None
    log_keep: int = 1
    signals: str = "lineman"
    callbacks: Mapping[str, Callable[[], object] | None] = field(default_factory=dict)

    @classmethod
    def of(cls, worker_class: Any, pid_file: str | Path | None) -> Self:
        """The attributes that are set on `Worker`, and the pid file that was given besides."""
        names = {each.name for each in fields(cls)} - {"pid_file", "callbacks"}
        found: dict[str, Any] = {name: getattr(worker_class, name) for name in names}
        found["callbacks"] = {
            "reload": worker_class.on_master_reload.callback,
            "stop": worker_class.on_master_stop.callback,
        }
        return cls(pid_file or worker_class.pid_file, **found)

    def settings(self) -> dict[str, object]:
        """The settings for a master.

        Raises:
            ConfigError: a value that cannot work, and the fix.
        """
        log = LogOptions.read(
            self.log_file, self.log_format, self.log_level, self.log_max_size, self.log_keep
        )
        if self.signals not in TABLES:
            raise ConfigError(f"signals is {self.signals!r}", 'give "lineman" or "workerman"')
        return {
            **log.to_json(),
            "signals": self.signals,
            "metrics": self.metrics,
            "pid_file": self.place(),
            "has_master_stop": self.callbacks.get("stop") is not None,
        }

    def place(self) -> str | None:
        """The absolute path of the pid file; None for the default."""
        return None if self.pid_file is None else os.path.abspath(self.pid_file)


def run_program(
    worker_class: Any, arguments: Sequence[str] | None, pid_file: str | Path | None
) -> None:
    """Runs the command of the command line for all workers of the program; does not return.

    Args:
        worker_class: the class `Worker`, whose attributes belong to the whole program.
        arguments, pid_file: as for `Worker.run_all`.

    Raises:
        SystemExit: with status 1 if the configuration cannot work, or with a child's status.
    """
    role = take_role()
    try:
        of_program = _prepare(worker_class, pid_file, role)
    except ConfigError as error:
        refuse(error, role)
    run_all([worker.runtime for worker in worker_class.all_workers], arguments, of_program, role)


def _prepare(worker_class: Any, pid_file: str | Path | None, role: Role | None) -> ProgramOptions:
    """Sets what the settings say, and adds the hub if the program uses it.

    Raises:
        ConfigError: a setting or the broker of the program cannot work.
    """
    workers: list[Any] = worker_class.all_workers
    apply_settings(worker_class, workers, is_checked=role is None or role.describes)
    of_program = ProgramOptions.of(worker_class, pid_file)
    if (hub := _hub(worker_class, workers)) is not None:
        from lineman.runtime.program_hub import ProgramHub  # few programs need it

        made = worker_class(**hub)
        made.takes_settings = False
        ProgramHub(made)
    return of_program


def _hub(worker_class: Any, workers: Sequence[Any]) -> dict[str, Any] | None:
    if not (workers and in_use.is_wanted(worker_class.broker)):
        return None
    from lineman.runtime import program_hub  # few programs need it

    return program_hub.options(workers[0])


def check_program(worker_class: Any, workers: Sequence[Any]) -> None:
    """Checks the options of the whole program, without the services' own.

    Args:
        worker_class: the class `Worker`, with what the settings say.
        workers: the workers of the program.

    Raises:
        ConfigError: one of them cannot work.
    """
    metrics = ProgramOptions.of(worker_class, None).settings()["metrics"]
    if metrics is not None:
        metrics_place(metrics, ())
    _hub(worker_class, workers)


def apply_settings(
    worker_class: Any, workers: Sequence[WorkerDescription], *, is_checked: bool = True
) -> None:
    """Sets what the file and the environment say.

    Args:
        worker_class: as for `run_program`.
        workers: the workers of the program.
        is_checked: whether settings that no service has read are told.

    Raises:
        ConfigError: one of them cannot work.
    """
    applied_settings.apply_to_program(worker_class)
    for worker in workers:
        applied_settings.apply_to_worker(worker)
    if is_checked:
        applied_settings.check_names()


def refuse(why: ConfigError, role: Role | None) -> NoReturn:
    """Ends this process of a program that cannot run.

    Args:
        why: what its master is told.
        role: the process' role; None if it was started by hand, and the terminal is told.
    """
    if role is None:
        print(f"lineman: {why}", file=sys.stderr)
        sys.exit(1)
    role.refuse(why)


def run_all(
    workers: Sequence[RunningWorker],
    arguments: Sequence[str] | None,
    program: ProgramOptions,
    role: Role | None,
) -> None:
    """Runs the command of the command line; does not return.

    A process that was started by hand becomes `lineman`, which runs the command without the
    program's code. A child of the master serves.

    Raises:
        SystemExit: with status 1 if the configuration cannot work, or with a child's status.
    """
    if not workers:
        raise UsageError("there is no Worker to run; make one before Worker.run_all()")
    if role is None:
        _hand_over(workers, arguments, program)
    elif role.describes:
        _describe(workers, role, program)
    else:
        log_setup.set_up_for_child(role.settings, role.title, role.slot)
        sys.exit(child.run(workers, role))


def _describe(workers: Sequence[RunningWorker], role: Role, program: ProgramOptions) -> None:
    logging.basicConfig(format="%(message)s", level=logging.INFO)  # the master logs these lines

    def told() -> dict[str, Any]:
        described = describe([each.worker for each in workers], program.settings()).to_json()
        return {**described, "fault": _called(role.moment, program.callbacks.get(role.moment))}

    role.tell(told)
    sys.exit(0)


def _called(moment: str, callback: Callable[[], Any] | None) -> str:
    """Calls `on_master_reload` or `on_master_stop`; returns how it failed, as text."""
    if callback is None:
        return ""
    try:
        result = callback()
        if hasattr(result, "__await__"):
            asyncio.run(_awaited(result))
    except BaseException as error:
        logging.getLogger("lineman").exception("on_master_%s raised an exception", moment)
        return f"on_master_{moment} raised {type(error).__name__}: {error}"
    return ""


async def _awaited(result: Any) -> None:
    await result


def _hand_over(
    workers: Sequence[RunningWorker], arguments: Sequence[str] | None, program: ProgramOptions
) -> None:
    """Becomes `lineman COMMAND`, and tells it how to run the program."""
    _refuse_what_cannot_be_replaced()
    words = list(sys.argv[1:] if arguments is None else arguments) or ["start"]
    described = None
    if words[0] in STARTING:
        log_setup.set_up()
        try:
            described = describe([each.worker for each in workers], program.settings()).to_json()
        except ConfigError as error:
            log_setup.flush()
            print(f"lineman: {error}", file=sys.stderr)
            sys.exit(1)
    script = sys.argv[0]
    own = () if arguments is None else tuple(w for w in sys.argv[1:] if w not in arguments)
    handoff = Handoff(
        Program(tuple(sys.orig_argv), _directory(), os.path.abspath(script), own),
        program.place(),
        described,
        f"python {os.path.basename(script)}",
    )
    environment = {**os.environ, PROGRAM_VARIABLE: json.dumps(handoff.to_json())}
    root = str(Path(__file__).parents[2])
    if sys.path[0] == root or root == os.getcwd():  # found beside the script, not installed
        environment["PYTHONPATH"] = os.pathsep.join(
            [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        )
    _flush()
    os.execve(sys.executable, [sys.executable, "-P", "-m", "lineman", *words], environment)


def _flush() -> None:
    """Flushes the output; a reader that hangs or a full disk must not stop the service."""

    def flush() -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()

    writing = threading.Thread(target=flush, daemon=True)
    writing.start()
    writing.join(PATIENCE)
    log_setup.flush()


def _refuse_what_cannot_be_replaced() -> None:
    remedy = "to serve together with other tasks, `await worker.start()` inside their event loop"
    if sys.argv[0] in ("", "-"):
        raise UsageError("new processes need a file to run: write the program into one")
    if threading.current_thread() is not threading.main_thread():
        raise UsageError(
            f"run_all() takes the whole process, so call it in the main thread; {remedy}"
        )
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UsageError(f"run_all() takes the whole process, but an event loop runs in it; {remedy}")


def _directory() -> str:
    """The directory where the program was started, as the shell names it: links are kept."""
    logical = os.environ.get("PWD", "")
    try:
        is_here = os.path.isabs(logical) and os.path.samefile(logical, ".")
    except OSError:
        is_here = False
    return logical if is_here else os.getcwd()
