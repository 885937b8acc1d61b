"""uvicorn's options, and the worker that they describe."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from lineman.cli.shared import serve_options
from lineman.cli.shared.serve_options import (
    PRIVATE,
    gateway_options,
    notes,
    read_variables,
    settled,
    trusted,
    worker_options,
)
from lineman.config import checked_options
from lineman.errors import ConfigError
from lineman.worker import Worker


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    serve_options.add_to(parser)
    return parser.parse_args(["main:app", *words])


def options(*words: str) -> dict[str, Any]:
    return worker_options(parsed(*words))


def test_without_options_it_serves_where_uvicorn_does() -> None:
    assert options() == {
        "address": "http://127.0.0.1:8000",
        "max_message_size": 16777216,
        "trusted_proxies": ["127.0.0.1", "::1"],
    }


@pytest.mark.parametrize(
    ("words", "option", "value"),
    [
        (("--host", "::", "--port", "80"), "address", "http://[::]:80"),
        (("--uds", "/run/a.sock"), "address", "http+unix:///run/a.sock"),
        (("--tls", "dev"), "address", "https://127.0.0.1:8000"),
        (("--ssl-certfile", "a.pem"), "cert", "a.pem"),
        (("--ssl-ca-certs", "a.pem"), "verify_client", "none"),
        (("--ssl-ca-certs", "a.pem", "--ssl-cert-reqs", "2"), "verify_client", "required"),
        (("--workers", "4"), "count", 4),
        (("--root-path", "/api"), "root_path", "/api"),
        (("--limit-concurrency", "9"), "max_connections", 9),
        (("--limit-max-requests", "9"), "max_requests", 9),
        (("--timeout-keep-alive", "9"), "keep_alive_timeout", 9.0),
        (("--timeout-graceful-shutdown", "9"), "stop_timeout", 9.0),
        (("--ws-max-size", "9"), "max_message_size", 9),
        (("--ws-per-message-deflate", "false"), "compression", False),
        (("--origins", "https://a.example,https://b.example"), "origins",
         ["https://a.example", "https://b.example"]),
        (("--acme", "a@example.com", "--domain", "a.example"), "domains", ["a.example"]),
        (("--uds", "/run/a.sock", "--forwarded-allow-ips", "10.0.0.1"), "trusted_proxies",
         ["10.0.0.1", "unix"]),
    ],
)  # fmt: skip
def test_an_option_is_one_of_the_worker(words: tuple[str, ...], option: str, value: Any) -> None:
    assert options(*words)[option] == value


def test_every_option_is_one_that_a_worker_takes() -> None:
    given = options("--limit-concurrency", "9", "--backlog", "5", "--ws-ping-interval", "7")
    checked_options.read(Worker(app="main:app", **given))
    Worker.all_workers.pop()


def test_client_certificates_are_asked_for_by_the_numbers_of_python() -> None:
    with pytest.raises(ConfigError, match="--ssl-cert-reqs is 3; fix: give 0, 1 or 2"):
        options("--ssl-cert-reqs", "3")


def test_processes_that_keep_clients_are_not_replaced_after_a_number_of_requests() -> None:
    given = parsed("--keep-clients", "--limit-max-requests", "9")
    with pytest.raises(ConfigError, match="--limit-max-requests is given with --keep-clients"):
        gateway_options(given)


def test_a_star_trusts_private_addresses_alone_and_one_line_says_so() -> None:
    assert trusted("*") == list(PRIVATE)
    assert trusted("203.0.113.7, *, 203.0.113.7") == ["203.0.113.7", *PRIVATE]
    (line,) = notes(parsed("--forwarded-allow-ips", "*"))
    assert "means loopback and private addresses" in line
    assert "trusted_proxies" not in options("--no-proxy-headers", "--forwarded-allow-ips", "*")
    assert notes(parsed("--no-proxy-headers", "--forwarded-allow-ips", "*")) == []


def test_what_changes_nothing_is_taken_and_told() -> None:
    (line,) = notes(parsed("--loop", "uvloop", "--no-access-log", "--http", "httptools"))
    assert line == "options of uvicorn that change nothing here: --loop --no-access-log --http"


def test_variables_of_containers_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "3")
    monkeypatch.setenv("UVICORN_PORT", "81")
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "10.0.0.9")
    found = options()
    assert (found["count"], found["address"]) == (3, "http://127.0.0.1:81")
    assert found["trusted_proxies"] == ["10.0.0.9"]
    assert options("--workers", "2")["count"] == 2


def test_a_value_that_cannot_work_is_told_with_the_name_of_the_option() -> None:
    for words, told in (
        (("--workers", "0"), "--workers is 0"),
        (("--ws-ping-interval", "-1"), r"--ws-ping-interval is -1\.0"),
        (("--backlog", "-5"), "--backlog is -5"),
        (("--lifespan", "no"), "--lifespan is 'no'"),
    ):
        with pytest.raises(ConfigError, match=told):
            options(*words)


def test_a_variable_that_is_no_number_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable, option in (
        ("UVICORN_PORT", "--port"),
        ("WEB_CONCURRENCY", "--workers"),
        ("UVICORN_WS_PING_INTERVAL", "--ws-ping-interval"),
    ):
        with monkeypatch.context() as context:
            context.setenv(variable, "abc")
            with pytest.raises(SystemExit):
                options()
            assert f"{option}: ${variable} is 'abc'; give a" in capsys.readouterr().err
            context.setenv(variable, "")
            options()


def test_what_the_command_line_says_itself_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "3")
    assert settled(["main:app"]) == frozenset()
    assert settled(["main:app", "--port=8000", "--workers", "1"]) == {"address", "count", "workers"}
    assert settled(["main:app", "--no-proxy-headers", "--metrics", "127.0.0.1:9"]) == {
        "trusted_proxies",
        "metrics",
    }


def test_a_port_beside_a_unix_socket_is_told_to_do_nothing() -> None:
    words = ("main:app", "--uds", "x", "--port", "8000")
    assert notes(parsed(*words[1:]), words) == ["--uds is given, so --host and --port do nothing"]
    assert notes(parsed(*words[1:3]), words[:3]) == []


def test_an_env_file_has_names_and_values() -> None:
    text = "# note\nA=1\nexport B = 'two # words' # two\nC=\"x=y\"\n\nD=\nE=a#b # c\n"
    assert read_variables(text) == {"A": "1", "B": "two # words", "C": "x=y", "D": "", "E": "a#b"}


@pytest.mark.parametrize("line", ["nothing", "=3", " = 3", "A B=3", "A=\0", "export =3"])
def test_a_line_of_an_env_file_that_is_something_else_is_told(line: str) -> None:
    with pytest.raises(ConfigError, match=r"^line 2 is no NAME=value; fix: write NAME=value"):
        read_variables(f"A=1\n{line}\n")
