"""The addresses of a worker: what a list may hold, and which of them speak TLS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lineman import Worker
from lineman.config import checked_options
from lineman.config.listen_addresses import name_of
from lineman.errors import ConfigError
from lineman.process.messages.process_rules import MAX_ADDRESSES
from lineman.testing.certificates import IssuedPair

WS, WSS, TEXT, TCP = "ws://127.0.0.1:1", "wss://127.0.0.1:2", "text://127.0.0.1:3", "tcp://h:4"


def urls(given: Any, **options: Any) -> list[str]:
    return checked_options.read(Worker(given, **options)).urls


def refusal(given: Any, **options: Any) -> ConfigError:
    with pytest.raises(ConfigError) as told:
        checked_options.read(Worker(given, **options))
    return told.value


def test_one_address_may_be_a_text_or_a_list_of_one() -> None:
    assert urls(WS) == urls([WS]) == urls((WS,)) == [WS]
    assert urls("") == []


@pytest.mark.parametrize(
    ("given", "seen", "fix"),
    [
        ([], "the list of addresses is empty", "leave the address out"),
        ([WS, WS], f"the address '{WS}' is in the list twice", "leave one of them out"),
        ([WS, "tcp://127.0.0.1:1"], "have the same port 1", "a port of its own"),
        (["ws+unix:///run/x", "tcp+unix:///run/x"], "have the same path /run/x", "of its own"),
        ([WS, "tcp://LOCALHOST:9", "text://localhost:9"], "have the same port 9", "of its own"),
        ([WS, "carrier-pigeon://h:1"], "the scheme 'carrier-pigeon'", "use ws://"),
        ([WS, ""], "the address '' has no scheme", "write it like ws://"),
        ([WS, 8282], "the address 8282 is not a string", "write it like ws://"),
        ({WS, TEXT}, "is neither a string nor a list", "write it like Worker(["),
        (8282, "the address 8282 is neither a string nor a list", "write it like Worker(["),
        (b"ws://h:1", "is neither a string nor a list", "write it like Worker(["),
        (None, "the address None is neither a string nor a list", "write it like Worker(["),
        (
            [f"ws://h:{port}" for port in range(1, MAX_ADDRESSES + 2)],
            f"the list has {MAX_ADDRESSES + 1} addresses, and a worker may have {MAX_ADDRESSES}",
            "give the others to another Worker",
        ),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(given: Any, seen: str, fix: str) -> None:
    error = refusal(given)
    assert seen in error.seen
    assert fix in error.fix


def test_ports_of_different_hosts_and_those_that_the_kernel_chooses_are_no_conflict() -> None:
    several = ["ws://127.0.0.1:7", "tcp://127.0.0.2:7", "tcp://127.0.0.1:0", "text://127.0.0.1:0"]
    assert urls(several) == several
    assert len(urls([f"ws://h:{port}" for port in range(1, MAX_ADDRESSES + 1)])) == MAX_ADDRESSES


@pytest.mark.parametrize(
    ("given", "spoken"),
    [
        ([WSS, TEXT], [WSS, TEXT]),
        ([WSS, "text+tls://127.0.0.1:3"], [WSS, "text+tls://127.0.0.1:3"]),
        ([WS, TEXT, TCP], [WS, "text+tls://127.0.0.1:3", "tcp+tls://h:4"]),
        ([WS, "frame+tls://h:5", TCP], [WS, "frame+tls://h:5", TCP]),
        ([TEXT, "tcp+unix:///run/x"], ["text+tls://127.0.0.1:3", "tcp+tls+unix:///run/x"]),
    ],
)
def test_tls_is_where_a_scheme_says_it_and_else_where_the_protocol_leaves_it_open(
    given: list[str], spoken: list[str], certificate: IssuedPair
) -> None:
    files = {"cert": certificate.cert, "key": certificate.key}
    assert urls(given, **files) == spoken
    everywhere = urls(given, transport="ssl", **files)
    assert all("wss" in url or "+tls" in url for url in everywhere)


def test_a_certificate_that_no_address_uses_is_refused(certificate: IssuedPair) -> None:
    error = refusal([WS, "ws://127.0.0.1:9"], cert=certificate.cert, key=certificate.key)
    assert f"a certificate is given, but {WS} and ws://127.0.0.1:9 speak plain ws" in error.seen


def test_the_address_that_needs_a_certificate_is_named() -> None:
    assert refusal([WS, TEXT, WSS]).seen == f"{WSS} speaks TLS, but no certificate is given"


def test_options_of_http_need_one_address_that_has_it() -> None:
    for name in ("on_request", "on_websocket_connect"):
        worker = Worker([TEXT, WS])
        setattr(worker, name, print)
        assert checked_options.read(worker).urls == [TEXT, WS]
        worker.address = [TEXT, TCP]
        with pytest.raises(ConfigError, match=f"{name} is set, and {TEXT} has no HTTP"):
            checked_options.read(worker)
    assert urls([TEXT, WS], origins=["https://example.com"]) == [TEXT, WS]
    assert "has no HTTP headers" in refusal([TEXT, TCP], subprotocols=["chat"]).seen


def test_the_port_that_answers_a_certificate_authority_cannot_be_in_the_list(
    tmp_path: Path,
) -> None:
    acme: dict[str, Any] = {"acme": "", "domains": ["a.example.com"]}
    acme["acme_directory_path"] = tmp_path / "state"
    error = refusal(["wss://0.0.0.0:443", "ws://0.0.0.0:80"], **acme)
    assert "acme answers the authority on port 80, and ws://0.0.0.0:80 is there" in error.seen
    plan = checked_options.read(Worker([WS, TEXT], **acme))
    assert plan.urls == [WS, "text+tls://127.0.0.1:3"]


@pytest.mark.parametrize(
    ("given", "name"),
    [(WS, WS), ([TEXT, WS], TEXT), ((WS,), WS), ("", ""), ([], ""), ([3], "3"), (None, "None")],
)
def test_a_worker_is_known_by_its_first_address(given: object, name: str) -> None:
    assert name_of(given) == name
