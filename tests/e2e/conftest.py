"""What the tests with real programs share: a test CA, and a proxy with a service behind it."""

from __future__ import annotations

import ssl
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from e2e.support.client import DOMAIN
from e2e.support.program import Program
from e2e.support.proxies import PROXIES, Proxy, Site, StartProxy
from e2e.support.service import TRUSTED, Service, service
from lineman.testing.certificates import IssuedPair, TestCA


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("e2e")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, None]:
    """A failure shows what the programs that were running have printed."""
    report = (yield).get_result()
    if report.failed:
        for program in Program.alive:
            report.sections.append((f"output of {program.name}", program.output))


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> TestCA:
    return TestCA(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def certificate(ca: TestCA) -> IssuedPair:
    """For the howto's domain, under an intermediate: who sends the leaf alone is not trusted."""
    return ca.intermediate().issue([DOMAIN, "localhost", "127.0.0.1"])


@pytest.fixture
def trust(ca: TestCA) -> ssl.SSLContext:
    """A client's TLS settings that trust the test CA and nobody else."""
    return ssl.create_default_context(cafile=ca.ca_path)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Ends, after the test, what the test entered into it."""
    with ExitStack() as exits:
        yield exits


@pytest.fixture
def start_proxy(
    stack: ExitStack, tmp_path_factory: pytest.TempPathFactory, certificate: IssuedPair
) -> StartProxy:
    """Start `nginx` or `apache` in front of a worker's port; ended after the test."""

    def start(kind: str, worker_port: int, **site: Any) -> Proxy:
        directory = tmp_path_factory.mktemp(kind)
        files = {"cert": certificate.cert, "key": certificate.key}
        wanted = Site(worker_port=worker_port, **{**files, **site})
        return stack.enter_context(PROXIES[kind](directory, wanted))

    return start


@pytest.fixture(params=list(PROXIES))
def kind(request: pytest.FixtureRequest) -> str:
    """Which proxy: the test runs once with each."""
    kind: str = request.param
    return kind


@pytest.fixture
def worker(stack: ExitStack) -> Service:
    """The service that trusts its proxy."""
    return stack.enter_context(service(**TRUSTED, subprotocols=["chat.v2", "chat.v1"]))


@pytest.fixture
def proxy(start_proxy: StartProxy, kind: str, worker: Service) -> Proxy:
    """The proxy in front of that service."""
    return start_proxy(kind, worker.port)
