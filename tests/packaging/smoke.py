"""Tests that an installed package serves; `tools/package` runs it in an empty environment.

It needs nothing but the package. Its argument is the build that `lineman --version` must report.
"""

import asyncio
import base64
import os
import subprocess
import sys
from pathlib import Path

import lineman
from lineman import Worker
from lineman.runtime.build import describe

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + base64.b64encode(bytes(16)) + b"\r\n\r\n"
)
HELLO = b"\x81\x85\x00\x00\x00\x00hello"


async def echo() -> None:
    """A service, and a client that gets its message back."""
    worker = Worker("ws://127.0.0.1:0")

    @worker.on_message
    def answer(connection: lineman.Connection, message: str | bytes) -> None:
        connection.send(message)

    await worker.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", worker.port)
    writer.write(HANDSHAKE)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 "), head
    writer.write(HELLO)
    message = await reader.readexactly(7)
    assert message == b"\x81\x05hello", message
    writer.close()
    await worker.stop()


def run_commands() -> None:
    """The commands that need no service."""
    lineman_command = str(Path(sys.executable).parent / "lineman")
    for words in (["--version"], ["--help"], ["doctor", "--help"]):
        done = subprocess.run([lineman_command, *words], capture_output=True, text=True, check=True)
        assert done.stdout.strip(), words


def main() -> None:
    """Fails by an exception."""
    wanted = sys.argv[1].strip("()")
    root = Path(lineman.__file__).parent
    assert root.is_relative_to(sys.prefix), root
    assert describe() == wanted, (describe(), wanted)
    assert not [*root.rglob("*.pxd"), *root.rglob("*.c")]
    asyncio.run(echo())
    run_commands()
    print(f"smoke: {wanted}, as user {os.getuid()}: works")


main()
