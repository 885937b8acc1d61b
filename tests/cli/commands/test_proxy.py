"""`lineman proxy`, and the workers of a program that is read and not started."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from lineman import Worker
from lineman.cli import main as command
from lineman.cli.commands import proxy
from lineman.cli.commands.proxy import installed_version
from lineman.cli.shared.surveying import workers_of
from lineman.errors import ConfigError
from lineman.testing.certificates import TestCA
from lineman.webservers import PROGRAMS

KINDS = list(PROGRAMS)
BASE = ["--domain", "chat.example.com", "--cert", "/etc/ssl/a.pem", "--key", "/etc/ssl/b.pem"]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """The path of a program; `write` creates it."""
    return tmp_path / "app.py"


def write(app: Path, text: str) -> Path:
    app.write_text(textwrap.dedent(text))
    return app


def run(*words: str | Path) -> int:
    return command.main(["proxy", *map(str, words)])


@pytest.mark.parametrize("kind", KINDS)
def test_it_prints_what_its_own_program_accepts(
    kind: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pair = TestCA(tmp_path).issue("chat.example.com")
    files = ["--cert", str(pair.cert), "--key", str(pair.key)]
    assert run(kind, "--domain", "chat.example.com", *files, "--check") == 0
    out, err = capsys.readouterr()
    version = installed_version(PROGRAMS[kind])
    assert version is not None, f"apt-get install {PROGRAMS[kind].PACKAGE}"
    assert out.startswith("# wss://chat.example.com/wss -> 127.0.0.1:8282")
    assert out == PROGRAMS[kind].render(_site(pair.cert, pair.key), version)
    assert "accepts this configuration" in err
    assert "another certificate" not in err


def _site(cert: object, key: object) -> object:
    from lineman.webservers import Site, Upstream

    workers = (Upstream("127.0.0.1", 8282),)
    return Site("chat.example.com", workers, cert=str(cert), key=str(key))


@pytest.mark.parametrize("kind", ["nginx", "haproxy"])
def test_the_tcp_kind_is_checked_too(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(kind, *BASE, "--tcp", "--check") == 0
    assert "/etc/ssl/a.pem cannot be read here" in capsys.readouterr().err


def test_what_the_program_refuses_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Debian's nginx does not know `http2 on`."""
    version = installed_version(PROGRAMS["nginx"])
    assert version is not None
    if version >= (1, 25, 1):
        words = ["--target-version", "1.22", "--upstream", "no-such-host.invalid:1"]
    else:
        words = ["--target-version", "1.29"]
    assert run("nginx", *BASE, "--check", *words) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "nginx refuses this configuration" in err
    assert "[emerg]" in err


def test_a_file_is_named_from_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("nginx", "--domain", "a.org", "--cert", "a.pem", "--key", "../b.pem") == 0
    out = capsys.readouterr().out
    assert f"ssl_certificate     {tmp_path}/a.pem;" in out
    assert f"ssl_certificate_key {tmp_path.parent}/b.pem;" in out


def test_options_get_into_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--path", "/chat", "--upstream", "10.0.0.1:1", "--upstream", "unix:/run/b.sock"]
    words += ["--sticky", "ip", "--https-port", "8443", "--listen", "192.0.2.1", "--root", "/srv/w"]
    words += ["--ping-interval", "10", "--ping-timeout", "5", "--max-body", "77"]
    assert run("nginx", *BASE, *words, "--target-version", "1.29") == 0
    out = capsys.readouterr().out
    for line in (
        "server 10.0.0.1:1;",
        "server unix:/run/b.sock;",
        "hash $binary_remote_addr consistent;",
        "listen 192.0.2.1:8443 ssl;",
        "root /srv/w;",
        "location = /chat {",
        "proxy_read_timeout    30s;",
        "client_max_body_size 77;",
        "return 301 https://chat.example.com:8443$request_uri;",
    ):
        assert line in out, line


