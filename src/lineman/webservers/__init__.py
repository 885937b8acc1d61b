"""Configurations for the web server in front: a `Site` becomes text for one of four programs.

Pure: nothing here reads a file, asks a program, or knows what is installed.
"""

from __future__ import annotations

from types import ModuleType

from lineman.webservers import apache, caddy, haproxy, nginx
from lineman.webservers.server_version import Version
from lineman.webservers.site import Site, Upstream, read_upstream

PROGRAMS: dict[str, ModuleType] = {
    "nginx": nginx,
    "apache": apache,
    "caddy": caddy,
    "haproxy": haproxy,
}
"""Each has `render(site, version)`, `standalone(site, version, directory, …)`, and the names of its
program and package."""

__all__ = ["PROGRAMS", "Site", "Upstream", "Version", "read_upstream"]
