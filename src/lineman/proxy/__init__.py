"""Configurations for the web server in front: a `Site` becomes text for one of four programs.

Pure: nothing here reads a file, asks a program, or knows what is installed.
"""

from __future__ import annotations

from types import ModuleType

from lineman.proxy import apache, caddy, haproxy, nginx
from lineman.proxy.site import Site, Upstream, read_upstream
from lineman.proxy.version import Version

PROGRAMS: dict[str, ModuleType] = {
    "nginx": nginx,
    "apache": apache,
    "caddy": caddy,
    "haproxy": haproxy,
}
"""Each has `render(site, version)`, `standalone(site, version, directory, …)`, and what it is
called by the system."""

__all__ = ["PROGRAMS", "Site", "Upstream", "Version", "read_upstream"]
