"""Which handshakes are accepted by their origin: behind a proxy, from another web site."""

from __future__ import annotations

from typing import Any

import pytest

from kit.recorder import Recorder
from kit.site import Serve, Site
from lineman.testing.client import RawClient

# Behind a proxy.


@pytest.mark.parametrize(
    ("options", "headers", "remote_ip"),
    [
        ({}, [("X-Real-IP", "203.0.113.7")], "127.0.0.1"),
        ({"trusted_proxies": ["10.0.0.0/8"]}, [("X-Real-IP", "203.0.113.7")], "127.0.0.1"),
        ({"trusted_proxies": ["127.0.0.1"]}, [("X-Real-IP", "203.0.113.7")], "203.0.113.7"),
        (
            {"trusted_proxies": ["127.0.0.1/32"]},
            [("X-Forwarded-For", "6.6.6.6, 203.0.113.7")],
            "203.0.113.7",
        ),
        ({"trusted_proxies": ["127.0.0.1"]}, [("Forwarded", 'for="[2001:db8::1]"')], "2001:db8::1"),
        ({"trusted_proxies": ["127.0.0.1"]}, [("X-Real-IP", "rubbish")], "unknown"),
        ({"trusted_proxies": ["127.0.0.1"]}, [], "unknown"),
    ],
)
def test_only_a_trusted_proxy_is_believed_who_the_client_is(
    serve: Serve, tls: bool, options: Any, headers: Any, remote_ip: str
) -> None:
    seen = Recorder()
    site = serve(
        tls,
        on_websocket_connect=lambda connection, request: seen(request.remote_ip),
        on_connect=lambda connection: seen(connection.remote_ip),
        on_request=lambda request: request.remote_ip,
        **options,
    )
    client = site.open(headers=headers)
    assert seen.wait(2) == [remote_ip, remote_ip]
    assert site.connection.peer_address == f"127.0.0.1:{client.address[1]}"
    assert site.connect().request(headers=headers).text == remote_ip


# Other web sites.

ELSEWHERE = ("Origin", "https://evil.example")


def named(site: Site) -> RawClient:
    """A client that asks for the service by a site's name."""
    client = site.connect()
    client.host = "chat.example.com"
    return client


def test_a_page_that_is_not_among_the_origins_is_403(
    serve: Serve, tls: bool, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(tls, origins=["https://chat.example.com"])
    site.open(headers=[("Origin", "https://chat.example.com")])
    site.open()  # a program, no browser
    reply = site.connect().handshake(headers=[ELSEWHERE])
    assert reply.status == 403
    assert "https://evil.example" in caplog.text


@pytest.mark.parametrize("credentials", [("Cookie", "session=1"), ("Authorization", "Basic eA==")])
def test_a_page_of_another_site_that_brings_credentials_is_403_and_the_log_says_what_to_set(
    serve: Serve, tls: bool, credentials: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    reply = named(serve(tls)).handshake(headers=[ELSEWHERE, credentials])
    assert reply.status == 403
    assert 'origins=["https://evil.example"]' in caplog.text


def test_a_page_of_another_site_without_credentials_is_let_in(serve: Serve) -> None:
    named(serve()).open(headers=[ELSEWHERE])


def test_a_page_of_the_same_host_may_bring_its_cookies(serve: Serve, tls: bool) -> None:
    cookie = ("Cookie", "session=1")
    serve(tls).open(headers=[("Origin", "https://localhost"), cookie])
    named(serve(tls)).open(headers=[("Origin", "https://www.chat.example.com"), cookie])
