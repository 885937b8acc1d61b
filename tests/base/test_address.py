import pytest

from lineman.base.address import Address, format_ip_port, parse
from lineman.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected", "written"),
    [
        ("ws://0.0.0.0:8282", Address("ws", "0.0.0.0", 8282), "ws://0.0.0.0:8282"),
        ("wss://0.0.0.0:8443", Address("wss", "0.0.0.0", 8443), "wss://0.0.0.0:8443"),
        ("websocket://0.0.0.0:2000", Address("ws", "0.0.0.0", 2000), "ws://0.0.0.0:2000"),
        ("ws://127.0.0.1", Address("ws", "127.0.0.1", 80), "ws://127.0.0.1:80"),
        ("wss://chat.example.com", Address("wss", "chat.example.com", 443), None),
        ("ws://localhost:0", Address("ws", "localhost", 0), "ws://localhost:0"),
        ("WSS://[::1]:8443", Address("wss", "::1", 8443), "wss://[::1]:8443"),
        ("wss://[::]", Address("wss", "::", 443), "wss://[::]:443"),
        ("ws://my_service:1", Address("ws", "my_service", 1), "ws://my_service:1"),
        ("http://0.0.0.0", Address("http", "0.0.0.0", 80), "http://0.0.0.0:80"),
        ("HTTPS://[::1]", Address("https", "::1", 443), "https://[::1]:443"),
        ("http+unix:///s", Address("http", "", 0, "/s"), "http+unix:///s"),
        ("ws://a:65535", Address("ws", "a", 65535), "ws://a:65535"),
        ("tcp://0.0.0.0:7000", Address("tcp", "0.0.0.0", 7000), "tcp://0.0.0.0:7000"),
        ("TEXT://[::1]:7000", Address("text", "::1", 7000), "text://[::1]:7000"),
        ("frame+tls://a:1", Address("frame+tls", "a", 1), "frame+tls://a:1"),
        ("udp://0.0.0.0:9000", Address("udp", "0.0.0.0", 9000), "udp://0.0.0.0:9000"),
        ("UDP://[::1]:0", Address("udp", "::1", 0), "udp://[::1]:0"),
        ("tcp+unix:///s", Address("tcp", "", 0, "/s"), "tcp+unix:///s"),
        ("tcp+tls+unix:///s", Address("tcp+tls", "", 0, "/s"), "tcp+tls+unix:///s"),
    ],
)
def test_an_address_is_read_and_written_back(
    text: str, expected: Address, written: str | None
) -> None:
    address = parse(text)
    assert address == expected
    assert parse(str(address)) == expected
    if written is not None:
        assert str(address) == written


def test_the_scheme_tells_of_tls() -> None:
    assert parse("frame+tls://a:1").is_tls
    assert not parse("frame://a:1").is_tls
    assert parse("wss://a").is_tls
    assert not parse("ws://a").is_tls
    assert not parse("websocket://a").is_tls


@pytest.mark.parametrize("scheme", ["ssl", "unix", "UNIX"])
def test_a_scheme_of_a_later_version_is_refused_as_such(scheme: str) -> None:
    with pytest.raises(ConfigError, match=f"does not serve {scheme}:// yet") as caught:
        parse(f"{scheme}://0.0.0.0:80")
    assert "tcp://" in caught.value.fix or "tcp+unix://" in caught.value.fix


@pytest.mark.parametrize(
    "text", ["ws://a:1", "http://a:1", "tcp://a:1", "text+unix:///s", "frame://a:1"]
)
def test_an_address_is_the_same_with_tls_and_without(text: str) -> None:
    address = parse(text)
    assert address.over(is_tls=True).is_tls
    assert address.over(is_tls=True).protocol == address.protocol
    assert address.over(is_tls=True).over(is_tls=False) == address


@pytest.mark.parametrize("name", ["tcps", "texts", "FRAMES"])
def test_a_stream_with_an_s_behind_it_is_told_how_tls_is_written(name: str) -> None:
    with pytest.raises(ConfigError, match=f"the scheme '{name}'") as caught:
        parse(f"{name}://0.0.0.0:80")
    assert caught.value.fix == f"for TLS write {name.lower()[:-1]}+tls://"


def test_what_others_call_ssl_is_named() -> None:
    with pytest.raises(ConfigError, match="does not serve ssl:// yet") as caught:
        parse("ssl://0.0.0.0:80")
    assert "tcp://" in caught.value.fix


