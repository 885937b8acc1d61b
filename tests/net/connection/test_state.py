from __future__ import annotations

from lineman.net.connection.state import CLOSED, CLOSING, FINISHING, HANDSHAKE, NEXT, OPEN, State


def test_every_state_says_what_may_follow() -> None:
    assert set(NEXT) == set(State)


def test_nothing_follows_the_end() -> None:
    assert NEXT[CLOSED] == frozenset()


def test_every_state_before_the_end_can_end_at_once() -> None:
    assert all(CLOSED in NEXT[state] for state in State if state is not CLOSED)


def test_no_state_leads_back() -> None:
    order = [HANDSHAKE, OPEN, CLOSING, FINISHING, CLOSED]
    for state, following in NEXT.items():
        assert all(order.index(after) > order.index(state) for after in following)


def test_a_connection_that_is_refused_is_never_open() -> None:
    assert NEXT[HANDSHAKE] == {OPEN, FINISHING, CLOSED}


def test_only_an_open_connection_begins_a_closing_handshake() -> None:
    assert [state for state in State if CLOSING in NEXT[state]] == [OPEN]
