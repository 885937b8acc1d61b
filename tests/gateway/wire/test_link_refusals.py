"""How often a gateway process is dialled that ends each link, and when that is a refusal."""

from __future__ import annotations

from lineman.gateway.wire.link_refusals import ENOUGH, LONGEST_PAUSE, LinkRefusals

PATH = "/run/app/gateway-0.sock"


def test_the_pauses_grow_up_to_the_longest() -> None:
    refusals = LinkRefusals()
    assert refusals.is_time(PATH, 0)
    pauses = []
    for _ in range(30):
        refusals.note(PATH, "it ended", 0)
        tenths = (tenth for tenth in range(1000) if refusals.is_time(PATH, tenth / 10))
        pauses.append(next(tenths) / 10)
    assert pauses == sorted(pauses)
    assert 0 < pauses[0] < 1
    assert pauses[-1] == LONGEST_PAUSE


def test_a_few_ends_are_a_refusal_and_one_is_none() -> None:
    refusals = LinkRefusals()
    assert not refusals
    for number in range(ENOUGH):
        assert not refusals.reason
        refusals.note(PATH, "it ended", number)
    assert refusals
    assert refusals.reason == f"the gateway process at {PATH} ends each link: it ended"


def test_a_final_one_is_a_refusal_at_once() -> None:
    refusals = LinkRefusals()
    refusals.note(PATH, "it speaks version 9", 0, is_final=True)
    assert "it speaks version 9" in refusals.reason


def test_who_says_its_name_or_is_gone_refuses_no_more() -> None:
    refusals = LinkRefusals()
    for path in (PATH, "/gone"):
        refusals.note(path, "it ended", 0, is_final=True)
    refusals.sweep(lambda path: path == PATH)
    assert PATH in refusals.reason
    refusals.forget(PATH)
    assert not refusals
    assert refusals.is_time(PATH, 0)
    refusals.forget(PATH)
