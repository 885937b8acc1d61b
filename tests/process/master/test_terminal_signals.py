from __future__ import annotations

from lineman.process.master.terminal_signals import ECHO, ControllingTerminal


def test_the_same_word_twice_at_once_is_one_word_and_later_a_second() -> None:
    terminal = ControllingTerminal()
    times = [10.0, 10.001, 10.0 + ECHO - 0.001, 10.0 + ECHO, 10.0 + 2 * ECHO + 0.001]
    assert [terminal.is_echo(now) for now in times] == [False, True, True, False, False]


def test_an_echo_does_not_make_the_next_word_one() -> None:
    terminal = ControllingTerminal()
    assert not terminal.is_echo(10.0)
    assert terminal.is_echo(10.0 + 0.9 * ECHO)
    assert not terminal.is_echo(10.0 + 1.1 * ECHO)
