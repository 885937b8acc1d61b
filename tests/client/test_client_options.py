"""What `connect` is given is checked before anything is opened."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from lineman import ClientOptions, ConfigError, UsageError
from lineman.client.client_options import plan
from lineman.testing.certificates import TestCA


def planned(url: str = "ws://h/", **options: Any) -> Any:
    return plan(url, ClientOptions(**options))


def test_a_websocket_offers_compression_and_says_its_headers() -> None:
    found = planned(
        "wss://example.com/x", headers={"A": "b"}, origin="https://o", subprotocols=["p"]
    )
    request = found.opening.request("AAAAAAAAAAAAAAAAAAAAAA==").decode()
    assert "GET /x HTTP/1.1" in request
    for line in ("Host: example.com", "A: b", "Origin: https://o", "Sec-WebSocket-Protocol: p"):
        assert f"\r\n{line}\r\n" in request
    assert "permessage-deflate" in request
    assert found.tls.verify_mode is ssl.CERT_REQUIRED
    assert found.tls.check_hostname
    without = planned("ws://h/", compression=False)
    assert "permessage" not in without.opening.request("AAAAAAAAAAAAAAAAAAAAAA==").decode()
    assert without.tls is None


@pytest.mark.parametrize("url", ["tcp://h:1", "text://h:1", "frame://h:1", "text+unix:///x"])
def test_a_stream_has_a_session_and_no_handshake(url: str) -> None:
    found = planned(url)
    assert found.opening is None
    assert found.tls is None
    assert found.factory(found.limits) is not None
    if "unix" not in url:
        assert planned(url.replace("://", "+tls://")).tls is not None


@pytest.mark.parametrize(
    ("url", "options", "words"),
    [
        (7, {}, "takes an address as text"),
        ("example.com", {}, "has no scheme"),
        ("http://h/", {}, "write ws://"),
        ("udp://h:1", {}, "no udp://"),
        ("tcps://h:1", {}, r"write tcp\+tls://h:1"),
        ("TEXTS://h:1", {}, r"write text\+tls://h:1"),
        ("tcp://h", {}, "no port"),
        ("ws://h/", {"timeout": 0}, "timeout is 0"),
        ("ws://h/", {"timeout": float("nan")}, "timeout is nan"),
        ("ws://h/", {"timeout": "1"}, "timeout is '1'"),
        ("ws://h/", {"headers": [("a",)]}, "give pairs"),
        ("ws://h/", {"headers": {"A": "b\r\nX: y"}}, "header"),
        ("ws://h/", {"headers": dict}, "for reconnect=True"),
        ("ws://h/", {"headers": "a"}, "headers is 'a'; give a dict"),
        ("ws://h/", {"headers": None}, "headers is None; give a dict"),
        ("ws://h/", {"headers": [("a", b"b")]}, "give names and values as text"),
        ("ws://h/", {"headers": {5: "b"}}, "give names and values as text"),
        ("ws://h/", {"subprotocols": "chat"}, "give a list of names"),
        ("ws://h/", {"subprotocols": None}, "give a list of names"),
        ("ws://h/", {"subprotocols": [5]}, "subprotocols has 5; give names as text"),
        ("ws://h/", {"subprotocols": ["a", "a"]}, "'a' twice"),
        ("ws://h/", {"ca": "x.pem"}, "ca is for TLS, and ws:// has none; connect to wss://"),
        ("text://h:1", {"cert": "x"}, r"cert is for TLS, .* connect to text\+tls://"),
        ("tcp+unix:///s", {"tls": 1}, r"tls is for TLS, .* connect to tcp\+tls\+unix:///s,"),
        ("wss://h/", {"ca": 5}, "ca is 5; give the path of a PEM file"),
        ("wss://h/", {"cert": "x", "key": 5}, "key is 5; give the path"),
        ("ws://h/", {"compression": 1}, "compression is 1"),
        ("ws://h/", {"protocol": object}, "protocol is for tcp"),
        ("text://h:1", {"protocol": object}, "protocol is for tcp"),
        ("tcp://h:1", {"headers": {"A": "b"}}, "headers belongs to websockets"),
        ("tcp://h:1", {"origin": "x"}, "origin belongs to websockets"),
        ("tcp://h:1", {"subprotocols": ["x"]}, "subprotocols belong to websockets"),
        ("wss://h/", {"tls": True}, "give an ssl.SSLContext"),
        ("wss://h/", {"tls": "dev"}, "give ca=, the path of its ca.pem"),
        ("wss://h/", {"key": "x.key"}, "key is given without cert"),
        ("ws://h/", {"first_delay": 0}, "first_delay is 0"),
        ("ws://h/", {"last_delay": "x"}, "last_delay is 'x'"),
        ("ws://h/", {"max_waiting": -1}, "max_waiting is -1"),
        ("ws://h/", {"first_delay": 5, "last_delay": 1}, "first_delay is 5, and last_delay 1"),
        ("ws://h/", {"reconnect": "yes"}, "reconnect is 'yes'; give True or False"),
        ("ws://h/", {"on_open": 7}, "on_open is 7"),
    ],
)
def test_what_cannot_be_is_an_error_in_words(url: Any, options: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        planned(url, **options)


def test_files_and_limits_that_cannot_work_are_named(tmp_path: Path) -> None:
    (tmp_path / "junk.pem").write_text("junk")
    with pytest.raises(ConfigError, match=r"ca: cannot use .*absent"):
        planned("wss://h/", ca=tmp_path / "absent.pem")
    with pytest.raises(ConfigError, match=r"ca: .*no certificate"):
        planned("wss://h/", ca=tmp_path / "junk.pem")
    with pytest.raises(ConfigError, match="cert and key: "):
        planned("wss://h/", cert=tmp_path / "junk.pem")
    with pytest.raises(ConfigError, match="max_message_size"):
        planned("ws://h/", max_message_size=-1)


def test_a_clients_certificate_is_loaded(tmp_path: Path) -> None:
    pair = TestCA(tmp_path).issue("client")
    assert planned("wss://h/", cert=pair.cert, key=pair.key).tls is not None
