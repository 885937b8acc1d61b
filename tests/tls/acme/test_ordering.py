"""The file that a web server answers http-01 with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lineman.tls.acme.acme_client import AcmeFailure
from lineman.tls.acme.ordering import _in_webroot


def test_everybody_may_read_it_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        for answer in ("first and long", "again"):
            path = _in_webroot(tmp_path, "token", answer)
            assert path.read_text() == answer
            assert path.stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)


def test_a_link_that_stands_there_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    victim.chmod(0o600)
    path = _in_webroot(tmp_path, "token", "answer")
    path.unlink()
    path.symlink_to(victim)
    with pytest.raises(AcmeFailure, match="cannot write below the webroot"):
        _in_webroot(tmp_path, "token", "answer")
    assert victim.read_text() == "precious"
    assert victim.stat().st_mode & 0o777 == 0o600