@pytest.mark.parametrize(
    ("text", "seen", "fix"),
    [
        ("gopher://a:1", "'gopher'", "wss://"),
        ("0.0.0.0:8282", "no scheme", "ws://0.0.0.0:8282"),
        ("", "no scheme", "ws://0.0.0.0:8282"),
        ("ws://", "no host", "ws://0.0.0.0 "),
        ("tcp://0.0.0.0", "no port", "tcp://0.0.0.0:8282"),
        ("udp://0.0.0.0", "no port", "udp://0.0.0.0:8282"),
        ("udp+tls://0.0.0.0:1", "sent in the clear", "take a stream: tcp://"),
        ("UDP+unix:///s", "sent in the clear", "take a stream: tcp://"),
        ("udp://0.0.0.0:9/x", "not part of the listening address", "write udp://0.0.0.0:9"),
        ("ws://:8282", "no host", "ws://0.0.0.0:8282"),
        ("wss:///chat", "no host", "wss://0.0.0.0"),
        ("ws://a:65536", "'65536'", "ws://a:8282"),
        ("ws://a:-1", "'-1'", "0 to 65535"),
        ("ws://a:", "port ''", "ws://a:8282"),
        ("ws://a:http", "'http'", "ws://a:8282"),
        ("ws://a:٣", "'٣'", "ws://a:8282"),
        ("ws://[::1]:99999", "'99999'", "ws://[::1]:8282"),
        ("wss://0.0.0.0:443/wss", "'/wss'", "wss://0.0.0.0:443 "),
        ("ws://0.0.0.0:80/", "'/'", "ws://0.0.0.0:80 "),
        ("https://a/b", "'/b'", "request.path in on_request"),
        ("ws://0.0.0.0:80?a=b", "'?a=b'", "ws://0.0.0.0:80 "),
        ("ws://*:80", "'*'", "ws://0.0.0.0"),
        ("ws://::1:80", "no brackets", "ws://[::1]:8282"),
        ("ws://[::1", "brackets", "ws://[::1]:8282"),
        ("ws://[zz]:1", "brackets", "ws://[::1]:8282"),
        ("ws://[::1]80", "brackets", "ws://[::1]:8282"),
        ("ws://256.1.1.1:80", "'256.1.1.1'", "ws://0.0.0.0:8282"),
        ("ws://a b:80", "'a b'", "ws://0.0.0.0:8282"),
        ("ws://tom@host:80", "'tom@host'", "ws://0.0.0.0:8282"),
        ("ws://a..b", "'a..b'", "ws://0.0.0.0:8282"),
    ],
)
def test_a_wrong_address_is_refused_with_what_was_seen_and_the_right_spelling(
    text: str, seen: str, fix: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    message = str(caught.value) + " "
    assert seen in message
    assert fix in message
    assert repr(text) in message


def test_something_that_is_not_a_string_is_refused() -> None:
    with pytest.raises(ConfigError, match="8282 is not a string"):
        parse(8282)  # type: ignore[arg-type]


def test_ipv6_stands_in_brackets_before_a_port() -> None:
    assert format_ip_port("127.0.0.1", 80) == "127.0.0.1:80"
    assert format_ip_port("::1", 80) == "[::1]:80"


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("ws+unix:///run/app.sock", "ws"),
        ("websocket+unix:///run/app.sock", "ws"),
        ("WSS+unix:///run/app.sock", "wss"),
    ],
)
def test_a_unix_socket_is_a_path(text: str, scheme: str) -> None:
    address = parse(text)
    assert address == Address(scheme, "", 0, "/run/app.sock")
    assert str(address) == f"{scheme}+unix:///run/app.sock"
    assert address.is_tls == (scheme == "wss")


@pytest.mark.parametrize(
    "path", ["run/app.sock", "", "/", "/run/", "/run/a\0b", "/" + "x" * 107, "/" + "é" * 54]
)
def test_a_path_that_cannot_be_a_sockets_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match=r"fix: write it like ws\+unix:///run/app\.sock"):
        parse(f"ws+unix://{path}")


def test_unix_alone_is_told_what_to_write() -> None:
    with pytest.raises(ConfigError, match=r"write ws\+unix:///run/app\.sock"):
        parse("unix:///run/app.sock")
