"""The protocol of an address has its session."""

from __future__ import annotations

import pytest

from lineman.base import address
from lineman.config import session_factories
from lineman.net.connection.limits import Limits
from lineman.protocols.codecs.frame_session import FrameSession
from lineman.protocols.codecs.tcp_session import TcpSession
from lineman.protocols.codecs.text_session import TextSession


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("tcp://127.0.0.1:1", TcpSession),
        ("text+tls://127.0.0.1:1", TextSession),
        ("frame+unix:///run/app.sock", FrameSession),
    ],
)
def test_a_stream_has_its_session(text: str, kind: type) -> None:
    make = session_factories.of(address.parse(text).protocol)
    assert make is not None
    assert type(make(Limits())) is kind


@pytest.mark.parametrize("text", ["ws://127.0.0.1:1", "wss://127.0.0.1:1", "http://127.0.0.1:1"])
def test_a_websocket_begins_with_http(text: str) -> None:
    assert session_factories.of(address.parse(text).protocol) is None


def test_every_stream_has_one() -> None:
    assert [name for name in address.STREAMS if session_factories.of(name) is None] == []
