"""The tests that channels_redis runs on its layers, run on the layer of Lineman."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

from kit.waiting import DEADLINE

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NAME = "channels-redis"


def sdist() -> Path:
    """The directory of their source, downloaded once; its hash is that of the pinned version."""
    pinned = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    found = re.search(rf"^{NAME}==(\S+) ((?:\\\n +--hash=sha256:\w+ ?)+)", pinned, re.MULTILINE)
    assert found is not None
    version, hashes = found[1], re.findall(r"sha256:(\w+)", found[2])
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    name = f"channels_redis-{version}"
    archive = build / f"{name}.tar.gz"
    if not archive.is_file():
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:"]
        # pip asks the package for its name, which takes setuptools.
        command += ["-d", str(build), f"{NAME}=={version}"]
        subprocess.run(command, check=True, capture_output=True, timeout=4 * DEADLINE)
    assert hashlib.sha256(archive.read_bytes()).hexdigest() in hashes
    if not (build / name / "tests").is_dir():
        with tarfile.open(archive) as opened:
            opened.extractall(build, filter="data")
    return build / name


def test_the_layer_passes_the_tests_of_channels_redis_on_its_layers() -> None:
    theirs = sdist()
    paths = [str(HERE / "support"), str(ROOT / "src")]
    command = [sys.executable, "-m", "pytest", "-c", "setup.cfg", "-p", "in_their_place", "-n", "5"]
    command += ["-p", "no:cacheprovider", "tests/test_core.py", "tests/test_pubsub.py"]
    done = subprocess.run(
        command,
        cwd=theirs,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=6 * DEADLINE,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    passed, expected = (
        re.search(rf"(\d+) {word}", done.stdout) for word in ("passed", "xfailed|xpassed")
    )
    assert passed is not None
    # Two of theirs fail with Redis too: they wait as long as a message lives, to the second.
    assert int(passed[1]) >= 39
    assert expected is not None
    assert " failed" not in done.stdout
