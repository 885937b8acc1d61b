"""`status`, `connections` and `top` of real programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from kit.looking import Run
from kit.screen import Screen

# status and connections.


def test_status_tells_of_every_process(run: Run) -> None:
    app = run(count=2)
    client = app.client()
    client.send("hello")
    pid = int(client.receive_message())
    told = app.told("status")
    assert told["master"]["pid"] == app.program.process.pid
    assert told["master"]["state"] == "running"
    reports = {child["pid"]: child["report"] for child in told["children"]}
    assert len(reports) == 2
    assert reports[pid]["connections"] == 1
    assert reports[pid]["totals"]["messages_in"] == 1
    assert sum(report["connections"] for report in reports.values()) == 1
    done = app.command("status")
    assert done.returncode == 0
    assert "app.py: running; 2 of 2 processes accept clients" in done.stdout


def test_connections_are_listed_and_filtered(run: Run) -> None:
    app = run(count=2)
    clients = [app.client() for _ in range(5)]
    told = app.told("connections", "--sort", "id", "--limit", "3")
    assert (len(told["rows"]), told["matching"], told["total"]) == (3, 5, 5)
    clients[0].send("hello")
    pid = int(clients[0].receive_message())
    (busiest,) = app.told("connections", "--sort", "messages", "--limit", "1")["rows"]
    assert (busiest["pid"], busiest["messages_in"], busiest["worker"]) == (pid, 1, "chat")
    assert app.told("connections", "--ip", "10.0.0.0/8")["matching"] == 0
    assert app.told("connections", "--pid", str(pid))["matching"] >= 1
    done = app.command("connections", "--worker", "nix")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no worker 'nix'; there are chat" in done.stderr
    text = app.command("connections").stdout
    assert f"127.0.0.1:{clients[0].address[1]} " in text
    assert "5 of 5 connections" in text


def test_a_program_that_does_not_run_is_told_with_exit_status_3(run: Run) -> None:
    app = run()
    app.program.stop()
    for command in ("status", "connections"):
        done = app.command(command)
        assert done.returncode == 3
        assert "app.py does not run" in done.stderr
        assert "fix: python app.py start" in done.stderr


def test_options_that_make_no_sense_are_told_with_exit_status_2(run: Run) -> None:
    app = run()
    done = app.command("connections", "--ip", "localhost")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'localhost' is no address or network" in done.stderr


def test_a_process_that_hangs_is_busy_and_the_others_are_told(run: Run) -> None:
    app = run(count=2)
    client = app.client()
    client.send("hang")
    told = app.told("status")
    busy = [child for child in told["children"] if child["report"] is None]
    assert len(busy) == 1
    assert busy[0]["state"] == "ready"
    done = app.command("connections")
    assert done.returncode == 1
    assert f"without the processes {busy[0]['pid']}: busy" in done.stdout
    (app.script.parent / "gate").touch()
    assert client.receive_message() == str(busy[0]["pid"])


def test_a_reader_of_the_table_that_has_enough_does_not_hurt(run: Run) -> None:
    app = run()
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, str(app.script), "status", "--json"]
    with open(writer, "wb") as out:
        done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True)
    assert done.stderr == ""


def test_top_goes_on_while_the_service_restarts_underneath(run: Run, tmp_path: Path) -> None:
    app = run()
    screen = Screen([sys.executable, app.script, "top", "--interval", "0.1"])
    try:
        screen.wait_for("app.py: running")
        app.program.stop()
        screen.wait_for("trying again")
        again = run()
        screen.wait_for("app.py: running")
        screen.wait_for(f"master {again.program.process.pid}")
        screen.press("q")
        assert screen.ended() == 0
    finally:
        screen.close()
