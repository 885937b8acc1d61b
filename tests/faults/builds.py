"""Another build of Lineman than this one, to be upgraded from."""

from __future__ import annotations

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import lineman

HERE = Path(lineman.__file__).parents[1]
ROOT = Path(__file__).parents[2]
WIRE = "src/lineman/gateway/wire/versions.py"


def build_before(directory: Path) -> tuple[Path, str]:
    """The source of the last commit with another version of the wire, and what it is.

    In a clone without a history it is this source; then the program gives itself an older wire.

    Args:
        directory: where the source is put.
    """
    change = _git("log", "-1", "--format=%H", "-G^own = ", "--", WIRE).decode().strip()
    archive = _git("archive", f"{change}^", "src") if change else b""
    if not archive:
        return HERE, "this one, with the wire of the version before"
    with tarfile.open(fileobj=BytesIO(archive)) as found:
        found.extractall(directory, filter="data")
    return directory / "src", f"the commit before {change[:10]}"


def _git(*words: str) -> bytes:
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, timeout=60)
    except OSError:
        return b""
    return b"" if done.returncode else done.stdout
