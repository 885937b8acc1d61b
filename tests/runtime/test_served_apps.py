"""Applications under a master: their start is watched, and a failure is told."""

from __future__ import annotations

from kit.app import MakeApp

PROGRAM = """
    import asyncio
    from lineman import Worker

    async def app(scope, receive, send):
        await receive()
        {step}

    Worker("http://127.0.0.1:0", app=app, start_timeout={timeout})
    Worker.run_all()
"""


def test_a_lifespan_that_fails_is_the_reason_of_the_failed_start(make_app: MakeApp) -> None:
    step = "await send({'type': 'lifespan.startup.failed', 'message': 'no database'})"
    app = make_app(PROGRAM.format(step=step, timeout=20))
    done = app.run("start", "-d")
    assert done.returncode == 1
    assert "the lifespan failed at the start: no database" in done.stderr + done.stdout


def test_a_lifespan_that_never_ends_is_named(make_app: MakeApp) -> None:
    app = make_app(PROGRAM.format(step="await asyncio.Event().wait()", timeout=2))
    done = app.run("start", "-d")
    assert done.returncode == 1
    assert "the lifespan of __main__:app" in done.stderr + done.stdout
