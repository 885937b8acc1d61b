"""`lineman bench` first refuses what cannot work, with a clear message."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from cli.benching import Bench, assert_good, other
from cli.running import Service
from kit.program import free_ports
from lineman.cli.load import engine as engines
from lineman.cli.main import main
from lineman.testing.certificates import IssuedPair, TestCA

# What cannot work is refused before anything else.


def test_a_refused_connection_is_explained(bench: Bench) -> None:
    (port,) = free_ports(1)
    outcome = bench(f"ws://127.0.0.1:{port}/")
    assert outcome.status == 1
    assert f"nothing listens on 127.0.0.1, port {port}: connection refused; fix:" in outcome.err
    assert outcome.out == ""


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/members", "HTTP 403 (members only); fix: send what the service needs"),
        ("/nowhere", "HTTP 404 (no such room); fix: give the path"),
    ],
)
def test_a_refused_handshake_is_explained(
    bench: Bench, service: Service, path: str, words: str
) -> None:
    outcome = bench(service.url + path)
    assert outcome.status == 1
    assert words in outcome.err


def test_a_plain_client_on_a_tls_port_is_told_to_use_wss(
    bench: Bench, tls_service: Service
) -> None:
    outcome = bench(tls_service.url.replace("wss:", "ws:"))
    assert outcome.status == 1
    assert "speaks TLS only (This port speaks TLS" in outcome.err
    assert f"fix: use {tls_service.url}/" in outcome.err


def test_a_plain_client_on_another_servers_tls_port_is_told_so_too(
    bench: Bench, pair: IssuedPair
) -> None:
    with other(pair) as url:
        outcome = bench(url.replace("wss:", "ws:"))
    assert outcome.status == 1
    assert f"use {url}" in outcome.err


def test_a_tls_client_on_a_plain_port_is_told_to_use_ws(bench: Bench, service: Service) -> None:
    outcome = bench(service.url.replace("ws:", "wss:"))
    assert outcome.status == 1
    assert f"does not speak TLS; fix: use {service.url}/" in outcome.err


def test_a_certificate_that_is_not_trusted_is_explained(bench: Bench, tls_service: Service) -> None:
    outcome = bench(tls_service.url)
    assert outcome.status == 1
    assert "the certificate of localhost is not trusted: " in outcome.err
    assert "(--ca FILE), or accept any certificate (--insecure)" in outcome.err


def test_insecure_trusts_any_certificate(bench: Bench, tls_service: Service) -> None:
    assert_good(bench(tls_service.url, "--insecure", "--json", "--connections", "2"))


def test_a_certificate_for_another_name_is_explained(
    bench: Bench, tls_service: Service, ca: TestCA
) -> None:
    outcome = bench(tls_service.url.replace("localhost", "127.0.0.1"), "--ca", str(ca.ca_path))
    assert outcome.status == 1
    assert "certificate is not valid for '127.0.0.1'" in outcome.err


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_of_authorities_that_is_none_is_named(
    bench: Bench, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    outcome = bench("wss://localhost:1/", "--ca", str(path))
    assert outcome.status == 1
    assert f"cannot use the authorities in {path}: " in outcome.err


def test_a_name_that_nobody_knows_is_explained(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(engines.socket, "getaddrinfo", unknown)
    outcome = bench("ws://nowhere.example/")
    assert outcome.status == 1
    assert "the name nowhere.example is not known" in outcome.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["http://localhost/"], "write ws://localhost/"),
        (["ws://localhost/", "--mode", "idle", "--rate", "5"], "leave --rate out"),
        (["ws://localhost/", "--header", "Host: other"], "the header Host"),
    ],
)
def test_options_that_make_no_sense_end_with_status_2(
    bench: Bench, words: list[str], said: str
) -> None:
    outcome = bench(words[0], *words[1:])
    assert outcome.status == 2
    assert said in outcome.err


@pytest.mark.parametrize(
    "words",
    [
        ["--connections", "0"],
        ["--connections", "many"],
        ["--size", "-1"],
        ["--rate", "0"],
        ["--rate", "nan"],
        ["--timeout", "inf"],
        ["--header", "no colon"],
        ["--pid", "1,x"],
        ["--text", "--binary"],
        ["--mode", "swim"],
    ],
    ids=" ".join,
)
def test_values_that_are_none_end_with_status_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", "ws://localhost/", *words])
    assert ended.value.code == 2
    assert f"argument {words[-1] if words[0] == '--text' else words[0]}" in capsys.readouterr().err
