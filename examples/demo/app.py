"""A chat over wss with its own page and its own development certificate: `make demo`.

The environment changes where it listens:

    DEMO_PORT=9443          another port
    DEMO_HOST=0.0.0.0       reachable from other machines and phones in the same network
    DEMO_TLS=off            plain ws, to stand behind nginx or Apache; the page is then opened
                            as https://domain.com/?ws=/wss
    DEMO_DIRECTORY=...      where the development certificate is kept; `.demo` unless given
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import socket
import sys
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from lineman import (
    ConfigError,
    Connection,
    Request,
    Response,
    Worker,
    development_certificate,
)

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
HOST = os.environ.get("DEMO_HOST", "127.0.0.1")
PORT = os.environ.get("DEMO_PORT", "8443")
TLS = os.environ.get("DEMO_TLS", "on") != "off"
DIRECTORY = Path(os.environ.get("DEMO_DIRECTORY", ROOT / ".demo"))
EVERYWHERE = ("0.0.0.0", "::")
PRIVATE = [ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
LONGEST_NAME = 24  # characters
LONGEST_LINE = 2000  # characters
BIRDS = ["Wren", "Swift", "Martin", "Swallow", "Starling", "Robin", "Finch", "Heron", "Lark"]


def content_security_policy(page: str) -> str:
    """Return the policy that allows only the page's own style, script, icon and websocket."""

    def digest(tag: str) -> str:
        found = re.search(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert found is not None, f"the page has no <{tag}>"
        return base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()

    return (
        f"default-src 'none'; script-src 'sha256-{digest('script')}'; "
        f"style-src 'sha256-{digest('style')}'; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


PAGE = (HERE / "page.html").read_text(encoding="utf-8")
PAGE_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": content_security_policy(PAGE),
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def further_names() -> list[str]:
    """Return the names of this machine, besides localhost, under which the page may be opened."""
    if HOST in ("127.0.0.1", "::1", "localhost"):
        return []
    if HOST not in EVERYWHERE:
        return [HOST]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: connecting a datagram socket only asks which way it would go.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return []  # no network: only localhost is left
        address: str = probe.getsockname()[0]
    # The authority certifies addresses of private networks only; elsewhere use localhost.
    return [address] if any(ip_address(address) in network for network in PRIVATE) else []


def make_worker() -> Worker:
    """Return the worker: with TLS and a certificate, or plain, behind a web server."""
    where = f"[{HOST}]:{PORT}" if ":" in HOST else f"{HOST}:{PORT}"
    if not TLS:
        proxies = ["127.0.0.1/32", "::1/128"]
        return Worker(f"ws://{where}", trusted_proxies=proxies, real_ip_header="x-real-ip")
    try:
        pair = development_certificate(DIRECTORY, further_names())
    except ConfigError as error:
        sys.exit(f"demo: {error}")
    return Worker(f"wss://{where}", cert=pair.cert, key=pair.key)


worker = make_worker()
worker.name = "demo"
worker.max_message_size = 16 * 1024


@dataclass
class Person:
    """One user in the room."""

    connection: Connection
    name: str


room: dict[int, Person] = {}


def tell_everyone(**message: Any) -> None:
    text = encode(**message)
    for person in list(room.values()):
        person.connection.send(text)


def tell_who_is_here() -> None:
    names = [person.name for person in room.values()]
    tell_everyone(kind="people", count=len(names), names=names[:12])


def enter(connection: Connection, wanted: str) -> Person:
    person = Person(connection, f"{BIRDS[connection.id % len(BIRDS)]} {connection.id}")
    person.name = printable(wanted) or person.name
    tell_everyone(kind="note", text=f"{person.name} joined")
    room[connection.id] = person
    welcome(person)
    return person


def rename(person: Person, wanted: str) -> None:
    name = printable(wanted) or person.name
    if name != person.name:
        tell_everyone(kind="note", text=f"{person.name} is now {name}")
    person.name = name
    welcome(person)


def welcome(person: Person) -> None:
    person.connection.send(encode(kind="welcome", id=person.connection.id, name=person.name))
    tell_who_is_here()


def printable(name: str) -> str:
    """Return the name on one line, without control characters, and not too long."""
    words = "".join(letter if letter.isprintable() else " " for letter in name).split()
    return " ".join(words)[:LONGEST_NAME].strip()


def encode(**message: Any) -> str:
    return json.dumps(message, ensure_ascii=False)


def parse(text: str) -> dict[str, Any]:
    """Return the page's message; plain text, as from a browser's console, is a chat line."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        message = None
    if isinstance(message, dict) and isinstance(message.get("kind"), str):
        return message
    return {"kind": "say", "text": text}


def authority() -> Response:
    """Return the authority to trust; a phone that opens it offers to install it."""
    return Response(
        (DIRECTORY / "ca.pem").read_bytes(),
        content_type="application/x-x509-ca-cert",
        headers={"Content-Disposition": 'attachment; filename="lineman-ca.crt"'},
    )


@worker.on_request
def serve_page(request: Request) -> Response:
    if request.path == "/ca.pem" and TLS:
        return authority()
    if request.path != "/":
        return Response("there is nothing here; the page is at /\n", status=404)
    return Response(PAGE, headers=PAGE_HEADERS)


@worker.on_message
def on_message(connection: Connection, message: str | bytes) -> None:
    if isinstance(message, bytes):
        connection.send(message)
        return
    said = parse(message)
    kind = said["kind"]
    number = said["n"] if isinstance(said.get("n"), int) else None
    name = str(said.get("name", ""))
    person = room.get(connection.id) or enter(connection, name)
    if kind == "ping":
        connection.send(encode(kind="pong", n=number))
    elif kind == "name":
        rename(person, name)
    elif kind == "say":
        text = str(said.get("text", ""))[:LONGEST_LINE]
        tell_everyone(kind="line", id=connection.id, name=person.name, text=text, n=number)


@worker.on_close
def leave(connection: Connection) -> None:
    person = room.pop(connection.id, None)
    if person is not None:
        tell_everyone(kind="note", text=f"{person.name} left")
        tell_who_is_here()


def shown(path: Path) -> str:
    """Return the path as one would type it here, in quotes where a shell needs them."""
    text = os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
    return f"'{text}'" if re.search(r"[^\w./-]", text) else text


@worker.on_worker_start
def greet(worker: Worker) -> None:
    if not TLS:
        return
    ca = shown(DIRECTORY / "ca.pem")
    names = further_names()
    if HOST in EVERYWHERE or not names:
        names.insert(0, "localhost")
    addresses = "\n          ".join(f"https://{name}:{worker.port}" for name in names)
    lineman = shown(Path(sys.executable).with_name("lineman"))
    phone = f"open https://{names[-1]}:{worker.port}/ca.pem on the phone"
    if names[-1] == "localhost":  # which is the phone itself there
        phone = "start with DEMO_HOST=0.0.0.0, open what this then names on the phone"
    print(
        f"""
  Open    {addresses}
  Stop    Ctrl+C

  The browser warns, because nobody vouches for a certificate made on this machine.
  Either continue past the warning, or trust {ca}, once:

    Chromium, Firefox  {lineman} cert trust --browsers --ca {ca}
    curl, Python, ...  sudo {lineman} cert trust --system --ca {ca}
    Phone              {phone},
                       and switch it on in the settings for certificates

  `untrust` takes it back. Step by step for every system:
  docs/howto/trust-the-development-certificate.md
""",
        file=sys.stderr,
    )


if __name__ == "__main__":
    Worker.run_all()
