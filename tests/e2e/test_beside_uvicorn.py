"""The same odd application under uvicorn and here: what differs is what the manual's table says."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.support.answered import Probe, get, raw, text, websocket
from e2e.support.served_apps import served

pytestmark = pytest.mark.e2e
HOWTO = Path(__file__).parents[2] / "docs" / "howto" / "from-uvicorn.md"
BEGIN = "| What a client sends, or the application does | uvicorn | `lineman serve` |"

END = "Connection: close\n\n"
UPGRADE = "GET / HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: websocket\n"
KEY = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\n"
CHUNKED = "POST /size HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n"
OTHER_FORWARDED = "X-Forwarded-For: 192.0.2.7\nForwarded: for=192.0.2.8\n"

# Where the standards, or what people rely on, decide: the same everywhere.
ALIKE: dict[str, Probe] = {
    "headers of the application": get("/own-server", "server", "date"),
    "the type of an answer": get("/", "content-type"),
    "bare line feeds": raw("GET / HTTP/1.1\fHost: a\fConnection: close\f\f"),
    "a length beside chunks": raw(f"{CHUNKED}Content-Length: 3\n{END}1\na\n0\n\n"),
    "a length with a sign": raw(f"POST /size HTTP/1.1\nHost: a\nContent-Length: +3\n{END}abc"),
    "a blank before the colon": raw(f"GET / HTTP/1.1\nHost: a\nA : b\n{END}"),
    "a header on two lines": raw(f"GET / HTTP/1.1\nHost: a\nA: b\n c\n{END}"),
    "a NUL in a header": raw(f"GET / HTTP/1.1\nHost: a\nA: b\0c\n{END}"),
    "what is no HTTP": raw("hello\n\n"),
    "HTTP/1.0": raw("GET / HTTP/1.0\n\n"),
    "chunks": raw(f"{CHUNKED}{END}1\na\n0\n\n"),
    "a broken chunk": raw(f"{CHUNKED}{END}x\na\n0\n\n"),
    "a whole URL as the target": raw(f"GET http://a/ HTTP/1.1\nHost: a\n{END}"),
    "an upgrade that nobody knows": raw(f"GET / HTTP/1.1\nHost: a\nUpgrade: h2c\n{END}"),
    "an address of a proxy": text("/client", "X-Forwarded-For: 192.0.2.7\n"),
    "addresses of a proxy": text("/client", "X-Forwarded-For: 203.0.113.9, 192.0.2.7\n"),
    "a path with blanks": text("/a%20b?c=%20"),
    "it raises": get("/raises"),
    "it answers nothing": get("/nothing"),
    "it breaks off": get("/breaks-off"),
    "its answer is too short": get("/too-short"),
    "it closes a websocket": websocket("/closes"),
    "it denies a websocket": websocket("/denies"),
    "a handshake without a key": raw(f"{UPGRADE}Sec-WebSocket-Version: 13\n\n"),
}
# The rows of the table.
DIFFERENT: dict[str, Probe] = {
    "any request: the header `Server`": get("/", "server"),
    "an answer of one piece without a length": get("/", "content-length"),
    "no `Host`": raw(f"GET / HTTP/1.1\n{END}"),
    "two `Host` headers": raw(f"GET / HTTP/1.1\nHost: a\nHost: b\n{END}"),
    "a request of HTTP/2.0 in the form of HTTP/1.1": raw("GET / HTTP/2.0\nHost: a\n\n"),
    "70 000 bytes in a header": raw(f"GET / HTTP/1.1\nHost: a\nA: {'b' * 70_000}\n{END}"),
    "`X-Forwarded-For` and `Forwarded` that differ, by a trusted proxy": text(
        "/client", OTHER_FORWARDED
    ),
    "`X-Forwarded-For: nobody`, by a trusted proxy": text("/client", "X-Forwarded-For: nobody\n"),
    "`X-Real-IP` alone, by a trusted proxy": text("/client", "X-Real-IP: 192.0.2.7\n"),
    "websocket: version 12": raw(f"{UPGRADE}{KEY}Sec-WebSocket-Version: 12\n\n"),
    "websocket: closed in place of accepted": websocket("/refuses"),
    "websocket: the application returns while it is open": websocket("/accepts-and-returns"),
    "websocket: the application raises while it is open": websocket("/accepts-and-raises"),
}


def table() -> dict[str, tuple[str, str]]:
    """What the manual says: uvicorn's answer, and ours."""
    lines = HOWTO.read_text(encoding="utf-8").split(BEGIN)[1].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return {question: (theirs, ours) for question, theirs, ours in rows}


def test_the_manual_lists_what_differs_from_uvicorn(tmp_path: Path) -> None:
    found: dict[str, dict[str, str]] = {}
    for server in ("uvicorn", "lineman"):
        with served(server, "odd_app", tmp_path) as port:
            probes = {**ALIKE, **DIFFERENT}
            found[server] = {question: probe(port) for question, probe in probes.items()}
    theirs, ours = found["uvicorn"], found["lineman"]
    assert {each: ours[each] for each in ALIKE} == {each: theirs[each] for each in ALIKE}
    assert {each: (theirs[each], ours[each]) for each in DIFFERENT} == table()
