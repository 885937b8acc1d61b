"""Where the program's code is while the event loop stands still."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from kit.waiting import wait_until
from lineman.net.loop.standing_place import StandingPlace, place_of


def test_the_programs_own_line_is_named_whatever_it_calls() -> None:
    hold, inside = threading.Event(), threading.Event()

    def slow() -> None:
        inside.set()
        hold.wait()  # lines of the standard library

    thread = threading.Thread(target=slow)
    thread.start()
    try:
        inside.wait()
        assert thread.ident is not None
        place = place_of(sys._current_frames()[thread.ident])
    finally:
        hold.set()
        thread.join()
    assert ".slow at " in place
    assert "/test_standing_place.py:" in place


def test_a_library_is_named_where_the_program_has_no_line() -> None:
    code = compile("import sys; frame = sys._getframe()", "/a/site-packages/b.py", "exec")
    names: dict[str, Any] = {"__name__": "b"}
    thread = threading.Thread(target=exec, args=(code, names))
    thread.start()
    thread.join()
    assert place_of(names["frame"]) == "b.<module> at /a/site-packages/b.py:1"
    assert place_of(None) == ""


def test_what_stands_still_is_looked_at_and_what_goes_on_is_not() -> None:
    ticked_at = time.monotonic() + 3600
    standing = StandingPlace(lambda: ticked_at)
    standing.start()
    try:
        assert standing.since(ticked_at) == ""
        ticked_at = time.monotonic() - 2
        wait_until(lambda: standing.since(ticked_at), "the place is seen")
        assert "waiting.py:" in standing.since(ticked_at)  # this test's own waiting
        assert standing.since(ticked_at + 1) == ""  # of another time that it stood still
    finally:
        standing.stop()
