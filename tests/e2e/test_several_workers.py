"""Tests for the four proxies with several workers: who serves whom, and when one is gone."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections import Counter
from contextlib import ExitStack

import pytest

from e2e.support.client import DOMAIN, Client, http_get, tls, websocket
from e2e.support.proxies import StartProxy
from e2e.support.service import TRUSTED, service


def program(client: Client) -> int:
    """The process of the worker that serves this client."""
    pid: int = json.loads(client.ask("whoami"))["program"]
    return pid


def test_several_workers_share_the_clients_and_one_that_is_gone_is_left_out(
    stack: ExitStack, start_proxy: StartProxy, trust: ssl.SSLContext, kind: str
) -> None:
    first = stack.enter_context(service(**TRUSTED))
    with service(**TRUSTED) as second:
        proxy = start_proxy(kind, f"{first.where},{second.where}")
        with ExitStack() as clients:
            pids = Counter(
                program(clients.enter_context(websocket(tls(proxy.https_port, trust))))
                for _ in range(8)
            )
        assert pids == {first.program.process.pid: 4, second.program.process.pid: 4}
    for _ in range(8):  # from the first on: nobody meets an error while the proxy finds out
        with websocket(tls(proxy.https_port, trust)) as client:
            assert program(client) == first.program.process.pid


@pytest.mark.parametrize(
    ("kind", "sticky"),
    [
        *(("nginx", "ip"), ("caddy", "ip"), ("haproxy", "ip")),
        *(("apache", "cookie"), ("caddy", "cookie"), ("haproxy", "cookie")),
    ],
)
def test_a_client_comes_back_to_its_worker_where_that_is_asked_for(
    stack: ExitStack, start_proxy: StartProxy, trust: ssl.SSLContext, kind: str, sticky: str
) -> None:
    running = {}
    for _ in range(2):
        exits = stack.enter_context(ExitStack())
        worker = exits.enter_context(service(**TRUSTED))
        running[worker.program.process.pid] = worker, exits
    workers = [worker for worker, _ in running.values()]
    proxy = start_proxy(kind, ",".join(worker.where for worker in workers), sticky=sticky)
    with websocket(tls(proxy.https_port, trust)) as client:
        first = program(client)
        cookies = [line.partition(";")[0] for line in client.response.headers.get_all("Set-Cookie")]
    if kind == "apache":  # sets it on the answer to a plain request, and not on the 101
        answer = http_get(tls(proxy.https_port, trust), "/wss")
        cookies = re.findall(r"(?mi)^Set-Cookie: ([^;]+)", answer)
        first = {f"WSSWORKER=.{n}": w.program.process.pid for n, w in enumerate(workers, 1)}[
            cookies[0]
        ]
    headers = [("Cookie", "; ".join(cookies))] if sticky == "cookie" else []
    # Origin: one that carries a cookie has to say where it comes from.
    headers += [("Origin", f"https://{DOMAIN}")]
    seen = set()
    for _ in range(5):
        with websocket(tls(proxy.https_port, trust), headers=headers) as client:
            seen.add(program(client))
    assert seen == {first}
    assert bool(cookies) == (sticky == "cookie")
    (other,) = running.keys() - {first}
    running[first][1].close()  # gone: its clients are served by the other at once
    for _ in range(3):
        with websocket(tls(proxy.https_port, trust), headers=headers) as client:
            assert program(client) == other


@pytest.mark.parametrize("sticky", [None, "ip", "cookie"])
def test_haproxy_finds_the_last_of_four_workers(
    stack: ExitStack, start_proxy: StartProxy, trust: ssl.SSLContext, sticky: str | None
) -> None:
    """With `redispatch` alone it tries two of those that are gone in turn, and gives up."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        gone = [f"127.0.0.{n}:{taken.getsockname()[1]}" for n in (2, 3, 4)]
        last = stack.enter_context(service(**TRUSTED))
        proxy = start_proxy("haproxy", ",".join([*gone, last.where]), sticky=sticky)
        for _ in range(4):
            with websocket(tls(proxy.https_port, trust)) as client:
                assert client.ask("hello") == "hello"
