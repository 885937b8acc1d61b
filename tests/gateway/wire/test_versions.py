"""What two processes of different versions understand of each other."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from gateway.wire import version4
from lineman.gateway.wire import messages, node_messages, versions
from lineman.gateway.wire.messages import Hello, new_hello
from lineman.gateway.wire.versions import WireVersions
from lineman.links.framing import Message, WireFormat, encode

RECORDED = [
    pytest.param(wire, name, recorded, id=f"{name} {direction}")
    for direction, wire, all_recorded in (
        ("to a business worker", messages.TO_BUSINESS, version4.TO_BUSINESS),
        ("to a gateway process", messages.TO_GATEWAY, version4.TO_GATEWAY),
        ("between nodes", node_messages.BETWEEN_NODES, version4.BETWEEN_NODES),
    )
    for name, recorded in all_recorded.items()
]


@pytest.mark.parametrize(("wire", "name", "recorded"), RECORDED)
def test_what_version_4_sends_is_understood(
    wire: WireFormat, name: str, recorded: tuple[str, Message]
) -> None:
    digits, said = recorded
    found = wire.decode(bytes.fromhex(digits))
    assert type(found).__name__ == name
    assert found == said


@pytest.mark.parametrize(("wire", "name", "recorded"), RECORDED)
def test_version_4_understands_what_is_sent_now(
    wire: WireFormat, name: str, recorded: tuple[str, Message]
) -> None:
    digits, said = recorded
    before: list[Any] = msgspec.msgpack.decode(bytes.fromhex(digits))
    now: list[Any] = msgspec.msgpack.decode(encode(said))
    # It reads as many fields as it knows, and leaves out those that have come since.
    assert _cut(now, before) == before


def _cut(value: Any, like: Any) -> Any:
    """A value without the fields that version 4 does not know."""
    if not isinstance(value, list) or not isinstance(like, list):
        return value
    return [_cut(one, other) for one, other in zip(value, like, strict=False)]


@pytest.mark.parametrize(
    ("own", "peer", "agreed"),
    [
        ((4, 5), (4, 5), 5),
        ((4, 5), (4, 4), 4),
        ((4, 5), (5, 6), 5),
        ((4, 4), (4, 5), 4),
        ((5, 6), (4, 5), 5),
        ((4, 5), (6, 7), 0),
        ((6, 7), (4, 5), 0),
        ((4, 6), (4, 5), 5),
        ((4, 5), (-1, -1), 0),
        ((4, 5), (5, 1 << 60), 5),
    ],
)
def test_the_newest_that_both_have_is_used(
    monkeypatch: pytest.MonkeyPatch, own: tuple[int, int], peer: tuple[int, int], agreed: int
) -> None:
    monkeypatch.setattr(versions, "own", WireVersions(*own))
    assert versions.agreed_with(versions.of_peer(*peer)) == agreed


def test_version_4_names_no_second_number() -> None:
    assert Hello(4).versions == WireVersions(4, 4)
    assert new_hello(1).versions == versions.own


def test_a_refusal_names_the_versions_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "own", WireVersions(4, 4))
    said = versions.refusal(WireVersions(6, 7))
    assert said == "it speaks versions 6 to 7 of Lineman's wire, and this process version 4"


def test_each_kind_on_a_link_is_of_version_4_or_known_to_be_newer() -> None:
    """A new kind belongs here, and is sent only to an end that has agreed on its version."""
    to_business = {kind.__name__ for kind in get_args(messages.ToBusiness)}
    of_apps = {"CallApp", "BodyPart", "CallerGone", "CallerRoom", "Resumed", "HasRoom"}
    newer = {"HistoryGap", "TimerDue", "TimersFull", "LinkConfirm", *of_apps}
    assert to_business - set(version4.TO_BUSINESS) == newer
    to_gateway = {kind.__name__ for kind in get_args(messages.ToGateway)}
    of_apps = {"AnswerHead", "AnswerPiece", "AskCallerRoom", "AnswerEnd", "AnswerFailed"}
    of_apps |= {"BodyTaken", "LetGo", "AskRoom"}
    newer = {"SetTimer", "CancelTimer", "TimerDone", "NewsDone", *of_apps}
    assert to_gateway - set(version4.TO_GATEWAY) == newer
