"""The output of children passes through the master, in whole lines."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from lineman.process.log import log_setup
from lineman.process.master.child_output import MAX_LINE, Outputs
from lineman.process.master.reactor import Reactor


@pytest.fixture
def outputs(capfd: pytest.CaptureFixture[str]) -> Iterator[Outputs]:
    reactor = Reactor(())
    made = Outputs(reactor)
    yield made
    made.end()
    reactor.close()


def passed_on(outputs: Outputs) -> None:
    outputs.drain()
    log_setup.flush()


def test_lines_are_passed_on_whole_and_the_rest_at_the_end(
    outputs: Outputs, capfd: pytest.CaptureFixture[str]
) -> None:
    with outputs.opened() as (_, error):
        os.write(error, b"one\ntwo and ")
        passed_on(outputs)
        assert capfd.readouterr().err == "one\n"
        os.write(error, b"more\nlast words")
        passed_on(outputs)
        assert capfd.readouterr().err == "two and more\n"
    outputs.end()
    assert capfd.readouterr().err == "last words\n"


def test_output_and_error_stay_apart_where_they_lead_to_different_places(
    outputs: Outputs, capfd: pytest.CaptureFixture[str]
) -> None:
    with outputs.opened() as (output, error):
        os.write(output, b"printed\n")
        os.write(error, b"logged\n")
    outputs.end()
    assert capfd.readouterr() == ("printed\n", "logged\n")


def test_a_line_without_an_end_is_passed_on_in_parts_and_fills_no_memory(
    outputs: Outputs, capfd: pytest.CaptureFixture[str]
) -> None:
    with outputs.opened() as (_, error):
        written = 0
        while written <= MAX_LINE:
            written += os.write(error, b"x" * 32 * 1024)
            passed_on(outputs)
        assert capfd.readouterr().err == "x" * written + "\n"
