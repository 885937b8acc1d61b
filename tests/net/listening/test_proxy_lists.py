"""Trusted proxies by the name of a list."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import pytest

from lineman import ConfigError, Worker
from lineman.config import checked_options
from lineman.net.listening.proxy_lists import LOOK_AGAIN, ListWatch, ProxyLists
from lineman.net.loop.wheel import Wheel
from lineman.net.service import Service
from lineman.protocols.proxies.forwarded import TrustedProxies


@pytest.fixture
def cloudflare(tmp_path: Path) -> Path:
    path = tmp_path / "cloudflare.txt"
    path.write_text("# from www.cloudflare.com/ips\n192.0.2.0/24\n\n2001:db8::/32  # IPv6\n")
    return path


def test_a_name_is_a_file_of_the_directory(cloudflare: Path) -> None:
    trusted = ProxyLists(["127.0.0.1", "cloudflare"], cloudflare.parent).load()
    for ip in ("127.0.0.1", "192.0.2.9", "2001:db8:1::1"):
        assert ip in trusted
    for ip in ("127.0.0.2", "192.0.3.9", "2001:db9::1", "unix"):
        assert ip not in trusted


def test_a_path_is_a_file_or_a_directory_of_files(cloudflare: Path) -> None:
    (cloudflare.parent / "own.txt").write_text("10.0.0.0/8")
    (cloudflare.parent / "README").write_text("no list")
    assert "10.1.1.1" not in ProxyLists([f"file:{cloudflare}"]).load()
    both = ProxyLists([f"file:{cloudflare.parent}"]).load()
    assert "10.1.1.1" in both
    assert "192.0.2.1" in both


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"192.0.2.0/24\nsomewhere\n", r"txt, line 2: the trusted proxy 'somewhere' is not"),
        (b"\n\n0.0.0.0/0", "txt, line 3: .* covers everybody"),
        (b"192.0.2.1/24", "line 1: .* bits set"),
        (b"# nothing\n", "has no network in it"),
        (b"<html>\xff", "it is no text"),
        (None, "no such file"),
    ],
)
def test_a_bad_list_is_refused_with_its_file_and_line(
    cloudflare: Path, content: bytes | None, words: str
) -> None:
    if content is None:
        cloudflare.unlink()
    else:
        cloudflare.write_bytes(content)
    worker = Worker(
        "ws://127.0.0.1:0", trusted_proxies=["cloudflare"], proxy_lists=cloudflare.parent
    )
    with pytest.raises(ConfigError, match=words):
        checked_options.read(worker)


def test_other_words_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no absolute path"):
        ProxyLists(["file:cloudflare.txt"])
    with pytest.raises(ConfigError, match=r"has no \*.txt"):
        ProxyLists([f"file:{tmp_path}"]).load()
    with pytest.raises(ConfigError, match=r"10\.0\.0\.0/33"):
        ProxyLists(["10.0.0.0/33"]).load()
    with pytest.raises(ConfigError, match=r"trusted_proxies=.*127\.0\.0\.1/32"):
        ProxyLists(["localhost"], tmp_path).load()


class FakeService:
    """What a watch needs of a service."""

    def __init__(self) -> None:
        self.wheel = Wheel()
        self.trusted_proxies = TrustedProxies()


def test_a_changed_list_is_read_again_and_a_bad_one_is_not(
    cloudflare: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "lineman")
    service = FakeService()
    lists = ProxyLists(["cloudflare"], cloudflare.parent)
    service.trusted_proxies = lists.load()
    ListWatch(cast(Service, service), lists)

    def pass_time() -> None:
        for _ in range(int(LOOK_AGAIN * 4) + 1):
            service.wheel.advance(0.25)

    pass_time()
    assert caplog.text == ""
    cloudflare.write_text("198.51.100.0/24")
    pass_time()
    assert "198.51.100.1" in service.trusted_proxies
    assert "192.0.2.1" not in service.trusted_proxies
    assert "read again" in caplog.text
    cloudflare.write_text("rubbish")
    pass_time()
    assert "198.51.100.1" in service.trusted_proxies
    assert "stay as they were" in caplog.text
    caplog.clear()
    pass_time()
    assert caplog.text == ""  # said once, and not every five seconds
    other = cloudflare.with_suffix(".new")
    other.write_text("203.0.113.0/24")
    os.replace(other, cloudflare)
    pass_time()
    assert "203.0.113.1" in service.trusted_proxies


def test_a_worker_watches_its_lists(cloudflare: Path) -> None:
    from lineman.testing.serving import Serving

    worker = Worker(
        "ws://127.0.0.1:0", trusted_proxies=["cloudflare"], proxy_lists=cloudflare.parent
    )
    with Serving(worker) as site:
        service: Any = worker.service
        assert "192.0.2.1" in service.trusted_proxies
        cloudflare.write_text("198.51.100.0/24")

        def look() -> None:
            for _ in range(int(LOOK_AGAIN * 4) + 1):
                service.wheel.advance(0.25)

        site.call(look)
        assert "198.51.100.1" in service.trusted_proxies


def test_a_list_of_thousands_is_looked_through_at_once() -> None:
    """By prefix length and not one by one: each membership asks no more than 160 sets."""
    networks = [f"10.{a}.{b}.0/24" for a in range(64) for b in range(256)]
    trusted = TrustedProxies(networks)
    assert len(trusted._networks) == 1
    assert "10.63.255.9" in trusted
    assert "10.64.0.1" not in trusted
