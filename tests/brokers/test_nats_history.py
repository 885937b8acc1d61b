"""Durable histories in NATS JetStream: what it loses, and how it is set up."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from brokers.stores import Stores, contents, refusal
from kit.brokers import nats_server, running
from lineman.testing.certificates import TestCA


def test_a_jetstream_that_lost_the_end_of_a_group_begins_a_new_epoch(tmp_path: Path) -> None:
    async def test() -> None:
        store: Any = stores.add()
        places = await store.append("g", [b"a", b"b", b"c"])
        stream = store._stream
        await store._server._jetstream.delete_msg(stream, store._last["g"].seq)
        ((epoch, offset),) = await store.append("g", [b"d"])
        assert epoch != places[0][0]
        assert offset == 4
        assert contents(await store.read("g", epoch, 3)) == [b"d"]

    with running(nats_server("-js", "-sd", str(tmp_path))) as server:
        stores = Stores("nats", server)
        stores.run(test)


def test_a_nats_server_without_jetstream_says_what_to_do() -> None:
    with running(nats_server()) as server:
        told = refusal(f"nats://127.0.0.1:{server.port}")
    assert "it has no JetStream" in told
    assert "-js" in told


def test_the_limits_of_a_jetstream_change_with_the_options(tmp_path: Path) -> None:
    async def test() -> None:
        store: Any = stores.add(messages=10)
        await store.append("g", [b"%d" % number for number in range(10)])
        changed: Any = stores.add(messages=3)
        assert len((await changed.read("g", "", 0)).entries) == 3
        info = await changed._server._jetstream.stream_info(changed._stream)
        assert info.config.max_msgs_per_subject == 3

    with running(nats_server("-js", "-sd", str(tmp_path))) as server:
        stores = Stores("nats", server)
        stores.run(test)


def test_a_nats_server_with_a_password_and_tls_keeps_histories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca = TestCA(tmp_path)
    pair = ca.issue(["127.0.0.1"])
    words = ["--tls", "--tlscert", str(pair.cert), "--tlskey", str(pair.key)]
    login = ["--user", "me", "--pass", "r/ght"]
    with running(nats_server("-js", "-sd", str(tmp_path), *login, *words)) as server:
        where = f"127.0.0.1:{server.port}"
        assert "not trusted" in refusal(f"tls://me:r%2Fght@{where}")
        monkeypatch.setenv("SSL_CERT_FILE", str(ca.ca_path))
        assert refusal(f"tls://me:r%2Fght@127.0.0.1:1,{where}") == ""
        assert "login" in refusal(f"tls://me:wrong@{where}")


@pytest.mark.parametrize("left", [0, 3])
def test_entries_that_are_removed_while_they_are_read_are_not_waited_for(
    left: int, tmp_path: Path
) -> None:
    async def test() -> None:
        store: Any = stores.add(timeout=60.0)
        places = await store.append("g", [b"%d" % number for number in range(10)])
        jetstream, stream = store._server._jetstream, store._stream
        subscribe = jetstream.pull_subscribe

        async def subscribe_and_trim(*args: Any, **options: Any) -> Any:
            consumer = await subscribe(*args, **options)
            count = consumer.consumer_info

            async def count_and_trim() -> Any:
                counted = await count()
                consumer.consumer_info = count
                await jetstream.purge_stream(stream, keep=left)
                return counted

            consumer.consumer_info = count_and_trim
            return consumer

        jetstream.pull_subscribe = subscribe_and_trim
        found = await store.read("g", places[0][0], 0)
        assert contents(found) == [b"7", b"8", b"9"][:left]

    with running(nats_server("-js", "-sd", str(tmp_path))) as server:
        stores = Stores("nats", server)
        started = time.monotonic()
        stores.run(test)
    assert time.monotonic() - started < 40, "it waited for as long as a silent server is waited for"
