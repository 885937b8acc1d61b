"""A worker's options together: a combination that cannot work is refused, with the fix."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineman import ConfigError, Worker
from lineman.config import checked_options
from lineman.testing.certificates import TestCA

WS = "ws://127.0.0.1:0"
WSS = "wss://127.0.0.1:0"


def refusal(worker: Worker) -> ConfigError:
    """The error with which the worker refuses to start; it must not listen then."""
    with pytest.raises(ConfigError) as caught:
        asyncio.run(worker.start())
    assert worker.service is None
    return caught.value


def test_the_limits_arrive_where_they_count() -> None:
    worker = Worker(WS, max_message_size=100, ping_interval=0)
    worker.close_timeout = 1.5
    limits = checked_options.read(worker).limits
    assert (limits.max_message_size, limits.ping_interval, limits.close_timeout) == (100, 0, 1.5)


@pytest.mark.parametrize("context", ["x", ["ssl"], {"ssl": "server.pem"}, {"socket": None}])
def test_a_context_that_is_no_dictionary_is_refused(context: object) -> None:
    with pytest.raises(ConfigError, match="give a dictionary"):
        checked_options.read(Worker("ws://127.0.0.1:0", context))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "seen", "fix"),
    [
        (lambda: Worker("127.0.0.1:8282"), "has no scheme", "ws://0.0.0.0:8282"),
        (lambda: Worker("ws:/127.0.0.1:1"), "lacks // behind the colon", "write ws://127.0.0.1:1"),
        (lambda: Worker("WSS:[::1]:1"), "lacks // behind the colon", "write WSS://[::1]:1"),
        (lambda: Worker("ws+unix:/a.sock"), "lacks // behind the colon", "write ws+unix:///a.sock"),
        (lambda: Worker("https://127.0.0.1:1"), "has no on_request", "@worker.on_request"),
        (lambda: Worker("ws://:8282"), "has no host", "ws://0.0.0.0:8282"),
        (lambda: Worker("ws://127.0.0.1:8282/chat"), "/chat", "request.path"),
        (lambda: Worker("ws://127.0.0.1:99999"), "99999", "8282"),
        (lambda: Worker(WS, transport="tls"), "transport is 'tls'", '"tcp" or "ssl"'),
        (lambda: Worker(WS, count=0), "count is 0", "1 or more"),
        (lambda: Worker(WS, count=True), "count is True", "1 or more"),
        (lambda: Worker(WS, count="4"), "count is '4'", "1 or more"),
        (lambda: Worker(WS, count=4097), "count is 4097", "4096 at most"),
        (lambda: Worker(WS, user=33), "user is 33", '"www-data"'),
        (lambda: Worker(WS, group=None), "group is None", "give a name"),
        (lambda: Worker(WS, reloadable=1), "reloadable is 1", "True or False"),
        (lambda: Worker(WS, drain_seconds=-1), "drain_seconds is -1", "0 or more"),
        (lambda: Worker(WS, stop_timeout=0), "stop_timeout is 0", "more than 0"),
        (lambda: Worker(WS, start_timeout="1"), "start_timeout is '1'", "number of seconds"),
        (lambda: Worker(WS, watchdog_timeout=None), "watchdog_timeout is None", "0 or more"),
        (
            lambda: Worker(WS, watchdog_timeout=0.5),
            "reports only once a second",
            "give 2 seconds",
        ),
        (lambda: Worker(WS, max_requests=1.5), "max_requests is 1.5", "whole number"),
        (lambda: Worker(WS, max_memory=True), "max_memory is True", "0 for no limit"),
        (lambda: Worker(WS, max_message_size="10M"), "max_message_size is '10M'", "bytes"),
        (lambda: Worker(WS, handshake_timeout=0), "handshake_timeout is 0", "more than 0"),
        (lambda: Worker(WS, origins="https://a.example"), "origins is the single", "origins=["),
        (lambda: Worker(WS, origins=["https://a.example/"]), "can match no page", "a.example"),
        (lambda: Worker(WS, subprotocols="chat"), "subprotocols is 'chat'", "give a list"),
        (lambda: Worker(WS, subprotocols=[1]), "subprotocols holds 1", "give strings"),
        (lambda: Worker(WS, trusted_proxies="127.0.0.1"), "trusted_proxies is", "give a list"),
        (lambda: Worker(WS, trusted_proxies=["nginx"]), "nginx", ""),
        (lambda: Worker(WS, real_ip_header="x-client"), "x-client", "x-real-ip"),
        (lambda: Worker(WS, real_ip_header="x-real-ip"), "proxy is trusted", "trusted_proxies=["),
        (lambda: Worker(WS, {"tls": {}}), "the context has a part 'tls'", '"ssl" or "socket"'),
        (lambda: Worker(WS, {"socket": {"bindto": 1}}), "bindto", "backlog"),
        (lambda: Worker(WSS), "no certificate is given", 'cert="server.pem"'),
        (lambda: Worker(WS, transport="ssl"), "no certificate is given", "cert="),
        (lambda: Worker(WS, cert="server.pem"), "speaks plain ws", "wss://"),
        (lambda: Worker(WSS, cert="missing.pem", key="missing.key"), "missing.pem", ""),
        (
            lambda: Worker(WSS, {"ssl": {"local_cert": "missing.pem"}}),
            "missing.pem",
            "",
        ),
        (
            lambda: Worker(WSS, {"ssl": {"local_crt": "a.pem"}}),
            "local_crt",
            "local_cert",
        ),
        (
            lambda: Worker(WSS, {"ssl": {"local_cert": "a.pem"}}, cert="b.pem"),
            "cert is given twice",
            "keep one",
        ),
    ],
)
def test_what_cannot_work_is_refused_with_what_was_seen_and_the_fix(
    make: Callable[..., Worker], seen: str, fix: str
) -> None:
    error = refusal(make())
    assert seen in error.seen
    assert fix in error.fix
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "name", ["on_message", "on_connect", "on_websocket_connect", "on_close", "on_request"]
)
def test_a_worker_that_no_client_can_reach_has_no_callbacks_for_clients(name: str) -> None:
    worker = Worker()
    worker.on_worker_start = print
    assert checked_options.read(worker).addresses == ()
    setattr(worker, name, print)
    error = refusal(worker)
    assert f"a worker without an address serves no clients, but it has {name}" in error.seen
    assert 'Worker("ws://127.0.0.1:8282")' in error.fix


def test_the_files_are_looked_at_before_the_port_opens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        worker = Worker(f"wss://127.0.0.1:{taken.getsockname()[1]}", cert=tmp_path / "no.pem")
        assert "no.pem" in refusal(worker).seen


def test_a_key_of_another_certificate_is_refused(authority: TestCA) -> None:
    one = authority.issue("localhost", filename="one")
    other = authority.issue("localhost", filename="other")
    error = refusal(Worker(WSS, cert=one.cert, key=other.key))
    assert "one.pem" in str(error)
    assert "other.key" in str(error)


# A certificate of its own.


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"acme": "you@example.com"}, "names of the certificate"),
        ({"acme": "nobody", "domains": ["a.example.com"]}, "no e-mail address"),
        ({"domains": ["a.example.com"]}, "domains is given, but not acme"),
        ({"acme_ca": "letsencrypt"}, "acme_ca is given, but not acme"),
        ({"acme": "", "domains": ["a.example.com"], "cert": "a.pem"}, "keep one of the two"),
        ({"acme": "", "domains": ["*.example.com"]}, "dns-01"),
        ({"acme": "", "domains": ["a.example.com"], "acme_ca": "mine"}, "acme_ca is 'mine'"),
    ],
)
def test_a_worker_that_cannot_get_a_certificate_is_refused(
    options: dict[str, Any], why: str, tmp_path: Path
) -> None:
    if "acme" in options:
        options = {"acme_directory_path": tmp_path / "state", **options}
    with pytest.raises(ConfigError, match=re.escape(why)):
        checked_options.read(Worker("wss://127.0.0.1:0", **options))


def test_acme_is_for_tls(tmp_path: Path) -> None:
    worker = Worker("ws://127.0.0.1:0", acme="", domains=["a.example.com"])
    with pytest.raises(ConfigError, match="speaks plain ws"):
        checked_options.read(worker)


def test_a_plan_without_a_certificate_yet_speaks_of_wss(tmp_path: Path) -> None:
    worker = Worker(
        "wss://127.0.0.1:443", acme="", domains=["a.example.com"],
        acme_directory_path=tmp_path / "state",
    )  # fmt: skip
    plan = checked_options.read(worker)
    assert plan.tls is None
    assert plan.acme is not None
    assert plan.urls == ["wss://127.0.0.1:443"]
    assert not (tmp_path / "state").exists()  # it is made by whoever serves


def test_a_state_directory_that_others_may_write_to_is_refused_before_anything(
    tmp_path: Path,
) -> None:
    tmp_path.chmod(0o777)
    worker = Worker(
        "wss://127.0.0.1:443", acme="", domains=["a.example.com"], acme_directory_path=tmp_path
    )
    with pytest.raises(ConfigError, match="chmod 700"):
        checked_options.read(worker)
