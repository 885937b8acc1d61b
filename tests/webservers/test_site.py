"""What a site refuses, and what it derives."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest

from lineman.errors import ConfigError
from lineman.webservers import Upstream, read_upstream
from webservers.support import WORKER, site

ENDERS = ["x; evil", "x\nevil", "x{", "x}", 'x"', "x'", "x y", "x#", "x$y", "x\\y", "x\0", "x\ty"]


@pytest.mark.parametrize("text", [*ENDERS, "", ".", "-a.org", "a..org", "x" * 64, "*.a.org", "a_b"])
def test_what_is_no_host_name_never_gets_into_a_file(text: str) -> None:
    with pytest.raises(ConfigError, match="is no host name"):
        site(text)


@pytest.mark.parametrize("text", ["192.0.2.1", "1.2.3"])
def test_an_ip_address_is_no_domain(text: str) -> None:
    with pytest.raises(ConfigError, match="is an IP address"):
        site(text)


def test_an_international_name_becomes_what_is_on_the_line() -> None:
    assert site("bücher.example").domain == "xn--bcher-kva.example"
    assert site("Chat.Example.COM").domain == "chat.example.com"


@pytest.mark.parametrize(
    "text", [*[f"/{one}" for one in ENDERS], "wss", "", "//", "/../x", "/a//b"]
)
def test_a_path_with_other_characters_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="the path"):
        site(path=text)


@pytest.mark.parametrize("path", ["/聊天", "/trò-chuyện/v1", "/%E8%81%8A%E5%A4%A9"])
def test_a_path_may_have_letters_of_any_script(path: str) -> None:
    assert site(path=path).path == unquote(path)
    assert site(cert="/etc/ssl/证书/全链.pem").cert == "/etc/ssl/证书/全链.pem"
    assert read_upstream("unix:/run/聊天/app.sock").path == "/run/聊天/app.sock"


@pytest.mark.parametrize(
    "path", ["/a\u3000b", "/a\u2028b", "/a%20b", "/a%0Ab", "/%22", "/%ff", "/\ud800", "/a\u00a0b"]
)
def test_blanks_of_other_scripts_and_what_is_encoded_are_refused_as_well(path: str) -> None:
    with pytest.raises(ConfigError, match="the path"):
        site(path=path)


def test_localhost_is_asked_at_the_address_where_a_worker_listens() -> None:
    assert str(read_upstream("localhost:8282")) == "127.0.0.1:8282"


@pytest.mark.parametrize("name", ["cert", "key", "root"])
@pytest.mark.parametrize("text", [*[f"/{one}" for one in ENDERS], "relative.pem", ""])
def test_a_file_with_other_characters_is_refused(name: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is"):
        site(**{name: text})


@pytest.mark.parametrize(
    ("text", "upstream"),
    [
        ("127.0.0.1:8282", Upstream("127.0.0.1", 8282)),
        ("[::1]:8282", Upstream("::1", 8282)),
        ("app-1.internal:80", Upstream("app-1.internal", 80)),
        ("unix:/run/app/app.sock", Upstream("", 0, "/run/app/app.sock")),
    ],
)
def test_an_upstream_comes_back_as_it_was_written(text: str, upstream: Upstream) -> None:
    assert read_upstream(text) == upstream
    assert str(upstream) == text


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x", "::1:8282", "[::1]",
        "[::g]:80", "[fe80::1%eth0]:80", "256.0.0.1:80", "ws://127.0.0.1:80", "a b:80",
        "a;b:80", "unix:app.sock", "unix:/run/a b", "unix:/run/a:b", "unix:", "", ":80",
        "a\n:80", "unix:/run/a\n",
    ],
)  # fmt: skip
def test_what_is_no_upstream_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="fix: "):
        read_upstream(text)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"upstreams": ()}, "there is no upstream"),
        ({"upstreams": (WORKER, WORKER)}, "given twice"),
        ({"cert": None}, "without its certificate"),
        ({"sticky": "header"}, "sticky is 'header'"),
        ({"sticky": "cookie", "is_tcp": True}, "sees no cookies"),
        ({"https_port": 0}, "the port 0"),
        ({"http_port": 65536}, "the port 65536"),
        ({"listen": ("localhost",)}, "is no IP address"),
        ({"listen": ("fe80::1%eth0",)}, "has a zone"),
    ],
)
def test_what_cannot_work_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        site(**options)


@pytest.mark.parametrize(
    ("interval", "timeout", "seconds"), [(25, 20, 90), (10, 5, 30), (0.1, 0.1, 1), (0, 20, 3600)]
)
def test_the_idle_timeout_comes_from_the_pings(
    interval: float, timeout: float, seconds: int
) -> None:
    one = site(ping_interval=interval, ping_timeout=timeout)
    assert one.idle_timeout == seconds
    assert f"{seconds} s" in one.why_idle


@pytest.mark.parametrize(
    ("texts", "seen"),
    [
        (["127.0.0.1:1", "localhost:2"], "127.0.0.1/32"),
        (["[::1]:1"], "::1"),
        (["unix:/a"], "unix"),
        (["10.0.0.5:1"], "THE.ADDRESS.OF.THIS.MACHINE/32"),
    ],
)
def test_the_worker_is_told_whom_to_trust(texts: list[str], seen: str) -> None:
    one = site(upstreams=tuple(read_upstream(text) for text in texts))
    assert f'trusted_proxies=["{seen}"]' in one.worker_line


@pytest.mark.parametrize(
    ("path", "is_prefix", "inside", "outside"),
    [
        ("/wss", False, ["/wss"], ["/wssx", "/wss/", "/WSS", "/x/wss"]),
        ("/a.b", True, ["/a.b", "/a.b/", "/a.b/c"], ["/a.bc", "/axb", "/A.b/c"]),
        ("/x/", True, ["/x/", "/x/y"], ["/x", "/xy"]),
        ("/", True, ["/", "/y"], []),
    ],
)
def test_the_pattern_matches_the_path_and_no_other(
    path: str, is_prefix: bool, inside: list[str], outside: list[str]
) -> None:
    import re

    pattern = site(path=path, is_prefix=is_prefix).pattern
    assert all(re.search(pattern, one) for one in inside)
    assert not any(re.search(pattern, one) for one in outside)
