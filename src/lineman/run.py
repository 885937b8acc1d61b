"""Running a program: as one process, as a master with children, or as one of those children."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lineman.errors import ConfigError, UsageError
from lineman.net.listen import bind
from lineman.net.unixsocket import SocketFile
from lineman.process import logs
from lineman.process.master import SIGNALS, Child, Master
from lineman.process.role import Role, take_role
from lineman.tls.tickets import TicketSecret

if TYPE_CHECKING:
    from lineman.worker import Worker

logger = logging.getLogger("lineman")

STOP_TIMEOUT = 5.0
USAGE = "usage: python {script} [start]\n\nRuns in the foreground until Ctrl-C or SIGTERM."
NOT_YET = ("stop", "restart", "reload", "status", "connections")


def run_all(workers: Sequence[Worker], arguments: Sequence[str] | None) -> None:
    """Runs the workers until told to stop; leaves by `SystemExit`.

    Raises:
        SystemExit: status 0 after an orderly stop, 1 where the configuration cannot work,
            2 for a command that does not exist.
    """
    role = take_role()
    logs.set_up()
    if not workers:
        raise UsageError("there is no Worker to run; make one before Worker.run_all()")
    if role is None:
        _check_command(sys.argv[1:] if arguments is None else arguments)
    try:
        if role is not None:
            status = _run_child(workers, role)
        elif len(workers) == 1 and workers[0].count == 1:
            status = _serve(workers[0], None, lambda: None)
        else:
            status = _run_master(workers)
    except ConfigError as error:
        print(f"lineman: {error}", file=sys.stderr)
        status = 1
    sys.exit(status)


def _check_command(arguments: Sequence[str]) -> None:
    if not arguments or list(arguments) == ["start"]:
        return
    script = os.path.basename(sys.argv[0]) or "app.py"
    if arguments[0] in NOT_YET:
        print(
            f"lineman: {arguments[0]} does not exist yet; the service runs in the foreground: "
            "stop it with Ctrl-C or `kill -TERM PID`",
            file=sys.stderr,
        )
    elif list(arguments) == ["start", "-d"]:
        print(
            "lineman: start -d does not exist yet; to run it in the background, have systemd or "
            "a container start it without -d",
            file=sys.stderr,
        )
    elif arguments[0] not in ("-h", "--help"):
        print(f"lineman: unknown command {' '.join(arguments)!r}", file=sys.stderr)
    print(USAGE.format(script=script), file=sys.stderr)
    sys.exit(0 if arguments[0] in ("-h", "--help") else 2)


def _run_master(workers: Sequence[Worker]) -> int:
    plans = [worker.plan() for worker in workers]  # what cannot work is refused before anything
    children: list[Child] = []
    files: list[SocketFile] = []
    for index, (worker, plan) in enumerate(zip(workers, plans, strict=True)):
        address = plan.address
        for slot in range(worker.count):
            if address.path and slot:  # a unix socket has one file: its processes share the socket
                listener = children[-1].listener.dup()
            else:
                listener = bind(
                    address,
                    plan.limits.backlog,
                    reuse_port=True,
                    is_first=slot == 0,
                    socket_mode=plan.socket_mode,
                )
            if address.path and not slot:
                files.append(SocketFile(address.path))
            elif not address.port and not address.path:
                address = replace(address, port=listener.getsockname()[1])
            title = f"{worker.name or plan.url} #{slot}"
            children.append(Child(index, slot, listener, title))
    try:
        return Master(children, TicketSecret.create().descriptor).run()
    finally:
        for file in files:
            file.remove()


def _run_child(workers: Sequence[Worker], role: Role) -> int:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def say_ready() -> None:
        os.write(role.ready, b"1")
        os.close(role.ready)

    worker = workers[role.worker]
    worker.use_ticket_secret(TicketSecret(role.tickets))
    return _serve(worker, role, say_ready)


def _serve(worker: Worker, role: Role | None, on_ready: Callable[[], None]) -> int:
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_until_stopped(worker, role, on_ready))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # an extra
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _until_stopped(worker: Worker, role: Role | None, on_ready: Callable[[], None]) -> int:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    forced = asyncio.Event()

    def stop() -> None:
        if stopped.is_set():
            forced.set()
        stop_once()

    def stop_once() -> None:
        stopped.set()
        starting.cancel()

    listener = None if role is None else socket.socket(fileno=role.listener)
    starting = loop.create_task(worker.start(listener))
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    if role is None:
        loop.add_signal_handler(signal.SIGINT, stop)
    else:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us too; the master decides
        loop.add_reader(role.master, stop_once)  # the master is gone: so are we
    try:
        await starting
    except asyncio.CancelledError:
        return 0
    on_ready()
    await stopped.wait()
    if role is not None:
        loop.remove_reader(role.master)
    else:
        logger.info("stopping; Ctrl-C again drops what is left")
    stopping = loop.create_task(worker.stop(STOP_TIMEOUT))
    forcing = loop.create_task(forced.wait())
    await asyncio.wait((stopping, forcing), return_when=asyncio.FIRST_COMPLETED)
    forcing.cancel()
    if not stopping.done():
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)
        return 1
    if role is None:
        logger.info("stopped")
    return 0
