"""Workers inside of workers where that cannot work: what is said, and that the rest goes on."""

from __future__ import annotations

import os
import re
import signal

import pytest

from kit.app import MakeApp
from runtime.pushing import BY_HAND, GATEWAY, ask, at, pushing


def test_another_host_with_the_same_port_needs_a_restart_and_the_error_says_so(
    make_app: MakeApp, port: int
) -> None:
    app = make_app(pushing(at(port)))
    app.start()
    old = ask(port)
    app.write(pushing(f"ws://0.0.0.0:{port}"))
    done = app.run("reload")
    assert done.returncode == 1
    assert "which belongs to this program; fix: restart the program once" in done.stderr
    assert "kill" not in done.stderr
    assert ask(port) == old
    os.kill(old, signal.SIGKILL)  # the port is left over in the store, and nobody's
    app.program.wait_for_line(f"listening on ws://0.0.0.0:{port}")  # type: ignore[union-attr]
    assert ask(port) != old


def test_two_workers_with_one_port_are_told_apart_from_a_reload(
    make_app: MakeApp, port: int
) -> None:
    twice = f"await Worker('{at(port)}').start()"
    done = make_app(pushing(at(port), after=twice)).run("start")
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "belongs to this program; fix: give each Worker a different address" in said
    outer = pushing(at(port)).replace("127.0.0.1:0", f"127.0.0.1:{port}")
    done = make_app(outer).run("start")
    assert done.returncode == 1
    assert "fix: give each Worker a different address" in done.stdout + done.stderr
    by_hand = BY_HAND.format(count=1, where=f'"127.0.0.1", {port}', more="")
    done = make_app(by_hand.replace("127.0.0.1:0", f"127.0.0.1:{port}")).run("start")
    assert done.returncode == 1
    assert "a Worker of this program has it; fix: listen on another port" in (
        done.stdout + done.stderr
    )


def test_a_gateway_inside_of_a_worker_is_refused(make_app: MakeApp, port: int) -> None:
    gateway = "from lineman import Gateway; Gateway('ws://127.0.0.1:0')"
    done = make_app(pushing(at(port), before=gateway)).run("start")
    assert done.returncode == 1
    assert "make it before Worker.run_all()" in done.stdout + done.stderr


@pytest.mark.parametrize("before", ["await inner.start()", "if not worker.id: await inner.start()"])
def test_with_several_processes_the_start_is_refused_and_gateway_named(
    make_app: MakeApp, port: int, before: str
) -> None:
    app = make_app(pushing(at(port), outer="count=2", before=before))
    done = app.run("start")
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert re.search(
        r"<Worker push> is started inside <Worker chat>, which has 2 processes.* "
        r"would reach only one of them; with `if worker.id == 0`, the first one; fix: use Gateway",
        said,
    )
    assert "Traceback" not in said


def test_what_a_task_group_wraps_is_said_as_it_is(make_app: MakeApp, port: int) -> None:
    group = "async with asyncio.TaskGroup() as group: group.create_task(inner.start())"
    done = make_app(pushing(at(port), outer="count=2", before=group)).run("start")
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "`if worker.id == 0`, the first one; fix: use Gateway" in said
    assert "TaskGroup" not in said


def test_a_reload_to_several_processes_is_refused_and_the_old_one_goes_on(
    make_app: MakeApp, port: int
) -> None:
    app = make_app(pushing(at(port)))
    app.start()
    old = ask(port)
    app.write(pushing(at(port), outer="count=2"))
    done = app.run("reload")
    assert done.returncode == 1
    assert "use Gateway" in done.stderr
    assert ask(port) == old


def test_several_business_workers_of_a_gateway_are_pushed_to_in_another_way(
    make_app: MakeApp, port: int
) -> None:
    done = make_app(GATEWAY.format(workers=2, port=port)).run("start")
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "which has 2 processes" in said
    assert "fix: have programs push with GatewayClient, `lineman push` or Gateway(…, push=" in said
    assert "fix: use Gateway" not in said
