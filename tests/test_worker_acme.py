"""A worker that gets its certificate by itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from lineman import ConfigError, Worker
from lineman.config import checked_options

# A certificate of its own.


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"acme": "you@example.com"}, "names of the certificate"),
        ({"acme": "nobody", "domains": ["a.example.com"]}, "no e-mail address"),
        ({"domains": ["a.example.com"]}, "domains is given, but not acme"),
        ({"acme_ca": "letsencrypt"}, "acme_ca is given, but not acme"),
        ({"acme": "", "domains": ["a.example.com"], "cert": "a.pem"}, "keep one of the two"),
        ({"acme": "", "domains": ["*.example.com"]}, "dns-01"),
        ({"acme": "", "domains": ["a.example.com"], "acme_ca": "mine"}, "acme_ca is 'mine'"),
    ],
)
def test_a_worker_that_cannot_get_a_certificate_is_refused(
    options: dict[str, Any], why: str, tmp_path: Path
) -> None:
    if "acme" in options:
        options = {"acme_directory_path": tmp_path / "state", **options}
    with pytest.raises(ConfigError, match=re.escape(why)):
        checked_options.read(Worker("wss://127.0.0.1:0", **options))


def test_acme_is_for_tls(tmp_path: Path) -> None:
    worker = Worker("ws://127.0.0.1:0", acme="", domains=["a.example.com"])
    with pytest.raises(ConfigError, match="speaks plain ws"):
        checked_options.read(worker)


def test_a_plan_without_a_certificate_yet_speaks_of_wss(tmp_path: Path) -> None:
    worker = Worker(
        "wss://127.0.0.1:443", acme="", domains=["a.example.com"],
        acme_directory_path=tmp_path / "state",
    )  # fmt: skip
    plan = checked_options.read(worker)
    assert plan.tls is None
    assert plan.acme is not None
    assert plan.url == "wss://127.0.0.1:443"
    assert not (tmp_path / "state").exists()  # it is made by whoever serves


def test_a_state_directory_that_others_may_write_to_is_refused_before_anything(
    tmp_path: Path,
) -> None:
    tmp_path.chmod(0o777)
    worker = Worker(
        "wss://127.0.0.1:443", acme="", domains=["a.example.com"], acme_directory_path=tmp_path
    )
    with pytest.raises(ConfigError, match="chmod 700"):
        checked_options.read(worker)