@pytest.mark.parametrize(
    ("words", "status", "seen"),
    [
        (["nginx", "--domain", "a.org; evil"], 1, "is no host name"),
        (["nginx", "--domain", "a.org"], 1, "needs a certificate"),
        (["nginx", *BASE, "--target-version", "new"], 2, "is no version"),
        (["nginx", *BASE, "--target-version", "1.2"], 1, "is older"),
        (["nginx", *BASE, "--upstream", "8282"], 1, "no address with a port"),
        (["nginx", *BASE, "--clients", "0"], 2, "--clients is 0"),
        (["nginx", *BASE, "--worker", "x"], 2, "give the program as well"),
        (["nginx", "/nonexistent.py", *BASE], 1, "there is no program"),
        (["apache", *BASE, "--target-version", "2.4.41"], 1, "does not know upgrade=websocket"),
    ],
)
def test_what_cannot_work_is_one_line_and_a_status(
    words: list[str], status: int, seen: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert seen in err


def test_a_program_that_is_not_installed_is_written_for_all_the_same(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    read = command.parser("proxy").parse_args
    assert proxy.run(read(["proxy", "caddy", *BASE]), path=str(tmp_path)) == 0
    assert "Caddy is not installed here: this is written for 2.6.2" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="apt-get install caddy"):
        proxy.run(read(["proxy", "caddy", *BASE, "--check"]), path=str(tmp_path))


# With a program.

GOOD = """
    from lineman import Worker
    worker = Worker(
        "ws://127.0.0.1:9001", ping_interval=10, ping_timeout=5, max_message_size=4096,
        trusted_proxies=["127.0.0.1/32"],
    )
    Worker.run_all()
    raise AssertionError("it runs")
"""


def test_a_program_says_all_by_itself(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = list(Worker.all_workers)
    assert run("nginx", write(app, GOOD), *BASE) == 0
    out, err = capsys.readouterr()
    for line in ("server 127.0.0.1:9001;", "proxy_read_timeout    30s;", "max_body_size 4096;"):
        assert line in out
    assert err == ""
    assert Worker.all_workers == before


@pytest.mark.parametrize(
    ("address", "options", "words", "notes"),
    [
        (
            "ws://0.0.0.0:9001",
            "",
            [],
            ["9001 is open to everybody", 'trusted_proxies=["127.0.0.1"]'],
        ),
        ("ws+unix:///run/a.sock", "", [], ['trusted_proxies=["unix"]']),
        ("ws+unix:///run/a.sock", 'trusted_proxies=["unix"]', [], []),
        ("ws://localhost:9001", 'trusted_proxies=["127.0.0.1"]', [], []),
        ("ws://127.0.0.1:9001", 'trusted_proxies=["127.0.0.1"]', ["--tcp"], ["no PROXY headers"]),
    ],
)
def test_what_the_program_still_lacks_is_said(
    app: Path,
    address: str,
    options: str,
    words: list[str],
    notes: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = f'from lineman import Worker\nWorker("{address}", {options})\nWorker.run_all()\n'
    assert run("haproxy", write(app, text), *BASE, *words) == 0
    out, err = capsys.readouterr()
    assert len(err.splitlines()) == len(notes)
    for note in notes:
        assert note.replace("no PROXY", "not read PROXY") in err
    # The name localhost has a second address, where nobody listens.
    where = "unix@/run/a.sock" if "unix" in address else "127.0.0.1:9001"
    assert f"server worker1 {where}" in out


@pytest.mark.parametrize(
    ("text", "words", "status", "seen"),
    [
        ("1/0", [], 1, "ZeroDivisionError"),
        (
            "Worker('ws://127.0.0.1:1'); Worker('ws://127.0.0.1:2')",
            [],
            2,
            "--worker ws://127.0.0.1:1",
        ),
        ("Worker('ws://127.0.0.1:1', name='a')", ["--worker", "b"], 2, "no worker 'b'"),
        ("Worker('ws://127.0.0.1:0')", [], 1, "give it a port"),
        ("Worker('text://127.0.0.1:1')", [], 1, "proxy_pass 127.0.0.1:1; proxy_protocol on;"),
        ("Worker('ws://127.0.0.1:1', ping_interval=-1)", [], 1, "ping_interval is -1"),
        (
            "Worker('ws://127.0.0.1:1', proxy_protocol='required', trusted_proxies=['127.0.0.1'])",
            ["--no-cert"],
            1,
            "TLS would pass through",
        ),
    ],
)
def test_a_program_that_does_not_fit_is_told_why(
    app: Path,
    text: str,
    words: list[str],
    status: int,
    seen: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    base = BASE[:2] if "--no-cert" in words else BASE
    words = [word for word in words if word != "--no-cert"]
    source = write(app, f"from lineman import Worker\n{text}\n")
    assert run("nginx", source, *base, *words) == status
    assert seen in capsys.readouterr().err


def test_tls_is_ended_once_and_not_twice(
    app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = TestCA(tmp_path).issue("localhost")
    tls = f"'wss://127.0.0.1:9001', cert={str(pair.cert)!r}, key={str(pair.key)!r}"
    write(app, f"from lineman import Worker\nWorker({tls})\n")
    assert run("nginx", app, *BASE) == 1
    assert "the proxy would do the same" in capsys.readouterr().err
    assert run("nginx", app, *BASE, "--tcp") == 1
    assert "leave --cert and --key out" in capsys.readouterr().err
    assert run("nginx", app, *BASE[:2], "--tcp") == 0
    assert "TLS passes through" in capsys.readouterr().out


def test_one_of_several_workers_is_chosen_by_name(app: Path) -> None:
    write(
        app,
        "from lineman import Worker\nfor n in 'ab': Worker(f'ws://127.0.0.1:{ord(n)}', name=n)\n",
    )
    assert [worker.name for worker in workers_of(app)[0]] == ["a", "b"]
    assert run("nginx", app, *BASE, "--worker", "b") == 0


def test_a_gateway_has_one_worker_to_forward_to_and_need_not_name_it(
    app: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        app,
        "from lineman import Gateway, Worker\nWorker()\n"
        "Gateway('ws://127.0.0.1:9001', gateways=2, trusted_proxies=['127.0.0.1'])\n",
    )
    assert len(workers_of(app)[0]) == 4
    assert run("nginx", app, *BASE) == 0
    assert "server 127.0.0.1:9001;" in capsys.readouterr().out
    assert run("nginx", app, *BASE, "--worker", "x") == 2
    assert capsys.readouterr().err.endswith("name one: --worker gateway\n")
