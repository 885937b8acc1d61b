"""Redis and NATS with a password and TLS, and the messages if these are wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from brokers.support import Heard, reaches
from kit.brokers import Server, nats_server, redis_server, running
from kit.waiting import nothing_is_open, until
from lineman.brokers.base import Broker
from lineman.brokers.choice import broker_maker
from lineman.brokers.nats import Nats
from lineman.errors import ConfigError
from lineman.testing.certificates import IssuedPair, TestCA


@pytest.fixture
def ca(tmp_path: Path) -> TestCA:
    return TestCA(tmp_path)


@pytest.fixture
def pair(ca: TestCA) -> IssuedPair:
    return ca.issue(["localhost", "127.0.0.1"])


def opened(make: Callable[[Heard], Broker]) -> None:
    """Opens two ends of a broker and sees that one reaches the other."""

    async def test() -> None:
        ends = [Heard("a"), Heard("a")]
        for heard in ends:
            heard.broker = make(heard)
            await heard.broker.start()
        try:
            await until(lambda: all(heard.broker.is_connected for heard in ends))
            await reaches(*ends, "a")
        finally:
            for heard in ends:
                await heard.broker.close()
            await until(nothing_is_open)  # TLS says goodbye to a server that takes its time

    asyncio.run(test())


def trouble(make: Callable[[Heard], Broker], words: str = "") -> str:
    """The message of a broker that is not reached.

    Args:
        make: makes it.
        words: waited for, in small letters: on a busy machine the first attempts may be too slow,
            and the broker says that then.
    """

    async def test() -> str:
        heard = Heard("a")
        heard.broker = make(heard)
        await heard.broker.start()
        try:
            await until(lambda: said(heard.broker, words))
            assert not heard.broker.is_connected
            return heard.broker.trouble
        finally:
            await heard.broker.close()
            await until(nothing_is_open)

    return asyncio.run(test())


def said(broker: Broker, words: str) -> bool:
    return "not tried" not in broker.trouble and words in broker.trouble.lower()


def redis_at(url: str) -> Callable[[Heard], Broker]:
    return lambda heard: broker_maker(url, "test")(heard.subscriber)


def nats_at(url: str, ca_file: Path | None = None) -> Callable[[Heard], Broker]:
    return lambda heard: Nats(
        url, "test", heard.subscriber, ca_file=None if ca_file is None else str(ca_file)
    )


def test_redis_with_a_password_and_tls(tmp_path: Path, ca: TestCA, pair: IssuedPair) -> None:
    def words(port: int) -> list[str]:
        return [
            *("--port", "0", "--tls-port", str(port), "--save", ""),
            *("--bind", "127.0.0.1", "127.0.0.2"),
            *("--dir", str(tmp_path), "--requirepass", "right", "--tls-auth-clients", "no"),
            *("--tls-cert-file", str(pair.cert), "--tls-key-file", str(pair.key)),
            *("--tls-ca-cert-file", str(ca.ca_path)),
        ]

    with running(Server("redis-server", words, "Ready to accept connections")) as server:
        where = f"127.0.0.1:{server.port}?ssl_ca_certs={ca.ca_path}"
        opened(redis_at(f"rediss://:right@{where}"))
        trouble(redis_at(f"rediss://:wrong@{where}"), "authentication")
        unknown = redis_at(f"rediss://:right@127.0.0.1:{server.port}")
        trouble(unknown, "certificate verify failed")
        another = redis_at(f"rediss://:right@{where.replace('127.0.0.1', '127.0.0.2')}")
        trouble(another, "certificate is not valid for '127.0.0.2'")


def test_redis_behind_a_sentinel_with_passwords_and_tls(
    tmp_path: Path, ca: TestCA, pair: IssuedPair
) -> None:
    tls = {
        "tls-cert-file": str(pair.cert),
        "tls-key-file": str(pair.key),
        "tls-ca-cert-file": str(ca.ca_path),
        "tls-auth-clients": "no",
        "tls-replication": "yes",
    }

    def words(port: int) -> list[str]:
        files = [word for name, value in tls.items() for word in (f"--{name}", value)]
        here = ["--port", "0", "--tls-port", str(port), "--save", "", "--bind", "127.0.0.1"]
        return [*here, "--dir", str(tmp_path), "--requirepass", "right", *files]

    def sentinel_words(port: int) -> list[str]:
        lines = [f"{name} {value}" for name, value in tls.items()]
        lines += ["port 0", f"tls-port {port}", f"dir {tmp_path}", "requirepass another"]
        lines += [f"sentinel monitor mymaster 127.0.0.1 {master.port} 1"]
        lines += ["sentinel auth-pass mymaster right"]
        file = tmp_path / "sentinel.conf"
        file.write_text("\n".join(lines) + "\n")
        return [str(file), "--sentinel"]

    with (
        running(Server("redis-server", words, "Ready to accept connections")) as master,
        running(Server("redis-server", sentinel_words, "+monitor master")) as sentinel,
    ):
        where = f"127.0.0.1:{sentinel.port}/mymaster?sentinel_password=another"
        trusted = f"{where}&ssl_ca_certs={ca.ca_path}"
        opened(redis_at(f"rediss+sentinel://:right@{trusted}"))
        trouble(redis_at(f"rediss+sentinel://:wrong@{trusted}"), "refuses the login")
        trouble(redis_at(f"rediss+sentinel://:right@{where}"), "no sentinel answers")
        trouble(redis_at(f"redis+sentinel://:right@{where}"), "no sentinel answers")


def test_nats_with_a_password_and_tls(ca: TestCA, pair: IssuedPair) -> None:
    words = ("--user", "me", "--pass", "right", "--tls", "--tlscert", str(pair.cert))
    with running(nats_server(*words, "--tlskey", str(pair.key))) as server:
        where = f"127.0.0.1:{server.port}"
        opened(nats_at(f"tls://me:right@{where}", ca.ca_path))
        opened(nats_at(f"tls://me:right@127.0.0.1:1,{where},[::1]:1", ca.ca_path))
        trouble(nats_at(f"tls://me:wrong@{where}", ca.ca_path), "authorization")
        trouble(nats_at(f"tls://me:right@{where}"), "certificate verify failed")


def test_a_nats_that_lets_a_node_hear_nothing_is_not_reached_and_says_why(tmp_path: Path) -> None:
    users = tmp_path / "nats.conf"
    users.write_text(
        "authorization {users = [{user: me, password: right, permissions: {subscribe: none}}]}"
    )
    with running(nats_server("-c", str(users))) as server:
        trouble(nats_at(f"nats://me:right@127.0.0.1:{server.port}"), "permissions violation")


def test_a_redis_without_a_password_that_is_given_one_says_so(tmp_path: Path) -> None:
    with running(redis_server(tmp_path)) as server:
        said = trouble(redis_at(f"redis://me:secret@127.0.0.1:{server.port}"))
        assert "secret" not in said
        assert said


def test_a_server_that_speaks_garbage_is_not_reached() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(range(256)) * 10)
        await writer.drain()
        writer.close()

    async def test(make: Callable[[str], Callable[[Heard], Broker]]) -> str:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        heard = Heard("a")
        heard.broker = make(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")(heard)
        await heard.broker.start()
        try:
            await until(lambda: "not tried" not in heard.broker.trouble)
            return heard.broker.trouble
        finally:
            await heard.broker.close()
            server.close()

    assert asyncio.run(test(lambda where: redis_at(f"redis://{where}")))
    assert asyncio.run(test(lambda where: nats_at(f"nats://{where}")))


@pytest.mark.parametrize(
    "make",
    [
        redis_at("redis://localhost:port"),
        redis_at("redis://localhost:1?no_such_option=1"),
        nats_at("nats://"),
        nats_at("nats://localhost:port"),
    ],
)
def test_an_address_that_is_none_is_refused_at_once(make: Callable[[Heard], Broker]) -> None:
    with pytest.raises(ConfigError, match="address"):
        asyncio.run(make(Heard()).start())
