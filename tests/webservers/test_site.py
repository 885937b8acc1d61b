"""What a site refuses, and what it derives."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineman.errors import ConfigError
from lineman.webservers import PROGRAMS, Site, Upstream, read_upstream
from lineman.webservers.server_version import Version

WORKER = Upstream("127.0.0.1", 8282)


CERT = {"cert": "/etc/ssl/a.pem", "key": "/etc/ssl/b.pem"}


def site(domain: str = "chat.example.com", **options: Any) -> Site:
    return Site(domain, **{"upstreams": (WORKER,), **CERT, **options})


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


# The four programs.

NEWEST: dict[str, Version] = {
    "nginx": (1, 31, 3), "apache": (2, 4, 71), "caddy": (2, 11, 4), "haproxy": (3, 2, 0),
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "version", "there", "not_there"),
    [
        ("nginx", (1, 25, 0), "listen 443 ssl http2;", "http2 on;"),
        ("nginx", (1, 25, 1), "http2 on;", "ssl http2"),
        ("apache", (2, 4, 57), "Protocols h2 http/1.1", "H2WebSockets"),
        ("apache", (2, 4, 58), "H2WebSockets on", "Protocols http/1.1"),
        ("caddy", (2, 6, 2), "from 2.7 on", "stream_close_delay 1h"),
        ("caddy", (2, 7, 0), "stream_close_delay 1h", "from 2.7 on"),
        ("haproxy", (2, 9, 9), "crt /etc/haproxy/chat.example.com.pem", "crt-store"),
        ("haproxy", (3, 0, 0), "load crt /etc/ssl/a.pem key /etc/ssl/b.pem", "/etc/haproxy/chat"),
    ],
)
def test_the_version_changes_the_text(
    kind: str, version: Version, there: str, not_there: str
) -> None:
    text = PROGRAMS[kind].render(site(), version)
    assert there in text
    assert not_there not in text


@pytest.mark.parametrize("kind", PROGRAMS)
def test_a_version_that_is_too_old_is_refused(kind: str) -> None:
    module = PROGRAMS[kind]
    oldest = module.OLDEST
    module.render(site(), oldest)
    older = (oldest[0], oldest[1] - 1, 0)
    with pytest.raises(ConfigError, match="or newer, or another program"):
        module.render(site(), older)


@pytest.mark.parametrize("kind", ["nginx", "apache", "haproxy"])
def test_without_a_certificate_only_caddy_gets_one(kind: str) -> None:
    without = site(cert=None, key=None)
    with pytest.raises(ConfigError, match="needs a certificate"):
        PROGRAMS[kind].render(without, NEWEST[kind])
    assert "\ttls " not in PROGRAMS["caddy"].render(without, NEWEST["caddy"])


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("nginx", {"sticky": "cookie"}, "sets no cookie"),
        ("apache", {"sticky": "ip"}, "by the client's address"),
        ("apache", {"is_tcp": True}, "sends no PROXY protocol"),
        ("caddy", {"is_tcp": True}, "forwards no plain TCP"),
    ],
)
def test_what_a_program_cannot_do_it_says(kind: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        PROGRAMS[kind].render(site(**options), NEWEST[kind])


@pytest.mark.parametrize("kind", PROGRAMS)
def test_without_http_2_it_is_not_offered(kind: str) -> None:
    text = PROGRAMS[kind].render(site(has_http2=False), NEWEST[kind])
    assert "h2" not in text.replace("http2 ", "").replace("protocols h1\n", "")
    assert "http2 on" not in text


@pytest.mark.parametrize("kind", PROGRAMS)
@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_nothing_that_is_let_in_ends_a_line(kind: str, domain: str, path: str, file: str) -> None:
    """Whatever is given, the file has the lines of a harmless one, or there is no file."""
    version = NEWEST[kind]
    try:
        text = PROGRAMS[kind].render(
            site(domain, path=f"/{path}", cert=f"/{file}", key=f"/{file}"), version
        )
    except ConfigError:
        return
    harmless = PROGRAMS[kind].render(site(cert="/c", key="/c", path="/p"), version)
    for ender in ("\n", ";", "{", "}", '"'):
        assert text.count(ender) == harmless.count(ender)
