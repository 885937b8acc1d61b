"""The environment of the comparison: every server's newest release, and this package compiled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from sidebyside.rows import STREAM_FLOOR

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".venv-bench"

# What each server needs from PyPI. Lineman itself is installed from this checkout.
PACKAGES = {
    "lineman": ["uvloop"],
    "websockets": ["websockets", "uvloop"],
    "aiohttp": ["aiohttp", "uvloop"],
    "picows": ["picows", "uvloop"],
    "uvicorn": ["uvicorn[standard]", "uvloop"],
    "tornado": ["tornado", "uvloop"],
    STREAM_FLOOR: [],
}

# The same for `make bench-gateway`.
GATEWAY_PACKAGES = {
    "gateway": ["uvloop", "redis"],
    "socketio": ["python-socketio", "redis", "uvicorn", "websockets", "uvloop"],
    "channels": ["channels", "channels_redis", "uvicorn", "websockets", "uvloop"],
}

# The same for `make bench-http`.
HTTP_PACKAGES = {"granian": ["granian", "uvloop"]}

# What the servers of `make bench-apps` serve, besides the servers.
APP_PACKAGES = {"starlette": ["starlette"]}

# The files for a build, without leftovers of an earlier one.
SOURCES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")


class CannotSetUpError(Exception):
    """The environment cannot be made; the message says what to do."""


def set_up(servers: list[str], keep: bool) -> str:
    """Makes the environment, or brings it up to date.

    Args:
        servers: those that take part.
        keep: use it as it is, without network, also for Lineman alone.

    Returns:
        The path of its interpreter. Where Lineman alone takes part, or beside the server in C, that
        is the one that runs this program: nothing needs to be installed then.

    Raises:
        CannotSetUpError: pip or the compiler failed, or there is nothing to keep.
    """
    if set(servers) <= {"lineman", STREAM_FLOOR} and not keep:
        return sys.executable
    python = FOLDER / "bin" / "python"
    if keep:
        if not python.exists():
            raise CannotSetUpError(f"there is no {FOLDER.name} to keep; run once without --keep")
        return str(python)
    if not python.exists():
        print(f"making {FOLDER.name}", file=sys.stderr)
        _run([sys.executable, "-m", "venv", "--clear", str(FOLDER)])
    known = PACKAGES | GATEWAY_PACKAGES | HTTP_PACKAGES | APP_PACKAGES
    wanted = sorted({package for server in servers for package in known.get(server, [])})
    print(f"installing {' '.join(wanted)}", file=sys.stderr)
    _pip(python, ["--upgrade", *wanted])
    if "lineman" in servers:
        _install_lineman(python)
    return str(python)


def compiler() -> str | None:
    """A C compiler on this machine."""
    return next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)


def build_stream_floor(source: Path, directory: Path) -> Path:
    """Compiles the server in C; returns its program.

    Args:
        source: its only file.
        directory: where to put the program.

    Raises:
        CannotSetUpError: there is no C compiler, or it refuses the source.
    """
    found = compiler()
    if found is None:
        raise CannotSetUpError(
            f"{source.name} needs a C compiler (cc, gcc or clang); leave it out: --only lineman"
        )
    program = directory / source.stem
    _run([found, "-O3", "-Wall", "-Wextra", "-o", str(program), str(source)])
    return program


def _install_lineman(python: Path) -> None:
    choice = "required" if compiler() else "no"
    print(f"installing lineman from this checkout, LINEMAN_COMPILE={choice}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "lineman"
        copy.mkdir()
        for source in SOURCES:
            if (ROOT / source).exists():
                shutil.copy2(ROOT / source, copy)
        left_out = shutil.ignore_patterns("*.so", "*.c", "__pycache__", "*.egg-info")
        shutil.copytree(ROOT / "src", copy / "src", ignore=left_out)
        # From a folder pip installs anew also where the version is the same.
        _pip(python, [str(copy)], LINEMAN_COMPILE=choice)


def _pip(python: Path, words: list[str], **env: str) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*command, *words], **env)


def _run(command: list[str], **env: str) -> None:
    done = subprocess.run(command, env={**os.environ, **env}, check=False)
    if done.returncode:
        raise CannotSetUpError(
            f"`{' '.join(command)}` failed, see above; all servers need PyPI, Lineman alone does"
            " not: --only lineman"
        )
