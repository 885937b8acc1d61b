"""Which authorities a chain is judged by."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineman.testing.certificates import TestCA
from lineman.tls.advice import certificate_facts as facts
from lineman.tls.advice.certificate_facts import read_roots
from lineman.tls.development import devca


def test_which_authorities_are_an_operators_own(
    ca: TestCA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, bundle = TestCA(tmp_path / "other", name="Another"), tmp_path / "bundle.pem"
    dev = devca.development_certificate(tmp_path / "dev").ca
    added = tmp_path / "added"
    added.mkdir()
    (added / "mine.crt").write_bytes(other.ca_path.read_bytes())
    (added / "notes.txt").write_text("no certificate")
    bundle.write_bytes(ca.ca_path.read_bytes() + other.ca_path.read_bytes() + dev.read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    own_in = (str(added), str(tmp_path / "nowhere"))
    public, mine, made = (read_roots(one)[0] for one in (ca.ca_path, other.ca_path, dev))
    assert facts.roots_of(None, own_in) == facts.Roots(
        (public, mine, made), frozenset({mine, made})
    )
    assert facts.roots_of(ca.ca_path, own_in) == facts.Roots((public,), frozenset())
    foreign = TestCA(tmp_path / "foreign", name="A third").ca_path
    assert facts.roots_of(foreign, own_in).own == frozenset(read_roots(foreign))
