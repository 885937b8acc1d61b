"""Real HAProxy and nginx as TCP proxies before `text://`, `frame://` and `tcp://`.

One program listens at all addresses; each proxy has one port for each of them.
"""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.support.client import CLIENT_IP, tcp
from e2e.support.proxies import NGINX_MODULES, binary_of
from kit.app import App
from kit.program import Program, free_ports, started
from kit.waiting import wait_until
from lineman.testing.certificates import TestCA

# It answers each message with its process, what it knows of the client, and the message.
PROGRAM = """
    import os
    from lineman import Worker

    options = dict(
        trusted_proxies=["127.0.0.1/32", "unix"], proxy_protocol="required", drain_seconds=0.2,
        stop_timeout=2,
    )
    plain = Worker({plain!r}, socket_mode=0o666, **options)
    safe = Worker(
        {safe!r}, cert={cert!r}, key={key!r}, ca_file={ca!r}, verify_client="required", **options
    )

    @safe.on_message
    @plain.on_message
    def reply(connection, message):
        tls, header = connection.tls, connection.proxy_header
        told = message if isinstance(message, str) else message.decode()
        who = tls.peer_subject if tls else "nobody"
        answer = f"{{os.getpid()}} {{connection.remote_ip}} {{header.version}} {{who}} {{told}}"
        connection.send(answer if isinstance(message, str) else answer.encode())

    Worker.run_all()
"""
HAPROXY = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
"""
NGINX = """
daemon off; pid nginx.pid; error_log stderr notice;
load_module {modules}/ngx_stream_module.so;
events {{}}
stream {{
{servers}
}}
"""
# Name of each address, and the version of the header that HAProxy sends there.
ADDRESSES = {"text": 1, "frame": 2, "tcp": 1, "text+unix": 2, "frame+unix": 1, "text+tls": 2}


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """Where a proxy's user may look, and short enough for a unix socket's path."""
    with tempfile.TemporaryDirectory() as made:
        os.chmod(made, 0o755)
        yield Path(made)


@pytest.fixture(scope="module")
def authority(directory: Path) -> TestCA:
    return TestCA(directory / "ca")


@pytest.fixture(scope="module")
def upstreams() -> dict[str, int]:
    tcp = [name for name in ADDRESSES if "unix" not in name]
    return dict(zip(tcp, free_ports(len(tcp)), strict=True))


@pytest.fixture(scope="module")
def app(directory: Path, authority: TestCA, upstreams: dict[str, int]) -> Iterator[App]:
    pair = authority.issue(["localhost"])
    *plain, safe = [
        f"{name}://127.0.0.1:{upstreams[name]}"
        if name in upstreams
        else f"{name}://{directory}/{name}"
        for name in ADDRESSES
    ]
    files = {"cert": str(pair.cert), "key": str(pair.key), "ca": str(authority.ca_path)}
    running = App(directory, PROGRAM.format(plain=plain, safe=safe, **files))
    running.start()
    yield running
    running.stop()


@contextmanager
def haproxy(directory: Path, upstreams: dict[str, int]) -> Iterator[dict[str, int]]:
    ports = dict(zip(ADDRESSES, free_ports(len(ADDRESSES)), strict=True))
    text = HAPROXY
    for name, version in ADDRESSES.items():
        sends = {1: "send-proxy", 2: "send-proxy-v2"}[version]
        where = f"127.0.0.1:{upstreams[name]}" if name in upstreams else f"unix@{directory}/{name}"
        text += f"listen {name.replace('+', '-')}\n    bind 127.0.0.1:{ports[name]}\n"
        text += f"    server worker {where} {sends}\n"
    file = directory / "haproxy.cfg"
    file.write_text(text, encoding="utf-8")
    command = [binary_of("haproxy"), "-W", "-f", str(file)]
    with started(lambda: (Program("haproxy", command), "Loading success")):
        yield ports


@contextmanager
def nginx(directory: Path, upstreams: dict[str, int]) -> Iterator[dict[str, int]]:
    ports = dict(zip(ADDRESSES, free_ports(len(ADDRESSES)), strict=True))
    servers = ""
    for name, port in ports.items():
        where = f"127.0.0.1:{upstreams[name]}" if name in upstreams else f"unix:{directory}/{name}"
        servers += f"server {{ listen 127.0.0.1:{port}; proxy_pass {where}; proxy_protocol on; }}\n"
    file = directory / "nginx.conf"
    file.write_text(NGINX.format(modules=NGINX_MODULES, servers=servers), encoding="utf-8")
    command = [binary_of("nginx"), "-p", str(directory), "-c", str(file)]
    with started(lambda: (Program("nginx", command), "start worker process")):
        yield ports


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def proxy(
    request: pytest.FixtureRequest, app: App, directory: Path, upstreams: dict[str, int]
) -> Iterator[tuple[str, dict[str, int]]]:
    """The name of a proxy, and its port for each address."""
    kind: str = request.param
    with (nginx if kind == "nginx" else haproxy)(directory, upstreams) as ports:
        yield kind, ports


def framed(name: str, body: bytes) -> bytes:
    if name.startswith("frame"):
        return (len(body) + 4).to_bytes(4, "big") + body
    return body + b"\n" if name.startswith("text") else body


def ask(name: str, line: socket.socket, word: str) -> list[str]:
    """Sends a message; the words of the answer, which ends with it."""
    line.sendall(framed(name, word.encode()))
    end = framed("text" if name.startswith("text") else "tcp", word.encode())
    got = b""
    while not got.endswith(end):
        more = line.recv(65536)
        assert more, got
        got += more
    return got[4 if name.startswith("frame") else 0 :].decode().split()


@pytest.fixture
def tls(authority: TestCA) -> ssl.SSLContext:
    """Of a device with a certificate of its own."""
    made = ssl.create_default_context(cafile=authority.ca_path)
    device = authority.issue(["pump.test"], filename="pump", purpose="client")
    made.load_cert_chain(device.cert, device.key)
    return made


def connect(name: str, port: int, tls: ssl.SSLContext) -> socket.socket:
    plain = tcp(port)
    return tls.wrap_socket(plain, server_hostname="localhost") if "tls" in name else plain


def test_each_protocol_learns_the_clients_real_address(
    app: App, proxy: tuple[str, dict[str, int]], tls: ssl.SSLContext
) -> None:
    kind, ports = proxy
    for name, port in ports.items():
        with connect(name, port, tls) as line:
            _, *told = ask(name, line, "hello")
            version = ADDRESSES[name] if kind == "haproxy" else 1
            who = "CN=pump.test" if "tls" in name else "nobody"
            assert told == [CLIENT_IP, str(version), who, "hello"], name
            assert ask(name, line, "again")[-1] == "again"


def test_a_device_without_a_certificate_does_not_get_in_through_a_proxy(
    proxy: tuple[str, dict[str, int]], authority: TestCA
) -> None:
    stranger = ssl.create_default_context(cafile=authority.ca_path)
    with (
        pytest.raises((ssl.SSLError, ConnectionError, AssertionError)),
        connect("text+tls", proxy[1]["text+tls"], stranger) as line,
    ):
        ask("text+tls", line, "hello")


def test_a_reload_refuses_nobody_who_comes_by_a_proxy(
    app: App, proxy: tuple[str, dict[str, int]], tls: ssl.SSLContext
) -> None:
    """New clients come all the time; each is answered, at last by the new processes alone."""
    _, ports = proxy

    def pids() -> set[str]:
        found = set()
        for name, port in ports.items():
            with connect(name, port, tls) as line:
                found.add(ask(name, line, "who")[0])
        return found

    old = pids()
    reload = subprocess.Popen([sys.executable, str(app.script), "reload"])
    while reload.poll() is None:
        pids()
    assert reload.returncode == 0
    wait_until(lambda: not pids() & old, "the new processes serve alone")
