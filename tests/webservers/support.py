"""A site that every program can serve, and the newest version of each."""

from __future__ import annotations

from typing import Any

from lineman.webservers import Site, Upstream
from lineman.webservers.server_version import Version

WORKER = Upstream("127.0.0.1", 8282)
CERT = {"cert": "/etc/ssl/a.pem", "key": "/etc/ssl/b.pem"}
NEWEST: dict[str, Version] = {
    "nginx": (1, 31, 3), "apache": (2, 4, 71), "caddy": (2, 11, 4), "haproxy": (3, 2, 0),
}  # fmt: skip


def site(domain: str = "chat.example.com", **options: Any) -> Site:
    return Site(domain, **{"upstreams": (WORKER,), **CERT, **options})
