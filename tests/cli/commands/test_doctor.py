"""`lineman doctor`, from the command line to the exit status."""

from __future__ import annotations

import json
import os
import socket
import textwrap
from pathlib import Path

import pytest

from kit.app import App
from kit.program import free_ports
from lineman import Worker
from lineman.cli.main import main
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.testing.serving import Serving


@pytest.fixture
def ca(tmp_path: Path) -> TestCA:
    return TestCA(tmp_path / "ca")


@pytest.fixture
def pair(ca: TestCA) -> IssuedPair:
    return ca.issue("chat.test")


def diagnose(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, list[str]]:
    """The exit status, and the names of the findings."""
    status = main(["doctor", "--json", *map(str, words)])
    read = json.loads(capsys.readouterr().out)
    assert read["status"] == status
    return status, [each["name"] for each in read["findings"] if each["level"] != "ok"]


def test_a_healthy_service_has_status_0(
    ca: TestCA, pair: IssuedPair, capsys: pytest.CaptureFixture[str]
) -> None:
    with Serving(Worker("wss://127.0.0.1:0", cert=pair.cert, key=pair.key)) as site:
        url = f"wss://chat.test:{site.port}/"
        words = [url, "--resolve", "chat.test:127.0.0.1", "--ca", ca.ca_path]
        assert diagnose(capsys, *words, "--cert", pair.cert) == (
            0,
            ["cert-own-authority", "idle-not-tried"],
        )
        assert main(["doctor", *map(str, words)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(url)
    assert "\nok      ping: a ping is answered in " in out
    assert "\x1b" not in out


def test_what_keeps_clients_out_has_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    (port,) = free_ports(1)
    assert diagnose(capsys, f"ws://127.0.0.1:{port}/") == (1, ["port-closed"])


def test_a_warning_has_status_3(capsys: pytest.CaptureFixture[str]) -> None:
    with Serving(Worker("ws://127.0.0.1:0")) as site:
        words = [f"ws://chat.test:{site.port}/", "--resolve", "chat.test:127.0.0.1"]
        status, names = diagnose(capsys, *words)
    assert (status, names[0]) == (3, "insecure-scheme")


def test_a_service_without_http_is_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    with Serving(Worker("text://127.0.0.1:0")) as site:
        status, names = diagnose(capsys, f"text://127.0.0.1:{site.port}", "--patience", "0.2")
    assert (status, names) == (0, ["stream-silent"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["https://a.test/"], "write wss://a.test/"),
        (["wss://a.test/#x"], "fragment"),
        (["wss://a.test/", "--resolve", "b.test:127.0.0.1"], "the URL's host is a.test"),
        (["wss://a.test/", "--header", "Host: b"], "Host"),
        (["udp://a.test:53"], "from inside: lineman doctor app.py"),
        (["tcp://a.test"], "has no port"),
        (["tcp://a.test:1", "--upstream", "ws://127.0.0.1:1"], "--upstream is for websockets"),
        (["text+tls://a.test:1", "--message-size", "9"], "--message-size is for websockets"),
    ],
)
def test_what_makes_no_sense_has_status_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--resolve", "a.test"],
        ["--stand-in", "8282"],
        ["--stand-in", "127.0.0.1:x"],
        ["--message-size", "0"],
        ["--patience", "-1"],
        ["--profile", "line"],
    ],
)
def test_a_bad_option_is_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["doctor", "wss://a.test/", *words])


def write(directory: Path, text: str) -> Path:
    script = directory / "app.py"
    script.write_text(textwrap.dedent(text))
    return script


def test_a_program_is_looked_at_from_inside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (port,) = free_ports(1)
    script = write(
        tmp_path,
        f"""
        from lineman import Worker
        worker = Worker("ws://127.0.0.1:{port}", count=2, name="chat", backlog=16)
        worker.on_message = lambda connection, message: worker.broadcast(message)
        Worker.run_all()
        """,
    )
    status, names = diagnose(capsys, script)
    assert status == 1
    assert names[:3] == ["worker-not-running", "processes-without-gateway", "real-ip-untrusted"]


def test_a_running_program_is_asked_for_its_certificate(
    tmp_path: Path, ca: TestCA, pair: IssuedPair, capsys: pytest.CaptureFixture[str]
) -> None:
    (port,) = free_ports(1)
    # The user's own context is read once: the file changes, but the served certificate does not.
    app = App(
        tmp_path,
        f"""
        import ssl
        from lineman import Worker
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("{pair.cert}", "{pair.key}")
        Worker("wss://0.0.0.0:{port}", ssl_context=context, backlog=16)
        Worker.run_all()
        """,
    )
    app.start()
    try:
        app.write(
            f"""
            from lineman import Worker
            Worker("wss://0.0.0.0:{port}", cert="{pair.cert}", key="{pair.key}", backlog=16)
            Worker.run_all()
            """
        )
        assert "cert-served-differs" not in diagnose(capsys, app.script)[1]
        ca.issue("chat.test")
        status, names = diagnose(capsys, app.script)
    finally:
        app.stop()
    assert (status, names[0]) == (1, "cert-served-differs")


