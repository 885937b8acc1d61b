"""Options as `lineman config` shows them."""

from __future__ import annotations

import pytest

from lineman import Worker
from lineman.config.applied_settings import Applied
from lineman.config.options import WorkerOptions
from lineman.config.settings import OF_PROGRAM, ConfiguredValue
from lineman.config.shown_options import HIDDEN, of_program, of_services


def shown(worker: Worker, **found: ConfiguredValue) -> dict[str, tuple[str, str]]:
    service = Applied("worker", worker.name, WorkerOptions, worker, found)
    return {each.option: (each.value, each.source) for each in of_services([service])}


def test_each_option_has_its_value_and_its_source(no_traces: None) -> None:
    worker = Worker("ws://127.0.0.1:1", count=3, passphrase="hush", context={"ssl": {}})
    rows = shown(worker, count=ConfiguredValue(3, "LINEMAN_COUNT"))
    assert rows["count"] == ("3", "LINEMAN_COUNT")
    assert rows["address"] == ("'ws://127.0.0.1:1'", "the code")
    assert rows["backlog"][1] == "default"
    assert rows["passphrase"] == rows["context"] == (HIDDEN, "the code")
    assert rows["cert"] == ("None", "default")


def test_the_programs_own_are_shown_too(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = {name: getattr(Worker, name) for name in OF_PROGRAM}
    monkeypatch.setattr(Worker, "broker", "nats://me:hush@127.0.0.1")
    monkeypatch.setattr(Worker, "secret", "hush-hush-hush-hush")
    rows = {each.option: (each.value, each.source) for each in of_program(Worker, defaults)}
    assert rows["broker"] == ("'nats://me:***@127.0.0.1'", "the code")
    assert rows["secret"] == (HIDDEN, "the code")
    assert rows["log_format"] == ("'text'", "default")
