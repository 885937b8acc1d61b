"""The README's short configurations, each put in the place of the howto's long one."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from e2e.support.proxies import Proxy
from e2e.support.service import service
from kit.peer_client import PeerClient
from kit.waiting import DEADLINE

README = Path(__file__).parents[2] / "README.md"
# What opens the location in the howto's file, and the same for a path that nobody asks for.
OPENS = {
    "nginx": ("location = /wss {", "location = /long {"),
    "apache": ('<LocationMatch "^/wss$">', '<LocationMatch "^/long$">'),
}


def snippet(kind: str) -> str:
    """The README's configuration for nginx or Apache."""
    text = README.read_text(encoding="utf-8")
    (found,) = re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)
    return str(found)


@pytest.mark.parametrize("kind", OPENS)
def test_the_configuration_in_the_readme_reaches_the_worker_with_the_clients_address(
    kind: str, start_proxy: Callable[..., Proxy], trust: ssl.SSLContext
) -> None:
    options: dict[str, Any] = {"trusted_proxies": ["127.0.0.1/32"], "real_ip_header": "x-real-ip"}
    with service(**options) as worker:
        short = snippet(kind).replace("127.0.0.1:8282", f"127.0.0.1:{worker.port}")
        opens, elsewhere = OPENS[kind]
        proxy = start_proxy(kind, worker.port, replacements={opens: f"{short}\n{elsewhere}"})
        plain = socket.create_connection(
            ("127.0.0.1", proxy.https_port), DEADLINE, source_address=("127.0.0.2", 0)
        )
        with PeerClient("wss://domain.com/wss", sock=plain, ssl=trust) as connection:
            connection.send("whoami")
            known = json.loads(connection.recv(DEADLINE))
            assert (known["remote_ip"], known["path"]) == ("127.0.0.2", "/wss")
