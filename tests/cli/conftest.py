from __future__ import annotations

from collections.abc import Iterator

import pytest

from cli.benching import Bench
from cli.running import Service, running
from lineman.testing.certificates import IssuedPair, TestCA


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """Our worker, without TLS."""
    with running("ws") as found:
        yield found


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> TestCA:
    return TestCA(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def pair(ca: TestCA) -> IssuedPair:
    return ca.issue(["localhost"])


@pytest.fixture(scope="session")
def tls_service(pair: IssuedPair) -> Iterator[Service]:
    """Our worker, with TLS."""
    with running("wss", pair.cert, pair.key) as found:
        yield found


@pytest.fixture
def bench(capsys: pytest.CaptureFixture[str]) -> Bench:
    return Bench(capsys)


@pytest.fixture
def url(service: Service) -> str:
    """Of our worker, without TLS."""
    return service.url


@pytest.fixture
def secure_url(tls_service: Service) -> str:
    """Of our worker, with TLS."""
    return tls_service.url