ONE = """
    from lineman import Worker
    Worker("{address}", trusted_proxies=["unix" if "+" in "{address}" else "127.0.0.1/32"])
    Worker.run_all()
"""


@pytest.mark.parametrize("where", ["port", "path"])
def test_a_stranger_at_the_address_is_no_program_that_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    (port,) = free_ports(1)
    address = f"ws://127.0.0.1:{port}" if where == "port" else f"ws+unix://{tmp_path}/s"
    script = write(tmp_path, ONE.format(address=address))
    family = socket.AF_INET if where == "port" else socket.AF_UNIX
    with socket.socket(family) as mute:
        mute.bind(("127.0.0.1", port) if where == "port" else f"{tmp_path}/s")
        mute.listen()
        assert main(["doctor", "--timeout", "0.2", str(script)]) == 1
    said = capsys.readouterr().out
    assert "worker-running" not in said
    assert f"(process {os.getpid()}) listens there, and does not belong to {script}" in said
    assert f"stop it: kill {os.getpid()}; or listen somewhere else" in said
    (tmp_path / "s").unlink(missing_ok=True)

    (tmp_path / "other").mkdir()
    other = App(tmp_path / "other", ONE.format(address=address))  # of lineman as well
    other.start()
    try:
        assert main(["doctor", str(script)]) == 1
        assert f"stop it: lineman stop {other.script}; or listen" in capsys.readouterr().out
        assert main(["doctor", str(other.script)]) in (0, 3)
        assert "worker-running" in capsys.readouterr().out
    finally:
        other.stop()


def test_what_serves_without_a_master_is_found_running(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (port,) = free_ports(1)
    text = f"""
        import asyncio
        from lineman import Worker
        async def main():
            await Worker("ws://127.0.0.1:{port}").start()
            print("serves", flush=True)
            await asyncio.sleep(600)
        asyncio.run(main())
    """
    app = App(tmp_path, text)
    app.start(ready="serves")
    try:
        assert main(["doctor", str(app.script)]) in (0, 3)
    finally:
        app.stop()
    assert "worker-running" in capsys.readouterr().out


def test_a_program_that_does_not_come_to_where_it_serves_is_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = write(tmp_path, 'from lineman import Worker\nWorker("ws://127.0.0.1:8282")\n')
    assert main(["doctor", str(script)]) == 1
    said = capsys.readouterr().err
    assert "app.py ends and does not come to Worker.run_all(); fix: write" in said
    assert App(tmp_path, script.read_text()).run("start", by_script=False).stderr.endswith(said)


def test_another_program_at_the_workers_port_is_noticed(
    tmp_path: Path, pair: IssuedPair, capsys: pytest.CaptureFixture[str]
) -> None:
    with Serving(Worker("wss://127.0.0.1:0", cert=pair.cert, key=pair.key)) as site:
        script = write(
            tmp_path,
            f"""
            from lineman import Worker
            Worker("ws://127.0.0.1:{site.port}", trusted_proxies=["127.0.0.1/32"], backlog=16)
            Worker.run_all()
            """,
        )
        status, names = diagnose(capsys, script)
    assert (status, names[0]) == (1, "worker-other-program")


def test_a_program_that_cannot_start_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = write(
        tmp_path,
        """
        from lineman import Worker
        Worker("wss://0.0.0.0:8443", cert="gone.pem", key="gone.key")
        Worker.run_all()
        """,
    )
    status, names = diagnose(capsys, script)
    assert (status, names[0]) == (1, "worker-cannot-start")
    assert main(["doctor", str(tmp_path / "none.py")]) == 1
    assert "there is no program" in capsys.readouterr().err


def test_a_unix_socket_is_tried_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s"
    script = write(
        tmp_path,
        f"""
        from lineman import Worker
        Worker("ws+unix://{path}", trusted_proxies=["unix"], backlog=16)
        Worker.run_all()
        """,
    )
    assert "worker-not-running" in diagnose(capsys, script)[1]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        assert "worker-other-program" in diagnose(capsys, script)[1]


def test_the_processes_of_a_gateway_reach_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (port,) = free_ports(1)
    script = write(
        tmp_path,
        f"""
        from lineman import Gateway, Worker
        gateway = Gateway(
            "ws://127.0.0.1:{port}", gateways=2, name="doctors", backlog=16,
            trusted_proxies=["127.0.0.1/32"],
        )
        Worker.run_all()
        """,
    )
    status, names = diagnose(capsys, script)
    assert status == 1
    assert names[0] == "worker-not-running"
    assert "processes-without-gateway" not in names
    assert "worker-open-without-tls" not in names
