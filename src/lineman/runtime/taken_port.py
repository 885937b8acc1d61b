"""Explains an error of `on_worker_start` that a port is in use: which process has it, and the fix.

`asyncio.start_server` in `on_worker_start` is the usual case. It works at the start. At a reload it
fails: the old process keeps the port until the new one is ready, which needs the port.
"""

from __future__ import annotations

import errno
import os
import re

from lineman.config.worker_description import WorkerDescription
from lineman.net.listening import portholder
from lineman.process.rundir.masters import how_to_stop, is_of_this_program

# In errors of asyncio and uvloop: "… to bind on address ('127.0.0.1', 5678): address already …".
_ADDRESS = re.compile(r"\('(?P<host>[^']*)', (?P<port>[0-9]{1,5})\b")

_BY_HAND = (
    "for a websocket or HTTP port let lineman pass it on: "
    'await Worker("ws://{host}:{port}").start(); for another protocol: '
    "asyncio.start_server(…, reuse_port=True), and restart the program once"
)


def explain(error: BaseException, worker: WorkerDescription) -> str | None:
    """Why a worker did not start, as text; None if the reason is not a port in use.

    Args:
        error: the exception of `on_worker_start`.
        worker: the worker that raised it.
    """
    if not isinstance(error, OSError) or error.errno != errno.EADDRINUSE:
        return None
    seen = f"on_worker_start cannot listen: {error.strerror or error}"
    found = _ADDRESS.search(str(error))
    if found is None:
        return (
            f"{seen}; fix: if a process of this program had the port before the reload, let both "
            "set SO_REUSEPORT, and restart the program once; else `ss -ltnp` shows who has it"
        )
    host, port = found["host"], int(found["port"])
    where = f"[{host}]" if ":" in host else host
    seen = f"on_worker_start cannot listen on {where}:{port}: the port is taken"
    holder = portholder.find(port)
    if holder is None:
        return f"{seen}; fix: stop the process that `ss -ltnp 'sport = :{port}'` shows"
    by = f"{seen} by {holder.name} (process {holder.pid})"
    if not is_of_this_program(holder.pid):
        return f"{by}; fix: stop it: {how_to_stop(holder.pid)}; or listen on another port"
    if holder.pid == os.getppid():  # the master has the sockets of all workers
        return f"{by}: a Worker of this program has it; fix: listen on another port"
    if worker.count > 1:
        return (
            f"{by}, which belongs to this program: each of the {worker.count} processes of "
            f"{worker!r} "
            f"would listen there; fix: {worker.push_remedy}"
        )
    return (
        f"{by}, which belongs to this program and continues until the new process is ready; "
        f"fix: {_BY_HAND.format(host=where, port=port)}"
    )
