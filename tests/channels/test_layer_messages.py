"""To which layer a channel belongs, and which messages a hub takes."""

from __future__ import annotations

import pytest

from lineman.channels.layer_messages import TO_HUB, TO_LAYER, HubAnswer, LayerHello, owner_of
from lineman.links.framing import BadMessageError, encode


@pytest.mark.parametrize(
    ("channel", "owner"),
    [
        ("specific.abc123!def", "abc123"),
        ("a.b.c!d.e", "c"),
        ("prefix!local", "prefix"),
        ("a.b!", "b"),
        ("general", ""),
        ("dotted.general", ""),
    ],
)
def test_a_channel_belongs_to_the_layer_before_its_exclamation_mark(
    channel: str, owner: str
) -> None:
    assert owner_of(channel) == owner


def test_a_hub_takes_no_message_of_a_hub_and_no_garbage() -> None:
    assert TO_HUB.decode(encode(LayerHello("a"))) == LayerHello("a")
    for garbage in (
        encode(HubAnswer(1, "done")),
        b"",
        b"\xc1",
        b"\x92\x01",
        b"\x94\x02\x01\x02\x03",
    ):
        with pytest.raises(BadMessageError):
            TO_HUB.decode(garbage)
    with pytest.raises(BadMessageError):
        TO_LAYER.decode(encode(LayerHello("a")))
